"""The verb `attack`: how far test samples are from being misclassified."""

from typing import Annotated

import typer

from gflow.cli.guard import guarded
from gflow.cli.options import Folder, Json, Markdown
from gflow.cli.request import radii_of, radii_to_read
from gflow.cli.results import draw, exit_code, print_json, print_lines, terminal


@guarded
def attack(
    folder: Folder,
    *,
    norm: Annotated[
        list[str] | None, typer.Option(help="l1, l2 or linf, repeatable; else the scenario's.")
    ] = None,
    within: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SUBSPACE",
            help="Also l2 within samples, off_samples, centers, "
            "off_centers, or along class_difference, positive_average or "
            "negative_average; repeatable.",
        ),
    ] = None,
    universal: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Also one l2 vector for this share of a class."),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Number of test samples; 0 for all.")] = None,
    at: Annotated[
        list[float] | None,
        typer.Option(metavar="RADIUS", help="Read robust accuracies at this radius; repeatable."),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Also run the attack of the published code.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure stored radii anew.")] = False,
    markdown: Markdown = False,
    as_json: Json = False,
) -> int:
    """Bracket how far test samples of a stored run are from being misclassified."""
    from gflow.report.progress import telling

    at = radii_to_read(at or [])
    with telling(terminal(quiet=as_json or markdown)) as tell:
        from gflow.report import radii_table
        from gflow.runs import study, verdicts

        result = study.load(folder)
        requested = radii_of(
            result.scenario, norm, samples, published, within=within, universal=universal
        )
        result = study.attack(result, requested, fresh, tell.stage)
        verdicts.judged(result, tell.stage)  # those that rest on radii have changed
        notes = [] if as_json or markdown else draw(result, tell.stage)
    rows = radii_table.rows_of(result.entries, at)
    if as_json:
        print_json([row.to_json() for row in rows])
    elif markdown:
        print(radii_table.markdown(rows))
        print("\n".join(radii_table.lines_below(result.entries)))
    else:
        from gflow.report.card import unanswered_lines

        console = terminal()
        console.print(radii_table.robustness_table(rows))
        console.print("\n".join(radii_table.lines_below(result.entries)), markup=False)
        console.print(unanswered_lines(result.unanswered))
        print_lines(notes)
    return exit_code(result, {})
