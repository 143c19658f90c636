"""Radii of test samples beside the run they are about: robustness.nc, sealed by robustness.json.

One idea: radii are made from the stored network and the test samples, which are drawn again, so
they can be measured, or measured in another norm, at any time after the flow.  They are used again
if they are about the run as it is, by the code of today.

    robustness.json    what was requested, by what code, about which run, checksum of the other file
    robustness.nc      for every norm such as l2, and l2 within a subspace such as l2_off_samples:
                       `certified_l2`, `attacked_l2` (sample,), `witness_l2` (sample, …) and in
                       l2 its `basis_l2` (input, …); `y`; `published` (attack_radius,) where the
                       published attack was run; `universal_label`, `universal_certified`,
                       `universal_attacked` (class,), `universal_vector` (class, input) where one
                       vector for a class was looked for
"""

import hashlib
import io
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Int

from gflow.errors import DataError, RecordError
from gflow.robustness.attack import Attack
from gflow.robustness.bracket import Robustness, measure_radii
from gflow.robustness.norm import NORMS, Norm, norm_named
from gflow.robustness.published_search import PUBLISHED_RADII
from gflow.robustness.radius import Radii
from gflow.robustness.subspace import SUBSPACES, Subspace
from gflow.robustness.universal_attack import Universal
from gflow.runs.code import code_hash
from gflow.runs.files import write_bytes
from gflow.runs.index import data_checksum
from gflow.runs.manifest import MANIFEST, RADII
from gflow.runs.netcdf import to_netcdf
from gflow.runs.run import Run
from gflow.runs.sealed import read_sealed, seal_of, warn_unused, write_sealed
from gflow.scenario import RobustnessTable, Scenario

ARRAYS = "robustness.nc"
"""File of a run folder, sealed by the file `RADII`."""

_CURE = "its radii are not used and are measured anew where they are needed"


def attacked(run: Run, requested: RobustnessTable, fresh: bool = False) -> Run:
    """The run with radii of its test samples, read from its folder or measured and stored there.

    **Arguments:**

    - `run`: any run; nothing is written if it is not stored.
    - `requested`: norms, number of samples attacked; without norms the run is returned as it is.
    - `fresh`: measure anew what is there.

    **Raises:** `DataError` if there are no test samples; `RecordError` if it cannot be stored.
    """
    if not requested.norms:
        return run
    stored = None if run.folder is None or fresh else read_robustness(run.folder, requested)
    robustness = stored or _measured(run, _with_what_is_there(run, requested))
    return replace(run, evidence=replace(run.evidence, robustness=robustness))


def _with_what_is_there(run: Run, requested: RobustnessTable) -> RobustnessTable:
    """What is requested, and the norms measured on as many samples before, which would be lost."""
    seal = {} if run.folder is None else _seal(run.folder)
    before = seal.get("requested", {})
    if before.get("attacked") != requested.attacked:
        return requested
    both = {
        key: tuple(dict.fromkeys([*before.get(key, ()), *getattr(requested, key)]))
        for key in ("norms", "within")
    }
    either = {
        key: getattr(requested, key) or before.get(key, 0) for key in ("published", "universal")
    }
    return requested.model_copy(update=both | either)


def _measured(run: Run, requested: RobustnessTable) -> Robustness:
    if not run.scenario.data.has_classes:
        raise DataError(
            f"{run.scenario.name}: a scenario must have classes to be attacked, but its labels are "
            "real numbers, of which none is misclassified; attack a run whose labels are ±1."
        )
    _verify_data(run)
    test = run.scenario.data.read_test(run.scenario.seed)
    if test is None:
        raise DataError(
            f"{run.scenario.name}: a scenario must have test samples to be attacked, but has none; "
            "set data.test_samples, or put X_test and y_test into the file."
        )
    some = some_of_test(run.scenario, test.n, requested.attacked)
    began = time.perf_counter()
    robustness = measure_radii(
        run.network,
        test.x[some],
        test.labels(run.scenario.network.grain)[some],
        [NORMS[name] for name in requested.norms],
        seed=run.scenario.seed,
        published=requested.published,
        within=_subspaces(run.scenario, requested.within),
        share=requested.universal,
    )
    if run.folder is not None:
        _save(run.folder, robustness, requested, time.perf_counter() - began)
    return robustness


def _subspaces(scenario: Scenario, names: Sequence[str]) -> dict[str, Subspace]:
    """Subspaces by name, of the training samples and centers of a scenario."""
    if not names:
        return {}
    split = scenario.data.read(scenario.seed)
    return {name: SUBSPACES[name](split.train.x, split.centers) for name in names}


def some_of_test(scenario: Scenario, n: int, count: int) -> Int[np.ndarray, " m"]:
    """Which of `n` test samples stand for all of them, where `count` are requested (0: all).

    The first ones, if the samples are in no order; otherwise evenly spread ones, since subclasses
    may follow each other.

    **Raises:** `DataError` if there are fewer.
    """
    if count > n:
        raise DataError(
            f"`robustness.attacked` must be at most the number of test samples, {n}, but is "
            f"{count}; try 0 for all."
        )
    if count == 0 or scenario.data.facts.shuffled:
        return np.arange(count or n)
    return np.arange(count) * n // count


def _verify_data(run: Run) -> None:
    """Refuse to attack a network on other data than it was trained on."""
    now = data_checksum(run.scenario)
    if run.manifest.get("data", now) != now:
        raise DataError(
            f"{run.scenario.name}: its data must be as they were when the run was made, but have "
            "changed or are missing; put them back, or run the scenario again."
        )


def _save(folder: Path, robustness: Robustness, requested: RobustnessTable, seconds: float) -> None:
    arrays: dict = {"y": ("sample", robustness.y)}
    for norm, radii in robustness.radii.items():
        witness = radii.witness
        assert witness is not None, "they were just measured"
        coordinate = "input" if witness.basis is None else f"coordinate_{norm}"
        arrays |= {
            f"certified_{norm}": ("sample", radii.certified, _attributes(radii)),
            f"attacked_{norm}": ("sample", radii.attacked),
            f"witness_{norm}": (("sample", coordinate), witness.coordinates),
        }
        if witness.basis is not None:
            arrays[f"basis_{norm}"] = (("input", coordinate), witness.basis)
    if robustness.published is not None:
        arrays["published"] = ("attack_radius", robustness.published)
    if some := robustness.universal:
        label = np.array([one.label for one in some])
        arrays |= {
            "universal_label": ("class", label, {"share": some[0].share}),
            "universal_certified": ("class", np.array([one.certified for one in some])),
            "universal_attacked": ("class", np.array([one.attacked for one in some])),
            "universal_vector": (("class", "input"), np.stack([one.vector for one in some])),
        }
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    large = {name: packed for name in arrays if name.startswith("witness")}
    data = to_netcdf(xr.Dataset(arrays, {"attack_radius": PUBLISHED_RADII}), large)
    write_bytes(folder / ARRAYS, data)
    write_sealed(
        folder / RADII,
        {
            "requested": requested.model_dump(mode="json"),
            "code": code_hash("robustness"),
            "about": seal_of(folder / MANIFEST),
            "seconds": seconds,
            "checksum": hashlib.sha256(data).hexdigest(),
        },
    )


def _attributes(radii: Radii) -> dict[str, int]:
    dimension = {} if radii.dimension is None else {"dimension": radii.dimension}
    return {"neurons": radii.neurons, **dimension}


def read_robustness(folder: Path, requested: RobustnessTable | None = None) -> Robustness | None:
    """Stored radii; None if there are none about the run as it is now.

    Warns if they were altered or cut short, which counts as none.

    **Arguments:**

    - `folder`: a run folder.
    - `requested`: what must have been measured, by the code of today; None takes whatever there is.
    """
    arrays = _arrays(folder, requested)
    if arrays is None:
        return None
    head = "certified_"
    names = [str(name).removeprefix(head) for name in arrays if str(name).startswith(head)]
    known = [norm for norm in NORMS.values() if norm in names]
    norms = [*known, *(norm_named(name) for name in names if name not in NORMS)]
    radii = {norm: _read_radii(arrays, norm) for norm in norms}
    published = arrays["published"].values if "published" in arrays else None
    return Robustness(arrays["y"].values, radii, published, _read_universal(arrays))


def _read_radii(arrays: xr.Dataset, norm: Norm) -> Radii:
    certified = arrays[f"certified_{norm}"]
    return Radii(
        certified.values,
        arrays[f"attacked_{norm}"].values,
        int(certified.attrs["neurons"]),
        dimension=int(certified.attrs["dimension"]) if "dimension" in certified.attrs else None,
    )


def _read_universal(arrays: xr.Dataset) -> tuple[Universal, ...]:
    if "universal_label" not in arrays:
        return ()
    share = float(arrays["universal_label"].attrs["share"])
    ends = (arrays[f"universal_{end}"].values for end in ("label", "certified", "attacked"))
    return tuple(
        Universal(float(label), share, float(low), float(high), vector)
        for label, low, high, vector in zip(*ends, arrays["universal_vector"].values, strict=True)
    )


def read_witnesses(folder: Path, norm: Norm) -> Attack:
    """The perturbations behind the upper ends of stored radii.

    **Raises:** `RecordError` if there are none in this norm.
    """
    arrays = _arrays(folder, None)
    if arrays is None or f"witness_{norm}" not in arrays:
        raise RecordError(
            f"{folder}: must hold perturbations in {norm}, but does not; run `gflow attack` on it."
        )
    basis = arrays[f"basis_{norm}"].values if f"basis_{norm}" in arrays else None
    return Attack(arrays[f"attacked_{norm}"].values, arrays[f"witness_{norm}"].values, basis)


def _arrays(folder: Path, requested: RobustnessTable | None) -> xr.Dataset | None:
    seal = _seal(folder)
    if not seal or (requested is not None and not _answers(seal, requested)):
        return None
    data = b""
    with suppress(OSError):
        data = (folder / ARRAYS).read_bytes()
    if seal["checksum"] == hashlib.sha256(data).hexdigest():
        return _opened(data)
    what = "has another; it was altered or cut short" if data else "is missing or empty"
    warn_unused(f"{folder / ARRAYS}: must have the checksum in {RADII}, but {what}, so {_CURE}.")
    return None


def _seal(folder: Path) -> dict:
    """What is said of the stored radii; empty unless it is whole and about the run as it is."""
    try:
        seal = read_sealed(folder / RADII, _CURE)
    except FileNotFoundError:
        return {}
    except RecordError as error:
        warn_unused(error)
        return {}
    return seal if seal["about"] == seal_of(folder / MANIFEST) else {}


def _opened(data: bytes) -> xr.Dataset:
    with xr.open_dataset(io.BytesIO(data), engine="h5netcdf") as file:
        return file.load()


def _answers(seal: dict, requested: RobustnessTable) -> bool:
    """Whether stored radii say all that is requested, by the code of today."""
    stored = seal["requested"]
    return (
        seal["code"] == code_hash("robustness")
        and set(requested.norms) <= set(stored["norms"])
        and requested.attacked == stored["attacked"]
        and requested.published <= stored["published"]
        and set(requested.within) <= set(stored["within"])
        and requested.universal in (0, stored["universal"])
    )
