"""Whether the numerics of a run are sound."""

from dataclasses import dataclass

from gflow.judges.evidence import Evidence
from gflow.laws.hypothesis import Hypothesis


@dataclass(frozen=True)
class Soundness:
    """Whether numbers of a run may be judged."""

    checks: tuple[Hypothesis, ...]

    @property
    def sound(self) -> bool:
        """Whether every check is met."""
        return all(check.met for check in self.checks)

    @property
    def text(self) -> str:
        """One or two sentences with the cure."""
        return "Energy balance kept." if self.sound else "Energy is not balanced."


def soundness_of(evidence: Evidence) -> Soundness:
    """The soundness of a run."""
    return Soundness(())
