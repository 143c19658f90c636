"""Findings: a verdict on a statement, and what it rests on."""

import enum
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from gflow.laws.hypothesis import Hypothesis, all_met


class Verdict(enum.StrEnum):
    """How a statement holds up on a run."""

    HOLDS = "HOLDS"
    """The bracket lies on the claimed side."""
    FAILS = "FAILS"
    """The bracket lies on the other side, and every checkable hypothesis is met."""
    UNDECIDED = "UNDECIDED"
    """The bracket straddles the criterion, the solver stopped early, or its error is too large."""
    OUTSIDE = "OUTSIDE"
    """A hypothesis is not met, or what the check needs was not recorded."""
    NOT_MEASURED = "NOT MEASURED"
    """No stored run says anything about it."""


@dataclass(frozen=True)
class Opinion:
    """What a judge concludes about a run: a finding without the statement itself."""

    verdict: Verdict
    expected: str
    measured: str
    reason: str
    """Why this verdict, in words."""
    bracket: tuple[float, float] | None = None
    """[searched, certified] where the measure is a supremum, else None."""
    details: dict[str, float | str] = field(default_factory=dict)
    """Numbers by which a miss can be traced to time, samples or dynamics."""
    hypotheses: tuple[Hypothesis, ...] = ()
    """What the statement assumes, as far as it was checked."""


@dataclass(frozen=True)
class Finding:
    """One row of the verdict table."""

    id: str
    statement: str
    source: str
    """Paper and number, and theory section."""
    opinion: Opinion

    @property
    def verdict(self) -> Verdict:
        """The opinion's verdict."""
        return self.opinion.verdict

    def to_json(self) -> dict[str, object]:
        """Plain values, for findings.json."""
        return {
            "id": self.id,
            "statement": self.statement,
            "source": self.source,
            **asdict(self.opinion),
        }


def outside(expected: str, reason: str, measured: str = "not judged") -> Opinion:
    """A run on which the statement says nothing."""
    return Opinion(Verdict.OUTSIDE, expected, measured, reason)


def unmet(expected: str, hypotheses: tuple[Hypothesis, ...]) -> Opinion | None:
    """The opinion where the statement does not apply; None if every hypothesis is met.

    OUTSIDE if a hypothesis is not met; UNDECIDED if that could not be decided.
    """
    met = all_met(hypotheses)
    if met:
        return None
    verdict = Verdict.UNDECIDED if met is None else Verdict.OUTSIDE
    return Opinion(verdict, expected, "not judged", missing(hypotheses), hypotheses=hypotheses)


def missing(hypotheses: Sequence[Hypothesis]) -> str:
    """The hypotheses that are not known to be met, as a sentence; empty if there are none."""
    missed = [str(hypothesis) for hypothesis in hypotheses if not hypothesis.met]
    return "; ".join(missed) + "." if missed else ""
