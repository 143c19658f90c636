"""The answer to a scenario, as `gflow run` gives it: computed, judged, drawn and stored."""

from collections.abc import Callable
from pathlib import Path

from gflow.api.scenario import scenario_of
from gflow.cost import check_memory
from gflow.report import figures
from gflow.report.progress import telling_by_itself
from gflow.runs import study, verdicts
from gflow.runs.run import Run
from gflow.runs.study import Study
from gflow.runs.watch import Stage
from gflow.runs.workers import processes, serial
from gflow.scenario import Scenario


def run(
    scenario: Scenario | str | Path,
    out: str | Path = "runs",
    *,
    workers: int = 1,
    fresh: bool = False,
    progress: bool = True,
) -> Run | Study:
    """Compute a scenario, judge it, draw it, and store everything in a folder, as `gflow run` does.

    What is stored already is read back, so the same call made again takes no time.

    **Arguments:**

    - `scenario`: one flow or a grid, or the file it is in.
    - `out`: folder that holds the run and study folders.
    - `workers`: processes that compute the points of a grid. Each starts Python anew, so a script
        with more than one needs `if __name__ == "__main__":`; a notebook does not.
    - `fresh`: compute anew what is stored already.
    - `progress`: whether to show progress in a notebook or on a terminal.

    **Returns:** a `Run`, or a `Study` for a grid, with verdicts and figures in their folders. A
    point of a grid that fails is in `Study.unanswered` and keeps no other from being computed.

    **Raises:** `ScenarioError` for a file with mistakes or a flow that does not fit in memory; for
    one flow `DataError`, `PrecisionError`; `RecordError` if a folder cannot be written.
    """
    question = scenario_of(scenario)
    check_memory(question, workers)
    crew = serial if workers == 1 else processes(workers)
    with telling_by_itself(progress) as tell:
        result = study.answer(question, Path(out), fresh, tell.announce, crew=crew)
        verdicts.judged(result, tell.stage)
        store_figures(result, tell.stage)
    return result


def store_figures(
    result: Run | Study, stage: Stage, tell: Callable[[str], object] | None = None
) -> None:
    """Store the figures of a stored result as png, and the table of a study.

    **Arguments:**

    - `result`: a run or a study that has a folder.
    - `stage`: called with the name of each stage that begins.
    - `tell`: called with one sentence for each figure that is left out; None for a `GflowWarning`.
    """
    stage("drawing")
    study.save_table(result)
    if result.entries and result.folder is not None:
        folder = result.folder / "figures"
        figures.draw(result, folder, tell=tell, formats=("png",), keep=True, stage=stage)
