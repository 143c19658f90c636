"""All pictures by name: of a flow, a study, radii, and overlays of theory and simulation.

One idea: figures have names, which the command line and a scenario use; what is drawn unasked
follows from what was asked and measured, and a picture that is there already is not drawn again.
Only modules of this folder import matplotlib.
"""

import difflib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from gflow.errors import GflowError, GflowWarning
from gflow.judges.catalogue import CATALOGUE
from gflow.report import robustness_figures, style
from gflow.report.flow_figures import alignment, contributions, cosine_map, fit, norms, plane
from gflow.report.overlays import closed_forms, escape, fitting_law, power_map, rates, sphere
from gflow.report.panels import NotDrawable
from gflow.report.robustness_figures import critical_radius, radii, robust_accuracy
from gflow.report.shown import COLUMNS, Runs, pairs
from gflow.report.study_figures import bands, overview
from gflow.report.training_figures import adversarial, training
from gflow.runs.run import Run
from gflow.runs.study import Study


def draw(
    result: Runs,
    folder: str | Path,
    only: str | None = None,
    tell: Callable[[str], object] | None = None,
    keep: bool = False,
) -> list[Path]:
    """Draw the figures of a result and store each as pdf and png.

    **Arguments:**

    - `result`: a run, a study, or (label, run) pairs.
    - `folder`: made if it is not there.
    - `only`: name of the one figure to draw; None for all, those of a study only if its seed
        varies.
    - `tell`: told in a sentence each which figures are left out and why, and that not all runs
        of a long study are shown; None for a `GflowWarning`.
    - `keep`: leave figures alone that are newer than every stored run they show.

    **Returns:** the files written, in the order of `FIGURES`.

    **Raises:** `GflowError` if there is no figure of that name.
    """
    tell = tell or _warn
    names = [_known(only)] if only is not None else _names(result)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (count := len(pairs(result))) > COLUMNS and set(names) & set(FIGURES):
        tell(
            f"The figures show the first {COLUMNS} of {count} runs; give a figure (label, run) "
            "pairs to see others, as in `figures.alignment([(label, run), ...])`."
        )
    written: list[Path] = []
    for name in names:
        if keep and _is_current(_files_shown(result, name), style.files(folder, name)):
            continue
        try:
            figure = _ALL[name](result)
        except NotDrawable as reason:
            tell(f"Figure {name} is left out: {reason}")
        else:
            written += style.save(figure, folder, name)
    return written


FIGURES: dict[str, Callable[[Runs], Figure]] = {
    "alignment": alignment,
    "norms": norms,
    "fit": fit,
    "contributions": contributions,
    "cosine_map": cosine_map,
    "plane": plane,
}
"""The figures of flows by name. All but "fit" need the record group "neurons"."""

OVERLAYS: dict[str, Callable[[Runs], Figure]] = {
    "closed_forms": closed_forms,
    "fitting_law": fitting_law,
    "rates": rates,
    "sphere": sphere,
    "escape": escape,
    "power_map": power_map,
}
"""Theory and simulation in one picture, by name; drawn where a scenario asks about the law."""

_OF_SEVERAL = {"escape", "power_map"}
"""Overlays that compare the runs of a study."""

STUDY_FIGURES: dict[str, Callable[[Runs], Figure]] = {"bands": bands, "overview": overview}
"""The figures of a study by name."""

ROBUSTNESS: dict[str, Callable[[Runs], Figure]] = {
    "robust_accuracy": robust_accuracy,
    "radii": radii,
    "critical_radius": critical_radius,
}
"""The figures of radii by name, drawn where they were measured."""

TRAINING: dict[str, Callable[[Runs], Figure]] = {
    "training": training,
    "adversarial": adversarial,
}
"""The figures of deep networks and of attacked images by name."""

_ALL = FIGURES | OVERLAYS | STUDY_FIGURES | ROBUSTNESS | TRAINING


def _warn(sentence: str) -> None:
    warnings.warn(sentence, GflowWarning, stacklevel=3)


def _names(result: Runs) -> list[str]:
    """The figures drawn unasked: of a flow, those of the laws asked about, those of a study."""
    if not isinstance(result, Run | Study):
        return list(FIGURES)
    measured = _of_radii(result)
    if measured and result.scenario.data.facts.picture:
        measured.append("adversarial")
    if not result.scenario.network.has_laws:
        return ["training", *measured]
    seeds = isinstance(result, Study) and any("seed" in axis.keys for axis in result.scenario.vary)
    asked = result.scenario.checks.predictions
    laws = () if asked == "all" else (CATALOGUE[id].figure for id in asked)
    wanted = set(laws) - {""} - (set() if isinstance(result, Study) else _OF_SEVERAL)
    return [
        *FIGURES,
        *(n for n in OVERLAYS if n in wanted),
        *(STUDY_FIGURES if seeds else ()),
        *measured,
    ]


def _of_radii(result: Run | Study) -> list[str]:
    """Figures of radii for a result whose radii were measured."""
    evidences = [run.evidence for _, run in pairs(result)]
    if not any(evidence.robustness for evidence in evidences):
        return []
    varied = robustness_figures.varied_key(evidences)
    return ["robust_accuracy", "radii", *(["critical_radius"] if varied else [])]


def _files_shown(result: Runs, name: str) -> list[Path] | None:
    """The files of the runs that a figure shows; None if one of them is not stored."""
    every = name in STUDY_FIGURES or name in ROBUSTNESS or name in TRAINING
    shown = pairs(result) if every else pairs(result)[:COLUMNS]
    more = "findings.json" if name in STUDY_FIGURES else "robustness.json"
    files = ["manifest.json", *([more] if every else [])]
    folders = [run.folder for _, run in shown]
    if None in folders:
        return None
    paths = [folder / file for folder in folders if folder for file in files]
    return [path for path in paths if path.is_file()]


def _is_current(shown: Sequence[Path] | None, files: Sequence[Path]) -> bool:
    """Whether every file was drawn after everything it shows was stored."""
    if not shown or not all(file.is_file() for file in files):
        return False
    stored = max(path.stat().st_mtime_ns for path in shown)
    return min(file.stat().st_mtime_ns for file in files) >= stored


def _known(name: str) -> str:
    known = list(_ALL)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    raise GflowError(
        f"`only` must be one of {', '.join(known)}, but is {name!r}; did you mean {near!r}?"
    )
