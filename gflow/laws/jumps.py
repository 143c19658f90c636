"""Which subclasses a square loss fits when there is no noise: its jumps, and the rests between.

As ε → 0 the way from one jump to the next takes a multiple of log 1/ε and everything else a time
O(1).  So training is a finite list of events that can be counted out: for p < 2 by the centers that
each neuron starts awake to, from p = 2 on by the subclasses that have a neuron at all.  No
differential equation is solved.  π is the weight of a subclass, never 3.14 (theory section 1).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from gflow.data.checks import check_not_negative

TIE = 1e-9
"""Difference of log-norms, in units of log 1/ε, at which two neurons arrive together."""


class Jumps(NamedTuple):
    """When each subclass is fitted as ε → 0."""

    time: Float[np.ndarray, " K"]
    """τ_k: flow time over log(1/ε); infinite for a subclass that is never fitted."""
    lead: float
    """Least distance of a neuron to size 1, in units of log(1/ε) of its log-norm, while others fit
    a subclass that it would have fitted; infinite if this never happens."""

    @property
    def fitted(self) -> Bool[np.ndarray, " K"]:
        """The subclasses that are ever fitted."""
        return np.isfinite(self.time)

    @property
    def instants(self) -> Float[np.ndarray, " J"]:
        """The different times at which the loss falls, in units of log(1/ε)."""
        return np.unique(self.time[self.fitted])

    def levels(self, pi: Float[np.ndarray, " K"], kappa: float) -> Float[np.ndarray, " L"]:
        """The loss before each jump, and after the last: κ/2 Σ π_k over what is not fitted yet."""
        until = np.append(self.instants, np.inf)
        return kappa / 2 * (self.time >= until[:, None]) @ pi

    def mass(self, label: Real[np.ndarray, " K"], s: int, p: float) -> float:
        """Σ m_j of class `s` if the subclasses of each of its jumps share one direction.

        Σ over jumps of (subclasses it fits)^{p/2}, for p <= 2; less only if neurons that arrive
        together share subclasses.

        **Source:** theory P32.
        """
        return sum((least_mass(int(n), p) for n in self.sizes(label, s)), start=0.0)

    def sizes(self, label: Real[np.ndarray, " K"], s: int) -> Int[np.ndarray, " J"]:
        """How many subclasses of class `s` each of its jumps fits."""
        return np.unique(self.time[self.fitted & (label == s)], return_counts=True)[1]


def jump_process(
    awake: Bool[np.ndarray, "h K"], pi: Float[np.ndarray, " K"], kappa: float, p: float
) -> Jumps:
    """The jump process of 1 <= p < 2: which neurons fit which subclasses, and when.

    In units of log(1/ε) the log-norm of neuron j starts at -1 and grows at the rate

        κ ‖π_{A_j ∩ U}‖_q ,   q = 2/(2-p) ,

    A_j the own centers that it starts awake to and U what is not fitted yet.  All that reach 0
    together fit the union of their A_j; then it goes on.

    **Arguments:**

    - `awake`: own centers to which each neuron starts awake; others are False.
    - `pi`, `kappa`: weights of subclasses in the loss; the force at f = 0 of a loss that saturates.
    - `p`: power, from 1 to below 2.

    **Raises:** `ValueError` for another power, `DataError` for a weight that is none.

    **Source:** theory D17.
    """
    if not 1 <= p < 2:
        raise ValueError(f"`p` must be at least 1 and below 2, but is {p:g}; try `staircase`.")
    check_not_negative(pi=pi)
    unfitted, time = pi > 0, np.full(len(pi), np.inf)
    log_norm, now, lead = np.full(len(awake), -1.0), 0.0, np.inf
    while True:
        rate = np.asarray(kappa * class_weight(np.where(awake & unfitted, pi, 0.0), p))
        growing = rate > 0
        if not growing.any():
            return Jumps(time, lead)
        # All grow until the first of them is of size 1.
        wait = float((-log_norm[growing] / rate[growing]).min())
        now, log_norm = now + wait, log_norm + rate * wait
        there = growing & (log_norm >= -TIE)
        # Whoever is there fits all that it is awake to; who else would have is behind by its lead.
        new = unfitted & awake[there].any(axis=0)
        rivals = growing & ~there & (awake & new).any(axis=1)
        lead = min(lead, -float(log_norm[rivals].max(initial=-np.inf)))
        time[new], unfitted = now, unfitted & ~new


def staircase(served: Bool[np.ndarray, " K"], pi: Float[np.ndarray, " K"], kappa: float) -> Jumps:
    """The staircase of p >= 2: each subclass that is served is fitted at 1/(κ π_k), on its own.

    **Arguments:**

    - `served`: subclasses with a neuron, in their Voronoi cell for p > 2, awake to them at p = 2.
    - `pi`, `kappa`: as for `jump_process`.

    **Source:** theory D17.
    """
    check_not_negative(pi=pi)
    with np.errstate(divide="ignore"):
        return Jumps(np.where(served, 1 / (kappa * pi), np.inf), np.inf)


def class_weight(pi: Float[np.ndarray, "*h K"], p: float) -> float | Float[np.ndarray, "*h"]:
    """‖π‖_q with q = 2/(2-p): the most of Σ π_k u_k^p on the unit sphere, for 1 <= p < 2.

    √m π for m equal weights at p = 1, and in general π m^{1-p/2}; it is reached at u_k ∝
    π_k^{1/(2-p)}.

    **Source:** theory D17.
    """
    # In units of the largest weight, since q is large for p close to 2.
    top = np.maximum(pi.max(axis=-1, keepdims=True), np.finfo(float).tiny)
    return top[..., 0] * ((pi / top) ** (2 / (2 - p))).sum(axis=-1) ** (1 - p / 2)


def least_mass(m: int, p: float) -> float:
    """m^{q/2}, q = min(p, 2): the least Σ m_j with outputs of at least 1 at m orthonormal centers.

    For p < 2 it is attained by neurons at the average of the centers only, for p > 2 by neurons at
    the centers only.

    **Source:** theory P32; as in D8.
    """
    return float(m) ** (min(p, 2.0) / 2)
