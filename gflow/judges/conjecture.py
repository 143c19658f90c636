"""Conjecture 1 as a measurement (theory section 7, prediction P17).

One idea: "≪ 1" is not testable by itself.  The distance to the classifier that is claimed (own) is
held against a fixed bar by a certified upper bound, and the distances to those that are not
(cross) against half of what separates the classifiers themselves, by a searched lower bound.
All distances are divided by sup |target|, so that f = 0 scores 1.
"""

import math
from dataclasses import dataclass

import numpy as np

from gflow.judges.descent_law import follows_flow
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import at_rest, the_end
from gflow.judges.finding import Opinion, Verdict, earned, missing, outside
from gflow.judges.prediction import MV24, Prediction, Subject
from gflow.judges.separation import arrived, law_angle, occupied
from gflow.judges.shared_hypotheses import (
    equal_weights,
    like_random,
    normalized,
    recorded,
    vanishing,
    within,
)
from gflow.laws.hypothesis import Hypothesis, loss_among, number
from gflow.laws.timescales import relu_floor
from gflow.measure.distance import Distance, contrast, distance
from gflow.network.population import population_of
from gflow.network.prelu import lipschitz
from gflow.network.reference import Target, average_target, subclass_target

OWN_BAR = 0.1
"""Own distance, certified, must not exceed this."""

CROSS_SHARE = 0.5
"""Cross distance, searched, must reach this share of the distance between the two targets."""

LARGEST_NOISE = 0.3
"""Largest α of the published experiment; "α small" is read as α <= 0.3."""

LARGEST_START = 1e-2
"""Largest Σ_j m_j at t = 0 that counts as vanishing initialization."""

_EXPECTED = f"own <= {OWN_BAR} certified; cross >= {CROSS_SHARE:g} x contrast searched"


@dataclass(frozen=True)
class Cross:
    """How far the network is from a classifier it should not have become."""

    distance: Distance
    contrast: Distance
    """Distance of the own target to this one."""

    @property
    def apart(self) -> bool:
        """Whether the network is at least half as far from it as the own target is."""
        return self.distance.lower >= CROSS_SHARE * self.contrast.lower


def judge_conjecture(evidence: Evidence) -> Opinion:
    """Conjecture 1: up to scale the network is F (p = 1) or F^(p) (p >= 3).

    HOLDS if the own distance is certified <= 0.1 and every cross distance is searched >= half the
    contrast; FAILS if the own distance is searched > 0.1; UNDECIDED between, or if the flow did
    not get far enough or the bar is too low for this sample; OUTSIDE if a hypothesis is not met or
    p lies in (1, 2].
    """
    impossible = _no_distance(evidence)
    if impossible:
        return outside(_EXPECTED, impossible)
    # The distance to what is claimed, and to what is not beside what separates these targets.
    own_target, cross_targets = targets(evidence)
    seed, network = evidence.scenario.seed, population_of(evidence.network)
    own = distance(network, own_target, seed)
    crosses = [
        Cross(distance(network, target, seed), contrast(own_target, target, seed))
        for target in cross_targets
    ]
    verdict, reason = _verdict(evidence, own, crosses)
    opinion = Opinion(
        verdict,
        _EXPECTED,
        _measured(own, crosses),
        reason,
        bracket=(own.lower, own.upper),
        details=_details(evidence, own, crosses),
        hypotheses=hypotheses(evidence),
    )
    return earned(opinion, *_conditions(evidence, own)) if verdict is Verdict.FAILS else opinion


def targets(evidence: Evidence) -> tuple[Target, list[Target]]:
    """The classifier claimed for this p, and those it is contrasted with (theory section 7)."""
    centers, p = evidence.centers, evidence.p
    if p < 2:
        crosses = [subclass_target(centers, 1.0), subclass_target(centers, 3.0)]
        return average_target(centers), crosses
    return subclass_target(centers, p), [average_target(centers)]


def _no_distance(evidence: Evidence) -> str:
    """Why F and F^(p) are not defined here; empty if they are."""
    centers = evidence.centers
    if centers.origin != "given":
        return f"The subclass centers are not known (taken from {centers.origin})."
    if centers.strays:
        return f"{centers.strays} training samples lie around no center of their class."
    if not centers.orthonormal:
        error = centers.orthonormality_error
        return f"The subclass centers are not orthonormal (max |C Cᵀ - I| = {error:.2g})."
    if max(centers.K1, centers.K2) == 1 and evidence.p == 1:
        return "With one subclass per class, F and F^(1) coincide."
    return ""


def _verdict(evidence: Evidence, own: Distance, crosses: list[Cross]) -> tuple[Verdict, str]:
    if missed := missing(hypotheses(evidence)):
        return Verdict.OUTSIDE, missed
    wording = "The poster's wording (p > 2). " if 2 < evidence.p < 3 else ""
    if own.lower > OWN_BAR:
        reason = f"The own distance is at least {number(own.lower)}, above {OWN_BAR}."
        return Verdict.FAILS, wording + reason
    if own.upper > OWN_BAR:
        return Verdict.UNDECIDED, f"{wording}The bracket of the own distance straddles {OWN_BAR}."
    if not all(cross.apart for cross in crosses):
        return Verdict.UNDECIDED, f"{wording}Near its own target, but not far from another."
    return Verdict.HOLDS, f"{wording}Certified by {own.bound}; this seed."


def hypotheses(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What the conjecture assumes of a run, beside targets that mean something."""
    p, alpha = evidence.p, evidence.alpha
    noise = "α is unknown" if alpha is None else f"α = {alpha:.3g}"
    small = alpha is not None and alpha <= LARGEST_NOISE
    return (
        Hypothesis("p = 1 or p > 2", f"p = {p:g}", not 1 < p <= 2),
        loss_among(evidence.scenario.flow.loss, ("exponential", "logistic")),
        Hypothesis(f"α <= {LARGEST_NOISE:g}", noise, small),
        follows_flow(evidence),
        vanishing(evidence, LARGEST_START),
        normalized(evidence),
        *equal_weights(evidence),
        Hypothesis.whether("samples of every subclass", bool((evidence.pi > 0).all())),
        *((occupied(evidence),) if recorded(evidence).met else ()),
        *like_random(evidence),
    )


def _conditions(evidence: Evidence, own: Distance) -> tuple[Hypothesis, ...]:
    """What a FAILS asks for besides: the end, at rest, and a bar that size and time can reach.

    Half of the bar is left to what theory says of this start (D3, D4) and this sample (D4, D9), and
    the share of unequal outputs, which dies like 1/log t only, is not counted (D8, trap T14).
    """
    if not recorded(evidence).met:
        return (recorded(evidence),)
    angle = np.sqrt(evidence.target_chord**2 @ evidence.share)
    uneven = unequal_outputs(evidence)
    explained = own.lower - uneven <= OWN_BAR
    more = "give more `data.samples` or less `data.noise`"
    return (
        *the_end(evidence),
        arrived(evidence, OWN_BAR),
        at_rest(evidence, angle, len(angle) - 1, allowed=OWN_BAR, resolved=OWN_BAR / 10),
        within("the distance that the sample alone leaves", sampled_distance(evidence), OWN_BAR / 2,
               cure=more),
        Hypothesis(
            "an own distance that unequal outputs do not explain",
            f"the own distance is at least {number(own.lower)}, of which outputs that are not yet "
            f"alike explain {number(uneven)}; that dies like 1/log t",
            None if explained else True,
            f"give `flow.end_time` at least about {number(10 * float(evidence.times[-1]))}"
            if explained else "",
        ),
    )  # fmt: skip


def unequal_outputs(evidence: Evidence) -> float:
    """What outputs that are not alike at the centers leave of the own distance (theory D8, D9).

    min_c max_k |c z_k - 1| for p >= 2; at p = 1 the floor of two aligned neurons, 0 of one.
    """
    z, centers = np.abs(evidence.record["center_output"].values[-1]), evidence.centers
    if evidence.p >= 2:
        return float((z.max() - z.min()) / (z.max() + z.min()))
    if len(centers.signs) == 1:
        return 0.0
    plus, minus = (float(z[centers.label == s].mean()) for s in (1, -1))
    floor = relu_floor(plus, minus, centers.K1, centers.K2)
    return float(floor) / math.sqrt(max(centers.K1, centers.K2))


def sampled_distance(evidence: Evidence) -> float:
    """Own distance of aligned neurons that lean as the sample says, to first order (theory D4, D9).

    L_p times the tilt for p >= 2; at p = 1 both classes lean, by √(K1 + K2)/√max(K1, K2) times it.
    """
    tilt, centers = law_angle(evidence, late=True), evidence.centers
    if evidence.p >= 2:
        return lipschitz(evidence.p) * tilt
    return tilt * math.sqrt(centers.K / max(centers.K1, centers.K2))


def _measured(own: Distance, crosses: list[Cross]) -> str:
    parts = [f"{own.target} in [{own.lower:.4f}, {own.upper:.4f}]"]
    for cross in crosses:
        needed, far = CROSS_SHARE * cross.contrast.lower, cross.distance
        parts.append(f"{far.target} in [{far.lower:.3f}, {far.upper:.3f}] (needs >= {needed:.3f})")
    return "; ".join(parts)


def _details(evidence: Evidence, own: Distance, crosses: list[Cross]) -> dict[str, float | str]:
    last = evidence.record.isel(time=-1)
    details: dict[str, float | str] = {
        "own_searched": own.lower,
        "own_certified": own.upper,
        "own_bound": own.bound,
        "own_c": own.c,
        "own_at_least_squares_c": own.value_at_least_squares,
        "kappa_pi_t": float(last["scaled_time"]),
        "loss": float(last["loss"]),
    }
    for cross in crosses:
        name = cross.distance.target
        details[f"cross_{name}_searched"] = cross.distance.lower
        details[f"cross_{name}_certified"] = cross.distance.upper
        details[f"contrast_{name}"] = cross.contrast.lower
    return details


PREDICTIONS = (
    Prediction(
        "conjecture-1", "P17",
        "Up to scale the network becomes F (p = 1) or F^(p) (p >= 3).",
        f"{MV24}, Conjecture 1; theory section 7, P17",
        "inf_{c>0} sup_{‖x‖=1} |c f(x) - F(x)| ≪ 1",
        judge=judge_conjecture, scenario="quickstart", probable=True,
        subject=Subject.CLASSIFIER,
    ),
)  # fmt: skip
