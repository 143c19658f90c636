"""Where a result comes from: versions and machine."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import jax

from gflow import __version__
from gflow.runs.lane import usable_cores

_PACKAGES = ("jax", "jaxlib", "diffrax", "equinox", "numpy", "scipy", "xarray")


def provenance() -> dict[str, object]:
    """Versions, device and threads of this process, for a run's manifest."""
    return {
        "versions": {"gflow": __version__} | {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "cores": cores(),
        "threads": threads(),
    }


def _version(name: str) -> str:
    """Version of an installed package; "unknown" without its metadata, as in a bundle."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def cores() -> int:
    """Cores of this machine."""
    return os.cpu_count() or 1


def threads() -> int:
    """Threads that compute: one for each core this process may use.

    Sums are split among them, so results are equal to the bit only for equal numbers of threads.
    """
    return len(usable_cores())
