"""A grid: its points as flows, and which of them a mistake belongs to.

One idea: every point is read by itself, so what is wrong at all of them is said once, without
naming a point, and what is wrong at some names the first of those.
"""

from collections.abc import Sequence
from typing import Any

from gflow.scenario.axis import Axis, combinations
from gflow.scenario.question import Scenario, assigned, read_flow
from gflow.table import Mistake


def read_flows(
    tables: dict[str, Any], axes: tuple[Axis, ...]
) -> tuple[list[Scenario | None], list[Mistake]]:
    """Every point as a scenario, and the mistakes: of all points, or of those they name."""
    flows: list[Scenario | None] = []
    labels: dict[Mistake, list[str]] = {}
    for varied, label in combinations(axes):
        flow, wrong = read_flow(assigned(tables, varied))
        flows.append(flow)
        for mistake in wrong:
            labels.setdefault(mistake, []).append(label)
    return flows, [_at_points(mistake, at, len(flows)) for mistake, at in labels.items()]


def twins(flows: Sequence[Scenario | None], axes: tuple[Axis, ...]) -> list[Mistake]:
    """The first two points that are the same flow, as a mistake."""
    labels = [label for _, label in combinations(axes)]
    seen: dict[str, int] = {}
    for number, flow in enumerate(flows):
        twin = number if flow is None else seen.setdefault(flow.model_dump_json(), number)
        if twin != number:
            sentence = (
                f"`vary` must give every point once, but {labels[twin]} and {labels[number]} are "
                "the same flow; take one out."
            )
            return [Mistake("vary", sentence)]
    return []


def _at_points(mistake: Mistake, labels: list[str], number: int) -> Mistake:
    if len(labels) == number:
        return mistake
    more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
    return mistake._replace(text=f"{mistake.text} At point {labels[0]}{more}.")
