"""Conjecture 1 as a measurement (theory section 7, prediction P17).

One idea: "≪ 1" is not testable by itself.  The distance to the classifier that is claimed (own) is
held against a fixed bar by a certified upper bound, and the distances to those that are not
(cross) against half of what separates the classifiers themselves, by a searched lower bound.
All distances are divided by sup |target|, so that f = 0 scores 1.
"""

from dataclasses import dataclass, replace

import numpy as np

from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, Verdict, outside
from gflow.measure.distance import Distance, contrast, distance
from gflow.network.reference import ORTHONORMAL, Target, average_target, subclass_target

OWN_BAR = 0.1
"""Own distance, certified, must not exceed this."""

CROSS_SHARE = 0.5
"""Cross distance, searched, must reach this share of the distance between the two targets."""

LARGEST_NOISE = 0.3
"""Largest α of the published experiment; "α small" is read as α <= 0.3."""

LARGEST_START = 1e-2
"""Largest Σ_j m_j at t = 0 that passes for vanishing initialization."""

_EXPECTED = f"own <= {OWN_BAR} certified; cross >= {CROSS_SHARE:g} x contrast searched"


@dataclass(frozen=True)
class Cross:
    """A classifier the network should not have become."""

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
    not get far enough; OUTSIDE if a hypothesis is not met or p lies in (1, 2].
    """
    impossible = _no_distance(evidence)
    if impossible:
        return outside(_EXPECTED, impossible)
    own_target, cross_targets = targets(evidence)
    seed = evidence.scenario.seed
    own = _bracketed(evidence, own_target)
    crosses = [
        Cross(_bracketed(evidence, target), contrast(own_target, target, seed))
        for target in cross_targets
    ]
    verdict, reason = _verdict(evidence, own, crosses)
    return Opinion(
        verdict,
        _EXPECTED,
        _measured(own_target, own, cross_targets, crosses),
        reason,
        (own.lower, own.upper),
        _details(evidence, own, cross_targets, crosses),
    )


def _bracketed(evidence: Evidence, target: Target) -> Distance:
    """The distance of the network to `target`, with what folding left out inside the bracket."""
    found = distance(evidence.network, target, evidence.scenario.seed)
    log_total = float(np.logaddexp.reduce(evidence.log_mass_now))
    changed = evidence.left_out.total * float(np.exp(found.log_c + log_total)) / found.supremum
    return replace(
        found,
        lower=max(found.lower - changed, 0.0),
        upper=min(found.upper + changed, 1.0),
    )


def targets(evidence: Evidence) -> tuple[Target, list[Target]]:
    """The classifier claimed for this p, and those it is contrasted with (theory section 7)."""
    centers, p = evidence.centers, evidence.p
    if p < 2:
        crosses = [subclass_target(centers, 1.0), subclass_target(centers, 3.0)]
        return average_target(centers), crosses
    return subclass_target(centers, p), [average_target(centers)]


def _no_distance(evidence: Evidence) -> str:
    """Why F and F^(p) mean nothing here; empty if they do."""
    centers = evidence.centers
    if centers.origin != "given":
        return f"The subclass centers are not known (taken from {centers.origin})."
    if centers.orthonormality_error > ORTHONORMAL:
        error = centers.orthonormality_error
        return f"The subclass centers are not orthonormal (max |C Cᵀ - I| = {error:.2g})."
    if centers.K1 == 1 and centers.K - centers.K1 == 1 and evidence.p == 1:
        return "With one subclass a class, F and F^(1) coincide."
    return ""


def _verdict(evidence: Evidence, own: Distance, crosses: list[Cross]) -> tuple[Verdict, str]:
    unmet = _unmet(evidence)
    if unmet:
        return Verdict.OUTSIDE, " ".join(unmet)
    if evidence.too_early and own.lower > OWN_BAR:
        return Verdict.UNDECIDED, evidence.too_early
    wording = "The poster's wording (p > 2). " if 2 < evidence.p < 3 else ""
    if own.lower > OWN_BAR:
        return Verdict.FAILS, f"{wording}Own distance is at least {own.lower:.3g}."
    if own.upper > OWN_BAR:
        return Verdict.UNDECIDED, f"{wording}The bracket of the own distance straddles {OWN_BAR}."
    if not all(cross.apart for cross in crosses):
        return Verdict.UNDECIDED, f"{wording}Near its own target, but not far from another."
    return Verdict.HOLDS, f"{wording}Certified by {own.bound}; this seed."


def _unmet(evidence: Evidence) -> list[str]:
    """Hypotheses of the conjecture that this run does not meet, as sentences."""
    scenario, p = evidence.scenario, evidence.p
    alpha = evidence.alpha or 0.0
    known = evidence.has("neurons")
    start = float(np.exp(evidence.log_mass[0]).sum()) if known else 0.0
    rows = [
        (not known, "The start was not recorded (record group `neurons`)."),
        (1 < p <= 2, f"The conjecture is about p = 1 and p >= 3, but p = {p:g}."),
        (
            scenario.flow.loss not in ("exponential", "logistic"),
            f"It is about exponential or logistic loss, but the loss is {scenario.flow.loss}.",
        ),
        (evidence.alpha is None, "The within-subclass noise is not known."),
        (
            alpha > LARGEST_NOISE,
            f"It is about small noise, read as α <= {LARGEST_NOISE}, but α = {alpha:.3g}.",
        ),
        (
            start > LARGEST_START,
            f"Initialization must be vanishing, but Σ_j m_j = {start:.2g} at t = 0.",
        ),
        (
            evidence.degree != 1,
            "It is about the normalized activation, but network.normalized = false.",
        ),
        (
            evidence.imbalance > 1,
            f"It is about subclasses of equal weight, but data.imbalance = {evidence.imbalance:g}.",
        ),
    ]
    return [sentence for unmet, sentence in rows if unmet]


def _measured(
    own_target: Target, own: Distance, cross_targets: list[Target], crosses: list[Cross]
) -> str:
    parts = [f"{own_target.name} in [{own.lower:.4f}, {own.upper:.4f}]"]
    for target, cross in zip(cross_targets, crosses, strict=True):
        needed, far = CROSS_SHARE * cross.contrast.lower, cross.distance
        parts.append(f"{target.name} in [{far.lower:.3f}, {far.upper:.3f}] (needs >= {needed:.3f})")
    return "; ".join(parts)


def _details(
    evidence: Evidence, own: Distance, cross_targets: list[Target], crosses: list[Cross]
) -> dict[str, float | str]:
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
    for target, cross in zip(cross_targets, crosses, strict=True):
        details[f"cross_{target.name}_searched"] = cross.distance.lower
        details[f"cross_{target.name}_certified"] = cross.distance.upper
        details[f"contrast_{target.name}"] = cross.contrast.lower
    return details
