"""The catalogue of predictions: each a statement, its source, and a judge.

One idea: a criterion is fixed here before anything is measured, and a judge is a pure function
Evidence -> Opinion, so any stored run can be judged again.  A FAILS is a finding to report, never
a threshold to loosen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gflow.theory.conjecture import judge_conjecture
from gflow.theory.conservation import (
    judge_balancedness,
    judge_energy_balance,
    judge_orthogonal_invariant,
)
from gflow.theory.evidence import Evidence
from gflow.theory.finding import Finding, Opinion
from gflow.theory.specialization import judge_alignment, judge_voronoi_rule


@dataclass(frozen=True)
class Prediction:
    """A statement about one run, and who decides it."""

    id: str
    statement: str
    source: str
    judge: Callable[[Evidence], Opinion]

    def __call__(self, evidence: Evidence) -> Finding:
        return Finding(self.id, self.statement, self.source, self.judge(evidence))


CATALOGUE: dict[str, Prediction] = {
    prediction.id: prediction
    for prediction in (
        Prediction(
            "conjecture-1",
            "Up to scale the network becomes F (p = 1) or F^(p) (p >= 3).",
            "Min and Vidal, ICML 2024, Conjecture 1; theory section 7, P17",
            judge_conjecture,
        ),
        Prediction(
            "alignment",
            "Neurons align with their class average (p < 2) or a subclass center (p > 2).",
            "Min and Vidal, ICML 2024, Theorem 2; theory A5, D5, P22",
            judge_alignment,
        ),
        Prediction(
            "voronoi-rule",
            "A neuron specializes to the own center it starts closest to (p > 2).",
            "Min and Vidal, ICML 2025, eq. 13 and Proposition 4; theory D3, G4, G7, P6",
            judge_voronoi_rule,
        ),
        Prediction(
            "balancedness",
            "‖w_j‖² - v_j² is constant.",
            "Min and Vidal, ICML 2025, Assumption 1; theory D2a, P1",
            judge_balancedness,
        ),
        Prediction(
            "orthogonal-invariant",
            "<e, w_j>‖w_j‖^(p-1) is constant for e orthogonal to all samples.",
            "theory D2b, P2",
            judge_orthogonal_invariant,
        ),
        Prediction(
            "energy-balance",
            "L(0) - L(t) = ∫₀ᵗ ‖dθ/dt‖² dt.",
            "theory D2d, P3",
            judge_energy_balance,
        ),
    )
}
"""Every prediction about one run, by id."""


def check(evidence: Evidence, ids: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """Judge a run.

    **Arguments:**

    - `evidence`: what the flow left behind.
    - `ids`: predictions to judge; None for those its scenario asks for.

    **Returns:** one `Finding` per prediction, in the order of the catalogue.
    """
    asked = evidence.scenario.checks.predictions if ids is None else ids
    chosen = CATALOGUE if asked == "all" else asked
    return tuple(CATALOGUE[id](evidence) for id in CATALOGUE if id in chosen)
