"""The catalogue: the 28 predictions of the theory, each with its source and its judges.

One idea: a criterion is fixed here before anything is measured, and a judge is a pure function of
stored values, so any run or study can be judged again.  A FAILS is a finding to report, never a
threshold to loosen.
"""

from collections.abc import Mapping, Sequence

from gflow.judges.comparisons import judge_charts, judge_selection, judge_unbalanced_times
from gflow.judges.conjecture import judge_conjecture
from gflow.judges.conservation import (
    judge_balancedness,
    judge_energy_balance,
    judge_orthogonal_invariant,
)
from gflow.judges.descent_law import judge_descent
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import (
    judge_distance_scaling,
    judge_escape_slopes,
    judge_loss_independence,
    judge_phase_separation,
    judge_polynomial_escape,
)
from gflow.judges.finding import Finding
from gflow.judges.fitting import (
    judge_ei_law,
    judge_late_gap,
    judge_late_rates,
    judge_margin,
)
from gflow.judges.noise_free import judge_closed_form, judge_continuum
from gflow.judges.prediction import Prediction
from gflow.judges.radii_at_centers import judge_critical_radii, judge_radius_over_K
from gflow.judges.resting import (
    judge_angle_and_norm,
    judge_partial_activation,
    judge_stability,
)
from gflow.judges.robust_accuracy import (
    judge_bayes,
    judge_robust_accuracy,
    judge_robustness_over_scale,
)
from gflow.judges.specialization import judge_alignment, judge_voronoi_rule

_MV24 = "Min and Vidal, ICML 2024"
_MV25 = "Min and Vidal, ICML 2025"

ALL: tuple[Prediction, ...] = (
    Prediction(
        "balancedness", "P1",
        "‖w_j‖² - v_j² is constant (‖w_j‖² - p v_j² without normalization).",
        f"{_MV25}, Assumption 1; theory D2a, P1",
        "d(ρ_j² - v_j²)/dt = 0",
        judge=judge_balancedness, scenario="unbalanced",
    ),
    Prediction(
        "orthogonal-invariant", "P2",
        "<e, w_j>‖w_j‖^(p-1) is constant for e orthogonal to all samples.",
        "theory D2b, P2",
        "d(ρ_j^p <e, u_j>)/dt = 0 for <e, x_i> = 0",
        judge=judge_orthogonal_invariant, scenario="voronoi-rule",
    ),
    Prediction(
        "energy-balance", "P3",
        "L(0) - L(t) = ∫₀ᵗ ‖dθ/dt‖² dt.",
        "theory D2d, P3",
        "dL/dt = -‖dθ/dt‖²",
        judge=judge_energy_balance, scenario="voronoi-rule",
    ),
    Prediction(
        "charts", "P4",
        "The flow ends in the same function in every chart.",
        "theory D1, P4",
        "f_polar = f_lightcone = f_Cartesian",
        judge_study=judge_charts, scenario="unbalanced",
    ),
    Prediction(
        "closed-form", "P5",
        "Without noise and while f ≪ 1 directions follow a closed form.",
        "theory D3, P5; p > 2: " + _MV25 + ", eq. 13",
        "u = ξ/|ξ|, dξ_k/dχ = y_k σ(ξ_k)^(p-1), dχ = |ξ|^(2-p) p κ π dt",
        judge=judge_closed_form, scenario="voronoi-rule", figure="closed_forms",
    ),
    Prediction(
        "voronoi-rule", "P6",
        "A neuron specializes to the own center it starts closest to (p > 2).",
        f"{_MV25}, eq. 13 and Proposition 4; theory D3, G4, G7, P6",
        "k(j) = argmax over own u_k(0) > 0 of π_k u_k(0)^(p-2)",
        judge=judge_voronoi_rule, scenario="voronoi-rule", figure="sphere",
    ),
    Prediction(
        "continuum", "P7",
        "At p = 2 nothing is selected: neurons of one sign keep the ratios of their ξ_k.",
        "theory D2g, D3, P7",
        "log(ξ_jk/ξ_ik) constant, ξ = ρ² u",
        judge=judge_continuum, scenario="p-continuum", figure="closed_forms",
    ),
    Prediction(
        "partial-activation", "P8",
        "ReLU neurons average the own centers they are awake to; noise wakes the others.",
        "theory D3, D4, T13, P8",
        "α = 0: sin(u, μ̄_A) <= ρ(0)/ρ; α > 0: angle √(α²/N + K_o (bτ)²) to the class average",
        judge=judge_partial_activation, scenario="partial-activation", figure="closed_forms",
    ),
    Prediction(
        "stability", "P9",
        "Directions approach or leave fixed points at their linear rates.",
        "theory D5, P9",
        "rates m^(1-p/2) toward μ̄_S from outside, (p-2) m^(1-p/2) away from it within its span",
        judge=judge_stability, scenario="stability", figure="rates",
    ),
    Prediction(
        "angle-and-norm", "P10",
        "For p > 2 the angle to the attractor is tied to the norm, down to the tilt by samples.",
        "theory D4, D5, P10",
        "sin(angle) ∝ (ρ(0)/ρ)^p at α = 0; angle → α/√N",
        judge=judge_angle_and_norm, scenario="voronoi-rule", figure="rates",
    ),
    Prediction(
        "escape-slopes", "P11",
        "The time to escape grows with log 1/ε at a known slope; larger classes first at p = 1.",
        "theory D7, P11",
        "dT_esc/d log(1/ε) = 1/(κ π λ); λ = √K_own at p = 1, 1 for p >= 2",
        judge_study=judge_escape_slopes, scenario="escape-slope", figure="escape",
    ),
    Prediction(
        "phase-separation", "P12",
        "While f ≪ 1 directions follow the frozen alignment field up to O(ε²) at fixed t.",
        "Min, Mallada and Vidal, ICLR 2024, Lemma 1; theory C1, P12",
        "max_j ‖du_j/dt - s_j P x^(p)(u_j)‖ ∝ ε²",
        judge_study=judge_phase_separation, scenario="phase-separation",
    ),
    Prediction(
        "ei-law", "P13",
        "Outputs at the centers grow by an exponential integral law.",
        "theory D8, P13; open in " + _MV25 + " for exponential loss",
        "Ei(z_k(t)) - Ei(z_k(0)) = 2 π_k t (exponential loss)",
        judge=judge_ei_law, scenario="ei-law", figure="fitting_law",
    ),
    Prediction(
        "late-gap", "P14",
        "ReLU classes of unequal size keep a gap that dies like 1/log t, and so does the distance.",
        "theory D8, P14",
        "Ei(q±) = 2 π √K± t; floor = √(K1 K2) |q₊ - q₋|/√(K1 q₊² + K2 q₋²)",
        judge=judge_late_gap, scenario="late-gap",
    ),
    Prediction(
        "late-rates", "P15",
        "Late loss and norm follow from the outputs at the centers.",
        "theory D8, P15",
        "2 t L = Σ_k E(z_k), E(z) = Ei(z) e^(-z); ‖θ‖² = 2 Σ_k z_k",
        judge=judge_late_rates, scenario="ei-law",
    ),
    Prediction(
        "margin", "P16",
        "The smoothed margin never falls, and the normalized margin has a known limit.",
        "Lyu and Li, ICLR 2020; theory D8, C3, P16",
        "min y f/‖θ‖² → 1/(2K) for p >= 2, 1/(2(√K1 + √K2)) at p = 1",
        judge=judge_margin, scenario="ei-law",
    ),
    Prediction(
        "conjecture-1", "P17",
        "Up to scale the network becomes F (p = 1) or F^(p) (p >= 3).",
        f"{_MV24}, Conjecture 1; theory section 7, P17",
        "inf_{c>0} sup_{‖x‖=1} |c f(x) - F(x)| ≪ 1",
        judge=judge_conjecture, scenario="quickstart",
    ),
    Prediction(
        "distance-scaling", "P18",
        "The distance grows like the noise and falls like the root of the samples (p >= 3).",
        "theory D9, G5, P18",
        "dist ≈ L_p α/√N",
        judge_study=judge_distance_scaling, scenario="noise-sweep",
    ),
    Prediction(
        "critical-radii", "P19",
        "F falls at 1/√K, F^(p) at 1/√2, and trained networks where their masses say.",
        f"{_MV24}, main theorems; theory D6, P19",
        "R* = 1/√K (F), 1/√(1 + K_o^max(2/p-1, 0)) (F^(p))",
        judge=judge_critical_radii, scenario="robustness-vs-K",
    ),
    Prediction(
        "robust-accuracy", "P20",
        "Robust accuracy of F and F^(p) follows a normal and a Gauss-Hermite law.",
        f"{_MV25}, Proposition 1; theory D6, G1, P20",
        "RobAcc_F(R) = cdf((1/√K - R)/τ)",
        judge=judge_robust_accuracy, scenario="first-experiment-2", figure="robust_accuracy",
    ),
    Prediction(
        "radius-over-K", "P21",
        "The critical radius falls like K^(-1/2) at p = 1 and stays at p = 3.",
        f"{_MV24}, main theorems; theory D6, P21",
        "R* = 1/√K against 1/√2",
        judge_study=judge_radius_over_K, scenario="robustness-vs-K",
    ),
    Prediction(
        "alignment", "P22",
        "Neurons align with their class average (p < 2) or a subclass center (p > 2).",
        f"{_MV24}, Theorem 2; theory A5, D5, P22",
        "share of the mass within 10° of its target",
        judge=judge_alignment, judge_study=judge_selection, scenario="power-sweep",
        figure="power_map",
    ),
    Prediction(
        "robustness-over-scale", "P23",
        "The robustness of p = 3 falls as the initialization grows.",
        f"{_MV25}, figure 7; theory P23",
        judge_study=judge_robustness_over_scale, scenario="gap-vs-init-scale",
        figure="critical_radius",
    ),
    Prediction(
        "polynomial-escape", "P24",
        "Without normalization the escape time is a power of 1/ε.",
        f"{_MV25}, appendix B.2; theory P24",
        "T_esc ∝ ε^(-(p-1))",
        judge_study=judge_polynomial_escape, scenario="unnormalized-polynomial",
    ),
    Prediction(
        "bayes", "P25",
        "The Bayes classifier is robust up to √2/2, and nothing is beyond.",
        f"{_MV25}, Propositions 1 and 2; theory G1, G2, P25",
        "certified R* = (x_k - max_opp x_l - τ² log K_o)/√2",
        judge=judge_bayes, scenario="first-experiment-2",
    ),
    Prediction(
        "sgd", "P26",
        "Stochastic gradient descent follows the flow at t = step size × steps.",
        f"{_MV24}, section 5.1; theory P26",
        "θ_{s+1} = θ_s - η ∇L_batch(θ_s) against dθ/dt = -∇L(θ), t = ηs",
        judge_study=judge_descent, scenario="flow-vs-sgd",
    ),
    Prediction(
        "loss-independence", "P27",
        "Before escape directions do not depend on the loss at equal κ t, up to O(ε²).",
        f"{_MV25}, remarks; theory A4, P27",
        "|u(κt; loss) - u(κt; loss')| ∝ ε²",
        judge_study=judge_loss_independence, scenario="loss-independence",
    ),
    Prediction(
        "unbalanced-times", "P28",
        "From v = 0 alignment takes √p/u0² at p = 3, from a balanced start 1/u0.",
        "theory T8, P28",
        "t̂ = √p (√π/2) Γ((p-1)/2)/Γ(p/2) u0^(1-p), π = 3.14…",
        judge_study=judge_unbalanced_times, scenario="unbalanced-times",
    ),
)  # fmt: skip
"""Every prediction, in the order of its number."""

CATALOGUE: Mapping[str, Prediction] = {prediction.id: prediction for prediction in ALL}
"""Every prediction by id."""


def named(name: str) -> Prediction | None:
    """The prediction of an id or a number such as "P13"; None if there is none."""
    return next((one for one in ALL if name in (one.id, one.number)), None)


def check(
    evidence: Evidence, ids: Sequence[str] | None = None, own: Sequence[Prediction] = ()
) -> tuple[Finding, ...]:
    """Judge a run.

    **Arguments:**

    - `evidence`: what the flow left behind.
    - `ids`: predictions to judge; None for those its scenario asks for.
    - `own`: predictions of the caller's, besides those of the catalogue.

    **Returns:** one `Finding` per prediction that is about one run, in the order of the catalogue.
    """
    asked = evidence.scenario.checks.predictions if ids is None else ids
    found = (one(evidence) for one in (*ALL, *own) if asked == "all" or one.id in asked)
    return tuple(finding for finding in found if finding is not None)


def check_study(
    evidences: Sequence[Evidence], ids: Sequence[str], own: Sequence[Prediction] = ()
) -> tuple[Finding, ...]:
    """Judge the runs of a study together.

    **Arguments:**

    - `evidences`: the runs of a study.
    - `ids`: predictions to judge.
    - `own`: predictions of the caller's, besides those of the catalogue.

    **Returns:** one `Finding` per prediction that is about several runs, in the order of the
    catalogue; none without runs.
    """
    found = (one.over(evidences) for one in (*ALL, *own) if one.id in ids and evidences)
    return tuple(finding for finding in found if finding is not None)
