"""A run as a folder: save, load, verify.

One idea: whatever is read back is checked against the manifest's checksums first, so a folder that
was cut short or altered is named, never trusted.  A folder is written beside its place and then
renamed into it, so a reader sees all of it or nothing.  No pickles are read or written.

    scenario.toml    the question, resolved
    manifest.json    versions, machine, wall time, effort, outcome, test figures, checksums
    trajectory.nc    the record (netCDF 4): `xarray.open_dataset(path, engine="h5netcdf")`
    network.npz      final neurons (`direction`, `log_norm`, `sign`, or `w`, `v`), `time`,
                     `dissipated`, `next_step`, and of the subclasses `mu`, `label`, `origin`,
                     `pi`, `alpha`
    findings.json    verdicts, once judged
    figures/         pictures, once drawn
    log.txt          what was said while it ran
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from gflow.data.centers import Centers
from gflow.errors import RecordError, ScenarioError
from gflow.flow.field import FlowState
from gflow.flow.trajectory import Effort, Outcome, Reason
from gflow.network.neurons import AbstractNeurons, CartesianNeurons, PolarNeurons
from gflow.runs.experiment import Run
from gflow.scenario import parse_scenario
from gflow.theory.evidence import Evidence
from gflow.theory.finding import Finding

FORMAT = 1
"""Version of the folder's layout; raised when an older gflow could not read it."""

_PARTS = ("scenario.toml", "trajectory.nc", "network.npz")


def save(run: Run, folder: Path, log: str = "") -> Run:
    """Store a run as a folder, in place of one that is there.

    **Returns:** the run, knowing its folder.
    """
    stage = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    (stage / "scenario.toml").write_text(run.scenario.to_toml(), encoding="utf-8")
    run.record.to_netcdf(
        stage / "trajectory.nc", engine="h5netcdf", encoding=_compressed(run.record)
    )
    np.savez(stage / "network.npz", allow_pickle=False, **_final_arrays(run))
    (stage / "log.txt").write_text(log, encoding="utf-8")
    write_json(stage / "manifest.json", _manifest(run, stage))
    _move_into_place(stage, folder)
    return replace(run, folder=folder)


def load(folder: Path) -> Run:
    """Read a run back from its folder.

    **Raises:** `RecordError` naming the file that is missing, foreign, cut short, altered, or from
    a newer version.
    """
    manifest = read_manifest(folder)
    _verify(folder, manifest)
    try:
        return _read(folder, manifest)
    except (KeyError, TypeError, ValueError, OSError, ScenarioError) as error:
        raise RecordError(
            f"{folder}: the run folder must be complete, but cannot be read ({error}); run its "
            "scenario again with --fresh."
        ) from None


def read_manifest(folder: Path) -> dict:
    """The manifest of a run folder, checked for format only."""
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such run folder; `gflow run SCENARIO` makes one.")
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(
            f"{folder}: must be a run folder, but has no manifest.json; give the folder that "
            "`gflow run` printed."
        ) from None
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{folder}/manifest.json: must be JSON, but cannot be read ({error}); run its scenario "
            "again with --fresh."
        ) from None
    if not isinstance(manifest, dict) or manifest.get("program") != "gflow":
        raise RecordError(
            f"{folder}: must be a gflow run folder, but its manifest.json is of another program."
        )
    if not isinstance(manifest.get("format"), int) or manifest["format"] > FORMAT:
        raise RecordError(
            f"{folder}: must have format <= {FORMAT}, but has {manifest.get('format')}; it was "
            "written by a newer gflow, so upgrade gflow."
        )
    return manifest


def save_findings(folder: Path, findings: tuple[Finding, ...]) -> None:
    """Store verdicts beside the run they are about."""
    write_json(folder / "findings.json", [finding.to_json() for finding in findings])


def write_json(path: Path, value: object) -> None:
    """Write plain values as JSON, all or nothing."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, all or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def checksum(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(folder: Path, manifest: dict) -> None:
    for name in _PARTS:
        path = folder / name
        if not path.is_file():
            raise RecordError(
                f"{path}: must be there, but is missing; the run folder was cut short. Run its "
                "scenario again with --fresh."
            )
        if checksum(path) != manifest.get("checksums", {}).get(name):
            raise RecordError(
                f"{path}: must have the checksum in manifest.json, but has another; the file was "
                "altered or cut short. Run its scenario again with --fresh."
            )


def _read(folder: Path, manifest: dict) -> Run:
    scenario = parse_scenario(
        (folder / "scenario.toml").read_text(encoding="utf-8"), source=str(folder / "scenario.toml")
    )
    with xr.open_dataset(folder / "trajectory.nc", engine="h5netcdf") as file:
        record = file.load()
    with np.load(folder / "network.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    outcome = Outcome(**{**manifest["outcome"], "reason": Reason(manifest["outcome"]["reason"])})
    with jax.enable_x64(True):
        state = FlowState(_neurons(arrays), jnp.asarray(arrays["dissipated"]))
        evidence = Evidence(
            scenario,
            Centers(arrays["mu"], arrays["label"], str(arrays["origin"])),
            record,
            state.neurons.network(float(scenario.network.power)),
            arrays["pi"],
            None if np.isnan(arrays["alpha"]) else float(arrays["alpha"]),
            outcome,
            Effort(**manifest["effort"]),
        )
    rest = {key: manifest[key] for key in manifest["provenance"]}
    return Run(evidence, state, float(arrays["next_step"]), manifest["test"], rest, folder)


def _neurons(arrays: dict[str, np.ndarray]) -> AbstractNeurons:
    if "w" in arrays:
        return CartesianNeurons(jnp.asarray(arrays["w"]), jnp.asarray(arrays["v"]))
    direction, log_norm = jnp.asarray(arrays["direction"]), jnp.asarray(arrays["log_norm"])
    return PolarNeurons(direction, log_norm, jnp.asarray(arrays["sign"]))


def _final_arrays(run: Run) -> dict[str, np.ndarray]:
    neurons, centers = run.state.neurons, run.centers
    names = ("w", "v") if isinstance(neurons, CartesianNeurons) else (
        "direction", "log_norm", "sign",
    )  # fmt: skip
    return {name: np.asarray(getattr(neurons, name)) for name in names} | {
        "time": np.asarray(run.outcome.t),
        "dissipated": np.asarray(run.state.dissipated),
        "next_step": np.asarray(run.next_step),
        "mu": centers.mu,
        "label": centers.label,
        "origin": np.asarray(centers.origin),
        "pi": run.evidence.pi,
        "alpha": np.asarray(np.nan if run.evidence.alpha is None else run.evidence.alpha),
    }


def _manifest(run: Run, stage: Path) -> dict:
    return {
        "program": "gflow",
        "format": FORMAT,
        **run.manifest,
        "provenance": sorted(run.manifest),
        "outcome": asdict(run.outcome),
        "effort": asdict(run.effort),
        "test": run.test,
        "checksums": {name: checksum(stage / name) for name in _PARTS},
    }


def _compressed(record: xr.Dataset) -> dict[str, dict[str, object]]:
    large = (name for name, values in record.data_vars.items() if values.ndim > 1)
    return {str(name): {"compression": "gzip", "compression_opts": 4} for name in large}


def _move_into_place(stage: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(stage, folder)
    shutil.rmtree(old, ignore_errors=True)
