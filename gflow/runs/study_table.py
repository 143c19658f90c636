"""A study as a table: final numbers and verdicts, one row per point.

One idea: the table has the shape of the grid.  Where every key of [vary] varies on its own, each
is a dimension, so `table["loss"].sel({"network.power": 3}).mean("seed")` is what it says; where
keys vary together there is one dimension, `point`.  A point without a run has nan, or an empty
text.

Names of columns: those below; a prediction's id for its verdict; and the id, a dot and the name of
a detail, such as "conjecture-1.own_certified", for every number that a judge gives.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from gflow.judges.finding import Finding
from gflow.robustness.norm import NORMS, l2_within
from gflow.robustness.subspace import SUBSPACES
from gflow.runs.run import Run
from gflow.runs.score import ALL_COLUMNS, score_of
from gflow.scenario import Scenario

_REACHED = {
    "outcome": "why the flow ended",
    "time": "flow time reached",
    "loss": "loss at the end",
}
"""The first columns of every table, and what they mean; those of the score follow."""

_COURSE = {
    "aligned": "flow time at which alignment ends",
    "escape": "flow time at which the first output reaches 1/2",
    "fitted": "flow time at which every sample is fitted",
    "steps": "accepted steps",
    "rejected": "rejected steps",
    "evaluations": "evaluations of the velocity",
    "seconds": "wall time of the flow",
}
"""The columns of every table that come then."""

_RADII = {
    f"radius_{norm}_{end}": f"median {norm.sign} radius of test samples, {word}"
    for norm in (*NORMS.values(), *map(l2_within, SUBSPACES))
    for end, word in (("certified", "lower bound"), ("attacked", "upper bound"))
}
"""Columns of a table whose runs were attacked in a norm, and what they mean."""

_VALIDATION = {
    "validation_accuracy": "share of held-out samples classified correctly at the end",
    "validation_r_squared": "share R² of the variance of held-out labels explained at the end",
    "validation_loss": "mean loss of held-out samples at the end",
}
"""Columns of a table whose runs hold out samples to validate on, and what they mean."""

_MEANINGS = {**_REACHED, **ALL_COLUMNS, **_COURSE, **_VALIDATION, **_RADII}


def tabulate(
    scenario: Scenario,
    runs: Mapping[str, Run],
    findings: Mapping[str, Sequence[Finding]],
) -> xr.Dataset:
    """The table of a grid.

    **Arguments:**

    - `scenario`: the grid.
    - `runs`: runs by the label of their point; points may be missing.
    - `findings`: verdicts by label; points may be missing.

    **Returns:** a dataset over the varied keys, or over `point` where keys vary together, with the
    varied values and the labels as coordinates.
    """
    # One row per point; a point without a run, or without verdicts, lacks those entries.
    points = scenario.points()
    rows = [
        (_numbers(runs[p.label]) if p.label in runs else {}) | _verdicts(findings.get(p.label, ()))
        for p in points
    ]
    # The shape: one dimension per key, or one for all where keys vary together.
    keys = [key for axis in scenario.vary for key in axis.keys]
    is_product = all(len(axis.keys) == 1 for axis in scenario.vary)
    dims = keys if is_product else ["point"]
    shape = [len(axis.rows) for axis in scenario.vary] if is_product else [len(points)]
    # The columns: those of every table and of the scores of its points, validation and radii if
    # some were measured, and what the judges gave, in the order of their predictions.
    given = dict.fromkeys(name for row in rows for name in row if name not in _MEANINGS)
    ids = list(dict.fromkeys(name.split(".")[0] for name in given))
    measured = [name for name in {**_VALIDATION, **_RADII} if any(name in row for row in rows)]
    scores = dict.fromkeys(name for p in points for name in score_of(p.scenario.data).columns)
    fixed = [*_REACHED, *scores, *_COURSE]
    columns = [*fixed, *measured, *sorted(given, key=lambda name: ids.index(name.split(".")[0]))]
    data = {
        name: (dims, _column([row.get(name) for row in rows]).reshape(shape), _meaning(name))
        for name in columns
    }
    if is_product:
        coords: dict[str, Any] = {
            axis.keys[0]: _coordinate([value for (value,) in axis.rows]) for axis in scenario.vary
        }
    else:
        coords = {key: ("point", _coordinate([p.varied[key] for p in points])) for key in keys}
    coords["label"] = (dims, np.array([p.label for p in points]).reshape(shape))
    return xr.Dataset(data, coords, {"study": scenario.name, "question": scenario.question})


def to_rows(table: xr.Dataset) -> list[dict[str, Any]]:
    """One dictionary per point, in the order of the grid: label, varied keys, columns."""
    keys = varied_keys(table)
    shape = tuple(table.sizes[dim] for dim in table["label"].dims)
    names = ["label", *keys, *map(str, table.data_vars)]
    flat = {
        name: table[name].broadcast_like(table["label"]).transpose(*table["label"].dims).values
        for name in names
    }
    return [
        {name: values[index].item() if hasattr(values[index], "item") else values[index]
         for name, values in flat.items()}
        for index in np.ndindex(shape)
    ]  # fmt: skip


def to_csv(table: xr.Dataset) -> str:
    """A table as CSV: a header, and one line per point; nan is an empty field."""
    rows = to_rows(table)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value != value else value for name, value in row.items()})
    return text.getvalue()


def varied_keys(table: xr.Dataset) -> list[str]:
    """The varied keys of a table, in the order of its grid."""
    return [str(name) for name in table.coords if name not in ("label", "point")]


def _numbers(run: Run) -> dict[str, Any]:
    last, phases, effort = run.record.isel(time=-1), run.evidence.phases, run.effort
    score = score_of(run.scenario.data).columns
    return {
        "outcome": run.outcome.reason.value,
        "time": run.outcome.t,
        **{name: float(last[name]) for name in ("loss", *score) if name in last},
        **{name: run.test.get(name.removeprefix("test_")) for name in score if name not in last},
        **_validation(run),
        **_medians(run),
        **({} if phases is None else phases._asdict()),
        "steps": effort.steps,
        "rejected": effort.rejected,
        "evaluations": effort.evaluations,
        "seconds": run.manifest["seconds"],
    }


def _validation(run: Run) -> dict[str, float]:
    """Fit of held-out samples; empty if there are none."""
    name, _ = score_of(run.scenario.data).headline
    return {f"validation_{part}": run.validation[part] for part in (name, "loss") if run.validation}


def _medians(run: Run) -> dict[str, float]:
    robustness = run.evidence.robustness
    if robustness is None:
        return {}
    return {
        f"radius_{norm}_{end}": value
        for norm in robustness.radii
        for end, value in zip(("certified", "attacked"), robustness.median(norm), strict=True)
    }


def _verdicts(findings: Sequence[Finding]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for finding in findings:
        row[finding.id] = finding.verdict.value
        details = finding.opinion.details
        row |= {f"{finding.id}.{name}": value for name, value in details.items()}
    return row


def _meaning(name: str) -> dict[str, str]:
    return {"long_name": _MEANINGS[name]} if name in _MEANINGS else {}


def _column(values: list[Any]) -> np.ndarray:
    """Numbers as float64 with nan for None; texts with "" for None."""
    if any(isinstance(value, str) for value in values):
        return np.array(["" if value is None else str(value) for value in values])
    return np.array([np.nan if value is None else float(value) for value in values])


def _coordinate(values: list[Any]) -> np.ndarray:
    """Varied values as numbers or booleans if all of them are, otherwise as text."""
    if all(isinstance(value, bool) for value in values):
        return np.array(values)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([value if isinstance(value, str) else json.dumps(value) for value in values])
