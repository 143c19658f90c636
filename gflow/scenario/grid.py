"""A grid: its points as flows, and the points at which a mistake occurs.

Every point is validated by itself.  A mistake at all points is reported once and names none of
them; a mistake at some points names the first of these.
"""

from collections.abc import Sequence
from typing import Any

from gflow.scenario.axis import Axis, combinations
from gflow.scenario.question import Scenario, assigned, read_flow
from gflow.table import Mistake


def read_flows(
    tables: dict[str, Any], axes: tuple[Axis, ...]
) -> tuple[list[Scenario | None], list[Mistake]]:
    """Every point as a scenario, None if it is invalid, and the mistakes with their points."""
    flows: list[Scenario | None] = []
    labels: dict[Mistake, list[str]] = {}
    for varied, label in combinations(axes):
        flow, mistakes = read_flow(assigned(tables, varied))
        flows.append(flow)
        for mistake in mistakes:
            labels.setdefault(mistake, []).append(label)
    return flows, [_at_points(mistake, at, len(flows)) for mistake, at in labels.items()]


def twins(flows: Sequence[Scenario | None], axes: tuple[Axis, ...]) -> list[Mistake]:
    """The first two points that are the same flow, reported as a mistake."""
    labels = [label for _, label in combinations(axes)]
    first: dict[str, int] = {}
    for number, flow in enumerate(flows):
        twin = number if flow is None else first.setdefault(flow.model_dump_json(), number)
        if twin != number:
            sentence = (
                f"`vary` must not repeat a point, but {labels[twin]} and {labels[number]} are the "
                "same flow; remove one."
            )
            return [Mistake("vary", sentence)]
    return []


def _at_points(mistake: Mistake, labels: list[str], number: int) -> Mistake:
    if len(labels) == number:
        return mistake
    more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
    return mistake._replace(text=f"{mistake.text} At point {labels[0]}{more}.")
