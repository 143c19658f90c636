"""A prediction: a statement of the papers, its source, and its judges.

A statement about one run is judged on a run, one about an exponent or a comparison on the runs of a
study, and both judges are pure functions of stored values.  A user's own prediction is one more
value of this type.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gflow.judges.evidence import Evidence
from gflow.judges.finding import Finding, Opinion, Verdict
from gflow.judges.seeds import judge_over_seeds

MV24 = "Min and Vidal, ICML 2024"
MV25 = "Min and Vidal, ICML 2025"

Judge = Callable[[Evidence], Opinion]
StudyJudge = Callable[[Sequence[Evidence]], Opinion]


class Subject(StrEnum):
    """What a prediction is about, by which the catalogue is grouped."""

    NUMERICS = "numerics and invariants"
    ALIGNMENT = "alignment of neurons"
    ESCAPE = "escape"
    FITTING = "fitting and late phase"
    CLASSIFIER = "the classifier that is learned"
    ROBUSTNESS = "robustness"
    TRAINING = "other training: steps, losses, layers, labels"
    OWN = "your own"


@dataclass(frozen=True)
class Prediction:
    """A statement, its source, and its judges (final)."""

    id: str
    """What files and commands call it."""
    number: str
    """Its number in the theory, such as "P13"; any short text for a user's own."""
    statement: str
    source: str
    """Paper and number, and theory section."""
    formula: str = ""
    """The law in Unicode; empty where the statement says it all."""
    judge: Judge | None = None
    """Decides about one run; None where one run says nothing."""
    judge_study: StudyJudge | None = None
    """Decides about the runs of a study together; None where each run is judged alone."""
    scenario: str = ""
    """Name of the scenario made to judge it; empty if there is none."""
    figure: str = ""
    """Name of the figure that shows law and simulation; empty where there is none."""
    subject: Subject = Subject.OWN
    """The group of the catalogue in which it is listed."""
    probable: bool = False
    """Whether it is claimed with high probability, so that runs over seeds are counted."""
    networks: tuple[str, ...] = ("neurons",)
    """Kinds of network, as `network.kind` names them, that it is about."""

    def is_about(self, evidence: Evidence) -> bool:
        """Whether it says something of networks of this kind."""
        return evidence.scenario.network.kind in self.networks

    def __call__(self, evidence: Evidence) -> Finding | None:
        """The finding about one run; None if it is not about one run."""
        return None if self.judge is None else self._finding(self.judge(evidence))

    def over(self, evidences: Sequence[Evidence]) -> Finding | None:
        """The finding about the runs of a study; None if it is not about several."""
        return None if self.judge_study is None else self._finding(self.judge_study(evidences))

    def counted(self, evidences: Sequence[Evidence], verdicts: Sequence[Verdict]) -> Finding | None:
        """The finding about several seeds; None if it is not probable or there are too few."""
        opinion = judge_over_seeds(evidences, verdicts) if self.probable else None
        return None if opinion is None else self._finding(opinion)

    def undecided(self, reason: str, *, of_study: bool = False) -> Finding | None:
        """The finding where nothing can be said of a run or study; None if it is not about one."""
        judge = self.judge_study if of_study else self.judge
        opinion = Opinion(Verdict.UNDECIDED, "", "not judged", reason)
        return None if judge is None else self._finding(opinion)

    def inapplicable(self, reason: str, *, of_study: bool = False) -> Finding | None:
        """The finding where the statement does not apply; None if it is not about one."""
        judge = self.judge_study if of_study else self.judge
        opinion = Opinion(Verdict.OUTSIDE, "", "not judged", reason)
        return None if judge is None else self._finding(opinion)

    def _finding(self, opinion: Opinion) -> Finding:
        return Finding(self.id, self.statement, self.source, _named(self.number, opinion))


def _named(number: str, opinion: Opinion) -> Opinion:
    """The opinion; one on a statement that does not apply says so and names it."""
    if opinion.verdict is not Verdict.OUTSIDE:
        return opinion
    reason = opinion.reason
    # "It needs …" becomes "it needs …"; K1, SGD and Greek letters keep their case.
    first = reason.split(" ", 1)[0]
    if first.isascii() and first.capitalize() == first and not any(map(str.isdigit, first)):
        reason = reason[:1].lower() + reason[1:]
    return replace(opinion, reason=f"{number} does not apply: {reason}")
