"""Whether the coordinates that are still to be fitted were held by the numerics (trap T18).

Without noise a coordinate moves by itself (theory D2c, D3): one that is asleep never wakes, and one
that is awake may become very faint before its subclass is fitted.  Steps of a direction are
controlled as angles, so they keep neither the sign nor the digits of what is far below rounding.
"""

import numpy as np
from jaxtyping import Float

from gflow.judges.evidence import Evidence
from gflow.laws.faint_coordinates import RESOLVED, smallest_start, weight_ratio
from gflow.laws.hypothesis import Hypothesis, number
from gflow.measure.phases import ESCAPE_LEVEL

WOKEN = 0.1
"""Coordinate from which on one that was asleep has certainly woken: no step errs by as much."""


def holds_coordinates(evidence: Evidence) -> Hypothesis | None:
    """That no coordinate woke, and that none was lost by which a subclass is fitted later.

    None where the law does not apply: with noise, centers that are not orthonormal, or a record
    without neurons or outputs at centers.

    **Source:** theory D27, trap T18.
    """
    applies = evidence.alpha == 0 and evidence.centers.orthonormal
    if not (applies and evidence.has("neurons") and evidence.has("centers")):
        return None
    text = f"coordinates that sleep on, and none below {RESOLVED:g} still to be fitted"
    u = evidence.record["cosine"].values[:, :, : evidence.centers.K]
    if woken := int(((u[0] <= 0) & (u > WOKEN).any(axis=0)).sum()):
        measured = (
            f"{woken} coordinates that were asleep woke, which without noise only an error of the "
            "integration can do"
        )
        return Hypothesis(text, measured, False, "try a larger `network.init_scale`")
    faintest = _faintest(evidence, u)
    k = int(faintest.argmin())
    if faintest[k] >= RESOLVED:
        return Hypothesis(text, "every coordinate was held until it was fitted", True)
    measured = (
        f"the output of {evidence.centers.reference_names[k]} rests on a coordinate that fell to "
        f"{number(float(faintest[k]))}, below the {RESOLVED:g} that steps of a direction keep"
    )
    return Hypothesis(text, measured, False, _cure(evidence))


def _faintest(evidence: Evidence, u: Float[np.ndarray, "T h K"]) -> Float[np.ndarray, " K"]:
    """The smallest value before escape of the coordinate that each subclass is fitted by.

    It is that of the neuron with the largest share of the output when the subclass escapes.  One
    that never does counts at p <= 2 only, where every neuron that is awake to it could still fit
    it: the most that any of them kept.  Infinite where there is no such neuron.
    """
    record, label, p = evidence.record, evidence.centers.label, evidence.p
    own = record["sign"].values[0][:, None] == label[None]
    escaped = np.abs(record["center_output"].values) >= ESCAPE_LEVEL
    least = np.full(len(label), np.inf)
    for k in range(len(label)):
        awake = np.flatnonzero(own[:, k] & (u[0, :, k] > 0))
        if not awake.size:
            continue
        kept = np.minimum.accumulate(u[:, awake, k], axis=0)
        if escaped[:, k].any():
            at = int(escaped[:, k].argmax())
            with np.errstate(divide="ignore"):  # log 0 is -inf
                log_u = np.log(np.maximum(u[at, awake, k], 0))
            carrier = (evidence.log_mass[at, awake] + p * log_u).argmax()
            least[k] = max(float(kept[at, carrier]), 0.0)
        elif p <= 2:
            least[k] = max(float(kept[-1].max()), 0.0)
    return least


def _cure(evidence: Evidence) -> str:
    ratio = weight_ratio(evidence.pi, evidence.centers.label)
    if evidence.p != 2 or ratio == 1:
        return "try a larger `network.init_scale`"
    return f"give `network.init_scale` above {number(smallest_start(ratio))}"
