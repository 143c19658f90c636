"""The verb `theory`: what is predicted, and where it stands."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Json, Markdown, OwnPredictions
from gflow.cli.request import prediction_of, predictions_in, refuse, verdict_of
from gflow.cli.results import print_json, terminal

if TYPE_CHECKING:
    from gflow.judges.prediction import Prediction
    from gflow.runs.standing import Standing


@guarded
def theory(
    about: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[P17]|[RUN]...",
            help="One prediction; or run or study folders, or folders of them.",
        ),
    ] = None,
    *,
    paper: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those whose source has these words.")
    ] = None,
    needs: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="Only those that need a run, study, seeds, neurons, layers or vector; or words of "
            "what their judges ask for, such as 'α = 0'.",
        ),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Option(metavar="VERDICT", help="Only those that stand so in the run folders."),
    ] = None,
    with_: OwnPredictions = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> int:
    """List the predictions, explain one, or print where each stands in run folders."""
    refuse(markdown and as_json, "--json", "--markdown")
    folders = [Path(name) for name in about or () if Path(name).is_dir()]
    if about and not folders:
        refuse(len(about) > 1, "a second name", "one prediction")
        for option, given in (("--paper", paper), ("--needs", needs), ("--verdict", verdict)):
            refuse(given is not None, option, "one prediction")
        return _explained(prediction_of(about[0], predictions_in(with_)), as_json)
    if not about:
        refuse(verdict is not None, "--verdict", "the list of predictions, which holds no verdicts")
        return _listed(predictions_in(with_), partial(_matches, paper=paper, needs=needs), as_json)
    refuse(with_, "--with", "run folders, whose verdicts are stored")
    form = "json" if as_json else "markdown" if markdown else "table"
    wanted = verdict_of(verdict)

    def chosen(one: "Standing") -> bool:
        return _matches(one.prediction, paper, needs) and wanted in (None, one.verdict)

    return _standing([Path(name) for name in about], chosen, form)


def _matches(one: "Prediction", paper: str | None, needs: str | None) -> bool:
    """Whether a prediction has a source with these words, and needs this."""
    from gflow.report.theory_table import needs as has_needs

    from_paper = paper is None or paper.casefold() in one.source.casefold()
    return from_paper and (needs is None or has_needs(one, needs))


def _explained(one: "Prediction", as_json: bool) -> int:
    """Print one prediction whole."""
    from gflow.report import theory_table as table
    from gflow.runs.standing import standing_of

    if as_json:
        print_json(table.to_json(one))
    else:
        terminal().print(table.whole(one, standing_of(one, Path("runs"))))
    return Exit.OK


def _listed(
    own: "Sequence[Prediction]", chosen: "Callable[[Prediction], bool]", as_json: bool
) -> int:
    """Print the predictions of the catalogue, and the user's own, that are chosen."""
    from gflow.report import theory_table as table

    predictions = [one for one in (*table.ALL, *own) if chosen(one)]
    if as_json:
        print_json([table.to_json(one) for one in predictions])
    elif predictions:
        terminal().print(table.catalogue(predictions))
    else:
        terminal().print("No prediction is like this; leave an option out.")
    return Exit.OK


def _standing(folders: list[Path], chosen: "Callable[[Standing], bool]", form: str) -> int:
    """Print where the chosen predictions stand in run folders."""
    from gflow.report import theory_table as table
    from gflow.runs.standing import standings

    rows = [one for one in standings(folders) if chosen(one)]
    if form == "json":
        print_json([table.standing_json(one) for one in rows])
    elif form == "markdown":
        print(table.markdown(rows))
    else:
        terminal().print(table.findings_table(rows))
    return Exit.FAILS if any(one.verdict == "FAILS" for one in rows) else Exit.OK
