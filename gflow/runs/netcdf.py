"""Labeled arrays as the bytes of a netCDF 4 file.

The file is built in memory and written by us: the HDF5 library ends the process when the disk is
full, and inside a Dask worker xarray asks the cluster for a lock that only files on disk have.
"""

import io
import threading
from collections.abc import Mapping

import xarray as xr
from xarray.backends import H5NetCDFStore

_ONE_AT_A_TIME = threading.Lock()


def to_netcdf(
    dataset: xr.Dataset, encoding: Mapping[str, Mapping[str, object]] | None = None
) -> memoryview:
    """A dataset as netCDF 4.

    **Arguments:**

    - `dataset`: labeled arrays.
    - `encoding`: encoding of variables, by name; see `xarray.Dataset.to_netcdf`.
    """
    file = io.BytesIO()
    with _ONE_AT_A_TIME:
        store = H5NetCDFStore.open(file, mode="w", lock=threading.RLock())
        try:
            dataset.dump_to_store(store, encoding=encoding)
        finally:
            store.close()
    return file.getbuffer()
