"""Runs of a study, sorted into series along one key.

One idea: a law about ε, α or N speaks of runs that are alike but for that key, so a judge asks for
series along it, and every other varied key tells one series from the next.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, Verdict
from gflow.laws.hypothesis import Hypothesis
from gflow.scenario import Scenario

FOLLOWING = ("flow.end_time", "flow.end_loss", "flow.tolerance", "flow.absolute_tolerance", "name")
"""Keys that follow others in a study and set no series apart."""


class Series(NamedTuple):
    """Runs of a study that differ in a few keys only."""

    title: str
    """What sets it apart from the other series, such as "power = 3"; empty if there is one."""
    runs: tuple[Evidence, ...]
    """In the order of the key they were asked along."""


def series(evidences: Sequence[Evidence], *along: str) -> list[Series]:
    """Runs sorted into series.

    **Arguments:**

    - `evidences`: runs of one study.
    - `along`: keys that differ within a series; it is sorted by the first.

    **Returns:** series in the order in which they are first met.
    """
    asked = [_asked(evidence.scenario) for evidence in evidences]
    keys = dict.fromkeys(key for question in asked for key in question)
    apart = [
        key
        for key in keys
        if key not in (*along, *FOLLOWING) and len({str(q.get(key)) for q in asked}) > 1
    ]
    found: dict[str, list[Evidence]] = {}
    for evidence, question in zip(evidences, asked, strict=True):
        title = ", ".join(f"{key.split('.')[-1]} = {_shown(question.get(key))}" for key in apart)
        found.setdefault(title, []).append(evidence)
    return [
        Series(title, tuple(sorted(runs, key=lambda run: run.scenario.value(along[0]))))
        for title, runs in found.items()
    ]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _asked(scenario: Scenario) -> dict[str, Any]:
    """Everything that tells one flow from another, by dotted key."""
    asked = {"data", "network", "flow", "record", "seed", "train"}
    tables = scenario.model_dump(mode="json", include=asked)
    return {
        f"{table}.{key}" if isinstance(values, dict) else table: value
        for table, values in tables.items()
        for key, value in (values.items() if isinstance(values, dict) else [(table, values)])
    }


class Told(NamedTuple):
    """What one series, or one part of a run, has to say about a statement."""

    title: str
    fits: bool | None
    """Whether it meets the criterion; None where that cannot be told."""
    text: str

    def __str__(self) -> str:
        return f"{self.title}: {self.text}" if self.title else self.text


def verdict_of(told: Sequence[Told]) -> Verdict:
    """HOLDS if all of them fit, FAILS if one does not, UNDECIDED otherwise."""
    if any(one.fits is not None and not one.fits for one in told):
        return Verdict.FAILS
    return Verdict.HOLDS if told and all(one.fits for one in told) else Verdict.UNDECIDED


def opinion_of(
    expected: str,
    told: Sequence[Told],
    assumed: tuple[Hypothesis, ...],
    reason: str,
    *,
    undecided: str = "Too little of the record lies where this can be read.",
) -> Opinion:
    """The opinion that its parts add up to; `undecided` is the reason where they do not."""
    verdict = verdict_of(told)
    why = undecided if verdict is Verdict.UNDECIDED else reason
    return Opinion(verdict, expected, "; ".join(map(str, told)), why, hypotheses=assumed)
