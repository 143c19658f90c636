"""Runs of a study, sorted into series along one key.

A law about ε, α or N is about runs that differ in that key alone, so a judge asks for series along
it, and every other varied key tells one series from the next.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, Verdict
from gflow.laws.hypothesis import Hypothesis
from gflow.scenario import Scenario

MOST_PARTS = 6
"""Most comparisons that an opinion shows one by one; all of more are among its details."""

FOLLOWING = ("flow.end_time", "flow.end_loss", "flow.tolerance", "flow.absolute_tolerance", "name")
"""Keys that follow others in a study and set no series apart."""


class Series(NamedTuple):
    """Runs of a study that differ in a few keys only."""

    title: str
    """What sets it apart from the other series, such as "power = 3"; empty if there is one."""
    runs: tuple[Evidence, ...]
    """In the order of the key along which they were sorted."""


def series(evidences: Sequence[Evidence], *along: str) -> list[Series]:
    """Runs sorted into series.

    **Arguments:**

    - `evidences`: runs of one study.
    - `along`: keys that differ within a series; it is sorted by the first.

    **Returns:** series in the order in which they are first met.
    """
    questions = [_question_of(evidence.scenario) for evidence in evidences]
    keys = dict.fromkeys(key for question in questions for key in question)
    apart = [
        key
        for key in keys
        if key not in (*along, *FOLLOWING) and len({str(q.get(key)) for q in questions}) > 1
    ]
    groups: dict[str, list[Evidence]] = {}
    for evidence, question in zip(evidences, questions, strict=True):
        title = ", ".join(f"{key.split('.')[-1]} = {_text(question.get(key))}" for key in apart)
        groups.setdefault(title, []).append(evidence)
    return [
        Series(title, tuple(sorted(runs, key=lambda run: run.scenario.value(along[0]))))
        for title, runs in groups.items()
    ]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _question_of(scenario: Scenario) -> dict[str, Any]:
    """Everything that tells one flow from another, by dotted key."""
    apart = ("name", "question", "robustness", "checks", "vary")
    return {k: value for k, value in scenario.by_key.items() if k.split(".")[0] not in apart}


class Comparison(NamedTuple):
    """How one series, or one part of a run, compares with a statement."""

    title: str
    fits: bool | None
    """Whether it meets the criterion; None if undecided."""
    text: str

    def __str__(self) -> str:
        return f"{self.title}: {self.text}" if self.title else self.text


def class_name(sign: int) -> str:
    """What a comparison about one class is called."""
    return "class +" if sign > 0 else "class -"


def verdict_of(parts: Sequence[Comparison]) -> Verdict:
    """HOLDS if all fit, FAILS if one does not, UNDECIDED otherwise."""
    if any(one.fits is not None and not one.fits for one in parts):
        return Verdict.FAILS
    return Verdict.HOLDS if parts and all(one.fits for one in parts) else Verdict.UNDECIDED


def opinion_of(
    expected: str,
    parts: Sequence[Comparison],
    hypotheses: tuple[Hypothesis, ...],
    reason: str,
    *,
    undecided: str = "Too little of the record lies where this can be read.",
) -> Opinion:
    """The opinion that its comparisons add up to; `undecided` is the reason if they are too few."""
    verdict = verdict_of(parts)
    why = undecided if verdict is Verdict.UNDECIDED else reason
    details: dict[str, float | str] = {}
    if len(parts) > MOST_PARTS:
        details = {one.title: one.text for one in parts}
    return Opinion(verdict, expected, _summary(parts), why, details=details, hypotheses=hypotheses)


def _summary(parts: Sequence[Comparison]) -> str:
    """All comparisons in one text; of many their number, and a few of those that do not fit."""
    if len(parts) <= MOST_PARTS:
        return "; ".join(map(str, parts))
    missed = [one for one in parts if not one.fits]
    shown = "; ".join(map(str, (missed or list(parts))[: MOST_PARTS // 2]))
    many = f"{len(parts) - len(missed)} of {len(parts)} fit"
    return f"{many}; {'not' if missed else 'such as'} {shown}"
