"""Progress is told by bars where they can move, else by lines."""

from io import StringIO

from rich.console import Console

from gflow.report.progress import telling


def test_no_bar_moves_where_colors_are_forced_onto_a_pipe():
    # A cell of a notebook sets FORCE_COLOR, which rich takes for a terminal.
    console = Console(file=StringIO(), force_terminal=True)

    with telling(console) as tell:
        tell.stage("judging")

    assert console.file.getvalue() == ""
