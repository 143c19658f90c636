"""Findings: a verdict on a statement, and what it rests on."""

import enum
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from gflow.laws.hypothesis import Hypothesis, all_met
from gflow.markup import table

UNSOUND = "The numerics are not sound"
"""How the reason of every finding about a run begins whose numerics are not sound."""


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

    def __str__(self) -> str:
        return f"{self.verdict.value} {self.id}: {self.opinion.reason}"

    def _repr_html_(self) -> str:
        return Findings((self,))._repr_html_()

    def to_json(self) -> dict[str, object]:
        """Plain values, for findings.json."""
        return {
            "id": self.id,
            "statement": self.statement,
            "source": self.source,
            **asdict(self.opinion),
        }


class Findings(tuple[Finding, ...]):
    """Rows of the verdict table; print as one line each, and in a notebook as a table (final)."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        rows = (
            (row.id, row.verdict.value, row.opinion.expected, row.opinion.measured,
             row.opinion.reason)
            for row in self
        )  # fmt: skip
        return table(rows, ("prediction", "verdict", "expected", "measured", "reason"))


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
    """Why a statement does not apply, or is undecided, as a sentence; empty if all are met.

    "It needs α = 0, and here α = 0.1." names what is not met; else "Undecided: …" what is unknown.
    """
    refused = [hypothesis.clause for hypothesis in hypotheses if hypothesis.met is False]
    if refused:
        return sentence("; ".join(refused))
    unknown = [hypothesis.clause for hypothesis in hypotheses if hypothesis.met is None]
    return sentence(f"Undecided: {'; '.join(unknown)}") if unknown else ""


def earned(opinion: Opinion, *conditions: Hypothesis) -> Opinion:
    """The same opinion, but no FAILS where one of these conditions is not known to be met.

    For conditions a HOLDS does not need: that the flow got far enough, or that a criterion with
    a fixed percentage was made for this size.  The first one that is missed decides, since what
    comes after it may mean nothing then.
    """
    if opinion.verdict is not Verdict.FAILS:
        return opinion
    opinion = replace(opinion, hypotheses=(*opinion.hypotheses, *conditions))
    missed = [condition for condition in conditions if not condition.met]
    if not missed:
        return opinion
    verdict = Verdict.UNDECIDED if missed[0].met is None else Verdict.OUTSIDE
    return replace(opinion, verdict=verdict, reason=missing(missed[:1]))


def sentence(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
