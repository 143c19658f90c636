"""Inputs off the span of all samples: what neurons keep of their start there, and how it scales.

One idea: along a direction that no sample has a part in a neuron keeps ρ^p ⟨u, e⟩ for ever, so how
much it notices of a departure from the data is known from its norms at two times.  Everything is in
logarithms, since distances of 1e90 and more occur.
"""

import numpy as np
from jaxtyping import Bool, Float

from gflow.data.checks import check_not_negative, check_numbers
from gflow.laws.cells import alignment_times
from gflow.laws.jumps import class_weight
from gflow.measure.alignment import CONE


def log_slopes(
    log_beside: Float[np.ndarray, " h"],
    log_norm_start: Float[np.ndarray, " h"],
    log_norm: Float[np.ndarray, " h"],
    log_mass: Float[np.ndarray, " h"],
    *,
    p: float,
) -> Float[np.ndarray, " h"]:
    """log ‖c_j‖ of what each neuron sees of a departure d that is orthogonal to all samples.

    Neuron j contributes s_j σ(b_j + ⟨c_j, d⟩)^p at x + d, with

        b_j = m_j^{1/p} ⟨u_j, x⟩ ,   c_j = m_j^{1/p} (ρ_j(0)/ρ_j)^p P u_j(0) ,

    P the projection off the span of all samples.

    **Arguments:**

    - `log_beside`: log ‖P u_j(0)‖.
    - `log_norm_start`, `log_norm`: log ρ_j at the start and now.
    - `log_mass`: log m_j now; normalized activation.
    - `p`: power, >= 1.

    **Source:** theory D2b, D25.
    """
    return log_mass / p + p * (log_norm_start - log_norm) + log_beside


def exponent(lag: float | Float[np.ndarray, "*h"], p: float) -> float | Float[np.ndarray, "*h"]:
    """E(a) = p (1 - a) + 2a/p: a neuron of size ε^a matters at the distance ε^{-E(a)}.

    p for a neuron that has grown to size 1, 2/p for one that is as small as it was.

    **Arguments:**

    - `lag`: a = log ρ/log ε of a balanced neuron that started at ρ = ε.
    - `p`: power, >= 1.

    **Source:** theory D25.
    """
    return p * (1 - lag) + 2 * lag / p


def lags(
    awake: Bool[np.ndarray, "h K"], pi: Float[np.ndarray, " K"], p: float
) -> Float[np.ndarray, " h"]:
    """a_j, such that ρ_j ~ ε^{a_j} once the neurons of a class have fitted it, as ε → 0.

        a_j = 1 - ‖π_{A_j}‖_q/max_i ‖π_{A_i}‖_q ,    q = 2/(2-p) for p < 2, ∞ for p >= 2

    if the leader fits the whole class: a neuron grows at κ ‖π_{A_j}‖_q until there is no force.
    1 for a void neuron.

    **Arguments:**

    - `awake`: own centers that each neuron of the class starts awake to; others are False.
    - `pi`: weights of the subclasses; equal ones for p >= 2, where a neuron may be late otherwise.
    - `p`: power, >= 1.

    **Returns:** between 0 and 1, and 1 for all neurons if no neuron is awake.

    **Source:** theory D17, D25.
    """
    check_not_negative(pi=pi)
    own = np.where(awake, pi, 0.0)
    rate = np.asarray(class_weight(own, p)) if p < 2 else own.max(axis=1)
    fastest = rate.max(initial=0.0)
    return 1 - rate / fastest if fastest > 0 else np.ones(len(awake))


def distance_exponent(lag: Float[np.ndarray, " h"], p: float) -> float:
    """E such that the shortest error off the samples' span is of order ε^{-E}: min_j E(a_j).

    p if every neuron of the other class has grown and min(p, 2/p) if one of them is void.

    **Arguments:**

    - `lag`: a_j of the neurons of the other class, one at least.
    - `p`: power, >= 1.

    **Source:** theory D25.
    """
    check_numbers(lag=lag)
    return float(np.min(exponent(lag, p)))


def scale_of_arrival(
    u0: Float[np.ndarray, "h K"], own: Bool[np.ndarray, "h K"], p: float
) -> Float[np.ndarray, " h"]:
    """log(1/ε) from which on each neuron has turned to its class before the network escapes.

        t̂_j/p for p > 2 ,    K_own^{1-p/2}/p log 1/‖σ(u_own)‖ for p <= 2 ,

    since escape is at t̂ = p log(1/ε)/K_own^{1-p/2}, without the root for p >= 2.  At p = 2 the own
    part is as large as the rest by then, and below it is earlier than that.

    **Arguments:**

    - `u0`: coordinates of unit directions at the start, subclasses of equal weight.
    - `own`: which centers are of the neuron's class.
    - `p`: power, >= 1.

    **Returns:** infinite for a void neuron.

    **Source:** theory D3, D19, D25.
    """
    if p > 2:
        return alignment_times(u0, own, p, CONE) / p
    check_numbers(u0=u0)
    part = np.linalg.norm(np.where(own, np.maximum(u0, 0.0), 0.0), axis=1)
    with np.errstate(divide="ignore"):
        return -np.log(part) * own.sum(axis=1) ** (1 - p / 2) / p
