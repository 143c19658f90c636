"""The verb `status`: the state of every point."""

from gflow.cli.guard import guarded
from gflow.cli.options import Json, Shelf
from gflow.cli.results import NARROWEST, exit_code_of, print_json, print_lines, terminal


@guarded
def status(folder: Shelf, as_json: Json = False) -> int:
    """Print the state of each point of a study, also while it is computed.

    Of a folder of runs, such as `runs`, print the state of each.
    """
    from gflow.report.status_table import shelf_lines, status_lines
    from gflow.runs.shelf import is_shelf, read_shelf
    from gflow.runs.status import count, count_verdicts, read_status

    if is_shelf(folder):
        results = read_shelf(folder)
        points = [point for result in results for point in result.statuses]
        rows = {"results": [result.to_json() for result in results]}
    else:
        results, points = (), read_status(folder)
        rows = {"points": [point.to_json() for point in points]}
    if as_json:
        print_json(rows | {"counts": count(points), "verdicts": count_verdicts(points)})
    else:
        width = max(terminal().width, NARROWEST)
        print_lines(shelf_lines(results, width) if results else status_lines(points, width))
    return exit_code_of(points)
