"""The verb `theory`: what is predicted, and where it stands."""

from pathlib import Path
from typing import Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Json, Markdown, OwnPredictions
from gflow.cli.request import prediction_of, predictions_in, refuse
from gflow.cli.results import print_json, terminal


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
    with_: OwnPredictions = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> int:
    """List the predictions, explain one, or print where each stands in run folders."""
    from gflow.report import theory_table as table
    from gflow.runs.standing import standings

    refuse(markdown and as_json, "--json", "--markdown")
    if about and not any(Path(name).is_dir() for name in about):
        refuse(len(about) > 1, "a second name", "one prediction")
        one = prediction_of(about[0], predictions_in(with_))
        print_json(table.to_json(one)) if as_json else terminal().print(table.explanation(one))
        return Exit.OK
    refuse(about and with_, "--with", "run folders, whose verdicts are stored")
    if not about:
        predictions = (*table.ALL, *predictions_in(with_))
        if as_json:
            print_json([table.to_json(one) for one in predictions])
        else:
            terminal().print(table.catalogue(predictions))
        return Exit.OK
    found = standings([Path(name) for name in about])
    if as_json:
        print_json([table.standing_json(one) for one in found])
    elif markdown:
        print(table.markdown(found))
    else:
        terminal().print(table.findings_table(found))
    return Exit.FAILS if any(one.verdict == "FAILS" for one in found) else Exit.OK
