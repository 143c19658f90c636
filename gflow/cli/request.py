"""What the options of a verb request: who computes, which radii, which predictions."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gflow.errors import ScenarioError
from gflow.scenario import RobustnessTable, Scenario
from gflow.scenario.words import NORMS, SUBSPACES

if TYPE_CHECKING:
    from gflow.judges.finding import Verdict
    from gflow.judges.prediction import Prediction
    from gflow.runs.workers import Crew


def crew_of(workers: int, dask: str | None, is_grid: bool) -> "Crew":
    """Who computes the points of a grid."""
    from gflow.runs import workers as crews

    if not is_grid:
        refuse(workers != 1, "--workers", "one flow, which uses all cores anyway")
        refuse(dask, "--dask", "one flow")
    if dask is None:
        return crews.serial if workers == 1 else crews.processes(workers)
    refuse(workers != 1, "--workers", "--dask, whose workers are the cluster's")
    return crews.dask(dask)


def radii_of(
    scenario: Scenario,
    norms: list[str] | None,
    samples: int | None,
    published: bool,
    *,
    within: list[str] | None = None,
    universal: float | None = None,
) -> RobustnessTable:
    """What `gflow attack` measures: the table of the scenario, or l2, as changed by the options."""
    own = scenario.robustness
    refuse(published and not scenario.network.certifiable, "--published", "many layers or outputs")
    names = norms or list(own.norms) or ["l2"]
    if wrong := [name for name in names if name not in NORMS.words]:
        raise ScenarioError((f"`--norm` must be l1, l2 or linf, but is {wrong[0]}; try l2.",))
    places = within or list(own.within)
    if wrong := [name for name in places if name not in SUBSPACES.words]:
        known = f"{', '.join(SUBSPACES.words[:-1])} or {SUBSPACES.words[-1]}"
        raise ScenarioError((f"`--within` must be {known}, but is {wrong[0]}; try off_samples.",))
    share = own.universal if universal is None else universal
    if not 0 <= share <= 1:
        raise ScenarioError(
            (f"`--universal` must be a share from 0 to 1, but is {share:g}; try 0.95.",)
        )
    if (samples or 0) < 0:
        raise ScenarioError((f"`--samples` must be >= 0, but is {samples}; try 0 for all.",))
    if (published or places or share) and "l2" not in names:
        names.append("l2")
    return RobustnessTable(
        norms=tuple(dict.fromkeys(names)),  # pyright: ignore[reportArgumentType]
        within=tuple(dict.fromkeys(places)),  # pyright: ignore[reportArgumentType]
        universal=share,
        attacked=own.attacked if samples is None else samples,
        published=published or own.published,
    )


def radii_to_read(at: list[float]) -> list[float]:
    """The radii of `--at` in increasing order, each once."""
    if wrong := [R for R in at if not 0 <= R < math.inf]:
        raise ScenarioError((f"`--at` must be a radius >= 0, but is {wrong[0]:g}; try 0.1.",))
    return sorted(set(at))


def predictions_in(path: Path | None) -> "tuple[Prediction, ...]":
    """The predictions of a user's file; none without a file."""
    if path is None:
        return ()
    from gflow.judges.own_predictions import load_predictions

    return load_predictions(path)


def prediction_of(name: str, own: "Sequence[Prediction]") -> "Prediction":
    """The prediction with an id or number."""
    from gflow.judges.catalogue import ALL, named

    prediction = named(name) or next((one for one in own if name == one.id), None)
    if prediction is None:
        known = ", ".join(f"{one.number} {one.id}" for one in (*ALL, *own))
        raise ScenarioError((f"`{name}` must be a known prediction, but is none; try {known}.",))
    return prediction


def verdict_of(name: str | None) -> "Verdict | None":
    """The verdict of `--verdict`, in any case; None without one."""
    from gflow.judges.finding import Verdict

    known = [one.value for one in Verdict]
    if name is None:
        return None
    if name.upper() not in known:
        words = f"{', '.join(known[:-1])} or {known[-1]}"
        raise ScenarioError((f"`--verdict` must be {words}, but is {name}; try FAILS.",))
    return Verdict(name.upper())


def folder_to_write(out: Path | None) -> None:
    """Refuse an `--out` that is a file, or inside of one."""
    places = () if out is None else (out, *out.parents)
    if wrong := [place for place in places if place.exists() and not place.is_dir()]:
        raise ScenarioError(
            (f"`--out` must be a folder, new or not, but {wrong[0]} is a file; name another.",)
        )


def refuse(given: object, option: str, what: str) -> None:
    """Raise if an option is given together with what makes no use of it."""
    if given:
        raise ScenarioError((f"`{option}` must not be given with {what}; leave it out.",))
