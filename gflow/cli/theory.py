"""The verb `theory`: what is predicted, and where it stands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Json, Markdown, OwnPredictions
from gflow.cli.request import prediction_of, predictions_in, refuse, verdict_of
from gflow.cli.results import print_json, terminal

if TYPE_CHECKING:
    from gflow.judges.prediction import Prediction


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
    from gflow.report import theory_table as table
    from gflow.runs.standing import standing_of, standings

    refuse(markdown and as_json, "--json", "--markdown")
    if about and not any(Path(name).is_dir() for name in about):
        refuse(len(about) > 1, "a second name", "one prediction")
        for option, given in (("--paper", paper), ("--needs", needs), ("--verdict", verdict)):
            refuse(given is not None, option, "one prediction")
        one = prediction_of(about[0], predictions_in(with_))
        if as_json:
            print_json(table.to_json(one))
        else:
            terminal().print(table.whole(one, standing_of(one, Path("runs"))))
        return Exit.OK
    refuse(about and with_, "--with", "run folders, whose verdicts are stored")

    def chosen(one: "Prediction") -> bool:
        from_paper = paper is None or paper.casefold() in one.source.casefold()
        return from_paper and (needs is None or table.needs(one, needs))

    if not about:
        refuse(verdict is not None, "--verdict", "no run folders, where verdicts are stored")
        predictions = [one for one in (*table.ALL, *predictions_in(with_)) if chosen(one)]
        if as_json:
            print_json([table.to_json(one) for one in predictions])
        elif predictions:
            terminal().print(table.catalogue(predictions))
        else:
            terminal().print("No prediction is like this; leave an option out.")
        return Exit.OK
    wanted = verdict_of(verdict)
    found = [
        one
        for one in standings([Path(name) for name in about])
        if chosen(one.prediction) and wanted in (None, one.verdict)
    ]
    if as_json:
        print_json([table.standing_json(one) for one in found])
    elif markdown:
        print(table.markdown(found))
    else:
        terminal().print(table.findings_table(found))
    return Exit.FAILS if any(one.verdict == "FAILS" for one in found) else Exit.OK
