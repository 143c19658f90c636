"""A run as a folder: saving, loading and verifying it.

One idea: whatever is read is first checked against the checksums in the manifest, so a truncated or
altered folder is reported and never trusted.  A folder is written beside its final place and then
swapped with it, so a reader sees all of the old run or all of the new one.  No pickles are read or
written.

    scenario.toml    the question, with its defaults
    manifest.json    versions, machine, wall time, effort, outcome, test results, checksums of the
                     other files and of itself
    trajectory.nc    the record (netCDF 4): `xarray.open_dataset(path, engine="h5netcdf")`
    network.npz      final neurons (polar: `direction`, `log_norm`, `sign`; Cartesian: `w`, `v`;
                     light-cone: `direction`, `boost`, `log_plus`, `log_minus`, `sign_plus`,
                     `sign_minus`; deep: `hidden_1`, …, `output`, `bias`, `class_of`; balanced
                     with many outputs: `output_direction` instead of `sign`), `time`,
                     the neurons that the run was given (`given_direction`, …), if it was,
                     `dissipated`, `next_step`, and of the subclasses `mu`, `label`, `origin`, `pi`,
                     `alpha`, `center_class`, `strays`
    robustness.*     radii of test samples, if measured (see `gflow.runs.radii`)
    findings.json    verdicts and what judged them, if judged (see `gflow.runs.findings`)
    failure.json     why the last attempt at this point of a grid failed, if it did
    figures/         figures, if drawn
    answer.json      what `gflow run` printed of a run that stands alone (see `gflow.runs.answer`)
    log.txt          the progress reported during the run
"""

import io
import time
from dataclasses import asdict, replace
from pathlib import Path

import jax
import numpy as np
import xarray as xr

from gflow.data.centers import Centers
from gflow.errors import RecordError, ScenarioError
from gflow.flow.field import FlowState
from gflow.flow.trajectory import Effort, Outcome, Reason
from gflow.judges.evidence import Evidence
from gflow.network.given import GivenNeurons
from gflow.network.kinds import stored_weights
from gflow.runs.files import checksum, identity, is_being_replaced, staged
from gflow.runs.given import Given
from gflow.runs.manifest import MANIFEST, PARTS, is_run, read_manifest, verified
from gflow.runs.netcdf import to_netcdf
from gflow.runs.radii import read_robustness
from gflow.runs.run import Run
from gflow.runs.sealed import write_sealed
from gflow.scenario import parse_scenario

_PATIENCE = 5.0
"""Seconds that a reader waits for a folder that is being replaced."""


def save(run: Run, folder: Path, log: str = "") -> Run:
    """Store a run as a folder, replacing an existing one.

    **Returns:** the run with its folder.

    **Raises:** `RecordError` if it cannot be written; an older run then stays unchanged.
    """
    record = to_netcdf(run.evidence.record, _compressed(run.evidence.record))
    with staged(folder) as stage:
        (stage / "scenario.toml").write_text(run.scenario.to_toml(), encoding="utf-8")
        (stage / "trajectory.nc").write_bytes(record)
        np.savez(stage / "network.npz", allow_pickle=False, **_final_arrays(run))
        (stage / "log.txt").write_text(log, encoding="utf-8")
        write_sealed(stage / MANIFEST, _manifest(run, stage))
    return replace(run, folder=folder)


def save_in(folder: Path, run: Run) -> Run:
    """Store a run in a folder that a caller names, but never in place of something else.

    **Raises:** `RecordError` if the folder holds anything but a run.
    """
    if folder.exists() and not (is_run(folder) or (folder.is_dir() and not any(folder.iterdir()))):
        raise RecordError(
            f"{folder}: must be new, empty or a run folder to hold a run, but is none of these; "
            "name another."
        )
    return save(run, folder)


def load(folder: Path) -> Run:
    """Read a run from its folder, even while another process replaces it.

    **Raises:** `RecordError` naming the file that is missing, truncated, altered, not gflow's, or
    from a newer version.
    """
    last = time.monotonic() + _PATIENCE
    while True:
        before = identity(folder)
        try:
            return _load(folder)
        except RecordError:
            is_the_same = identity(folder) == before and not is_being_replaced(folder)
            if is_the_same or time.monotonic() > last:
                raise
            time.sleep(0.01)


def _load(folder: Path) -> Run:
    manifest = read_manifest(folder)
    parts = {name: verified(folder / name, manifest) for name in PARTS}
    try:
        return _read(folder, manifest, parts)
    except (KeyError, TypeError, ValueError, OSError, ScenarioError) as error:
        raise RecordError(
            f"{folder}: the run folder must be complete, but cannot be read ({error}); run its "
            "scenario again with --fresh."
        ) from None


def _read(folder: Path, manifest: dict, parts: dict[str, bytes]) -> Run:
    # The files as plain values.
    scenario = parse_scenario(
        parts["scenario.toml"].decode("utf-8"), source=str(folder / "scenario.toml")
    )
    with xr.open_dataset(io.BytesIO(parts["trajectory.nc"]), engine="h5netcdf") as file:
        record = file.load()
    with np.load(io.BytesIO(parts["network.npz"]), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    outcome = Outcome(**{**manifest["outcome"], "reason": Reason(manifest["outcome"]["reason"])})

    # The values as the run they came from, in double precision.
    with jax.enable_x64(True):
        weights = stored_weights(arrays, scenario)
        state = FlowState.begin(weights, float(arrays["dissipated"]))
        evidence = Evidence(
            scenario=scenario,
            centers=_centers(arrays),
            record=record,
            network=weights.function(float(scenario.network.power)),
            pi=arrays["pi"],
            alpha=None if np.isnan(arrays["alpha"]) else float(arrays["alpha"]),
            outcome=outcome,
            effort=Effort(**manifest["effort"]),
            robustness=read_robustness(folder),
        )
    provenance = {key: manifest[key] for key in manifest["provenance"]}
    return Run(
        evidence,
        state,
        float(arrays["next_step"]),
        manifest["test"],
        provenance,
        folder,
        Given(_given_neurons(arrays)),
        manifest.get("validation", {}),
    )


def _given_neurons(arrays: dict[str, np.ndarray]) -> GivenNeurons | None:
    given = {
        name.removeprefix(_GIVEN): array
        for name, array in arrays.items()
        if name.startswith(_GIVEN)
    }
    return GivenNeurons.from_arrays(given) if given else None


_GIVEN = "given_"
"""How the names of the neurons begin that a run was given."""


def _centers(arrays: dict[str, np.ndarray]) -> Centers:
    class_of = tuple(arrays["center_class"].tolist()) if "center_class" in arrays else None
    strays = int(arrays.get("strays", 0))
    return Centers(arrays["mu"], arrays["label"], str(arrays["origin"]), class_of, strays)


def _final_arrays(run: Run) -> dict[str, np.ndarray]:
    weights, centers = run.state.weights, run.centers
    many = {} if centers.class_of is None else {"center_class": np.asarray(centers.class_of)}
    zero = {"strays": np.asarray(centers.strays)} if centers.strays else {}
    start = run.given.neurons
    given = {} if start is None else {f"{_GIVEN}{k}": a for k, a in start.arrays().items()}
    return (
        weights.arrays()
        | many
        | zero
        | given
        | {
            "time": np.asarray(run.outcome.t),
            "dissipated": np.asarray(run.state.dissipated),
            "next_step": np.asarray(run.next_step),
            "mu": centers.mu,
            "label": centers.label,
            "origin": np.asarray(centers.origin),
            "pi": run.evidence.pi,
            "alpha": np.asarray(np.nan if run.evidence.alpha is None else run.evidence.alpha),
        }
    )


def _manifest(run: Run, stage: Path) -> dict:
    return {
        **run.manifest,
        "provenance": sorted(run.manifest),
        "outcome": asdict(run.outcome),
        "effort": asdict(run.effort),
        "test": run.test,
        "validation": run.validation,
        "checksums": {name: checksum(stage / name) for name in PARTS},
    }


def _compressed(record: xr.Dataset) -> dict[str, dict[str, object]]:
    large = (name for name, values in record.data_vars.items() if values.ndim > 1)
    return {str(name): {"compression": "gzip", "compression_opts": 4} for name in large}
