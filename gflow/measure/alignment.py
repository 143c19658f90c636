"""Where neurons point: cosines and chords to references, mass, targets.

Every statement about alignment is one about the angle between a neuron and one of K + 2 unit
vectors.  Chords ‖u - μ‖ stand beside cosines, since a float32 cosine cannot see angles below
3e-4.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Real

from gflow.data.checks import check_signs

CONTRIBUTING_SHARE = 0.999
"""Contributing neurons: the smallest set with this share of the final mass."""

CONE = float(np.cos(np.radians(10.0)))
"""Cosine of the 10 degrees within which a neuron counts as aligned with its target."""


def cosines(
    directions: Float[Array, "*T h D"], references: Float[Array, "R D"]
) -> Float[Array, "*T h R"]:
    """Cosine between every neuron and every reference.

    **Arguments:**

    - `directions`: neuron directions; any positive length, normalized here. Leading axes
        (recorded times) stay.
    - `references`: centers and class averages, one per row; any positive length.

    **Returns:** <u_j, μ_r>/(‖u_j‖‖μ_r‖), dimensionless, in [-1, 1]. A zero direction gives nan.

    **Source:** Min and Vidal, ICML 2024, figure of dominant neurons.
    """
    return _unit(directions) @ _unit(references).T


def chords(
    directions: Float[Array, "*T h D"], references: Float[Array, "R D"]
) -> Float[Array, "*T h R"]:
    """Chord ‖u_j - μ_r‖ = 2 sin(angle/2) between every neuron and every reference.

    Subtracts before it squares, so small angles keep all their digits. Arguments as `cosines`.
    """
    u = _unit(directions)

    def one(reference: Float[Array, " D"]) -> Float[Array, "*T h"]:
        return jnp.linalg.norm(u - jnp.broadcast_to(reference, u.shape), axis=-1)

    return jnp.moveaxis(jax.lax.map(one, _unit(references)), 0, -1)


def contributing(log_mass: Float[np.ndarray, " h"]) -> Bool[np.ndarray, " h"]:
    """Which neurons contribute: the smallest set with 99.9 % of the total mass Σ m_j.

    None do if one mass is not a number.

    **Arguments:**

    - `log_mass`: log m_j; only differences matter, so any scale will do.
    """
    share = mass_share(log_mass)
    order = np.argsort(-share, kind="stable")
    if np.isnan(share).any():
        return np.zeros(len(share), dtype=bool)
    count = int(np.searchsorted(np.cumsum(share[order]), CONTRIBUTING_SHARE)) + 1
    chosen = np.zeros(len(share), dtype=bool)
    chosen[order[:count]] = True
    return chosen


def mass_share(log_mass: Float[np.ndarray, " h"]) -> Float[np.ndarray, " h"]:
    """m_j/Σ m from logarithms, at any scale; equal shares if every neuron is dead.

    All shares are nan if one mass is not a number.
    """
    top = log_mass.max()
    mass = np.ones_like(log_mass) if top == -np.inf else np.exp(log_mass - top)
    return mass / mass.sum()


def target(
    cosine: Float[np.ndarray, "*T h R"],
    sign: Real[np.ndarray, "*T h"],
    label: Int[np.ndarray, " K"],
    p: float,
) -> Int[np.ndarray, "*T h"]:
    """Index of the reference that theory sends each neuron to.

    For p > 2 the closest center of the neuron's own class, for p < 2 its own class average. At
    p = 2 theory selects nothing and the class average is reported, as for a class without centers,
    whose neurons have no target and whose average has length 0.

    **Arguments:**

    - `cosine`: to μ_1..μ_K, μ̄₊, μ̄₋, as `cosines` against `Centers.references`.
    - `sign`: class of each neuron, ±1.
    - `label`: class of each center, ±1.
    - `p`: power of the activation.

    **Source:** Min and Vidal, ICML 2024, Theorem 2; theory D3, D5.
    """
    check_signs(sign=sign)
    K = label.shape[0]
    average = np.where(sign > 0, K, K + 1)
    if p <= 2:
        return average
    own = sign[..., None] == label
    closest = np.where(own, cosine[..., :K], -np.inf).argmax(axis=-1)
    return np.where(own.any(axis=-1), closest, average)


def to_target(
    values: Float[np.ndarray, "*T h R"], index: Int[np.ndarray, "*T h"]
) -> Float[np.ndarray, "*T h"]:
    """Pick one reference per neuron out of `cosines` or `chords`."""
    return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]


def aligned_share(
    cosine: Float[np.ndarray, "*T h"], share: Float[np.ndarray, " h"]
) -> Float[np.ndarray, "*T"]:
    """Share of the mass within 10 degrees of its target, at every recorded time.

    **Arguments:**

    - `cosine`: of each neuron to its target.
    - `share`: mass share of each neuron, summing to 1.
    """
    return (cosine >= CONE) @ share


def mean_own_cosines(
    cosine: Float[np.ndarray, "h R"],
    sign: Real[np.ndarray, " h"],
    label: Int[np.ndarray, " K"],
    share: Float[np.ndarray, " h"],
) -> tuple[float, float]:
    """Cosines to the closest own center and to the own class average, weighted by mass.

    They are -1, as far as can be, for neurons of a class without centers.

    **Arguments:**

    - `cosine`, `sign`, `label`: at one time, as for `target`.
    - `share`: mass share of each neuron, summing to 1.
    """
    check_signs(sign=sign)
    own = sign[:, None] == label
    center = np.where(own, cosine[:, : len(label)], -1.0).max(axis=1)
    average = np.where(sign > 0, cosine[:, -2], cosine[:, -1])
    average = np.where(own.any(axis=1), average, -1.0)
    return _mean(center, share), _mean(average, share)


def _mean(cosine: Float[np.ndarray, " h"], share: Float[np.ndarray, " h"]) -> float:
    """Mean by mass; a neuron that died has no cosine, and no mass."""
    some = share != 0
    return float(share[some] @ cosine[some])


def mean_closest_cosines(
    cosine: Float[np.ndarray, "h R"], K: int, share: Float[np.ndarray, " h"]
) -> tuple[float, float]:
    """Cosines to the closest center and to the closest class average of any class, by mass.

    **Arguments:**

    - `cosine`: to μ_1..μ_K and the class averages, at one time.
    - `K`: number of centers.
    - `share`: mass share of each neuron, summing to 1.
    """
    center, average = (_mean(part.max(axis=1), share) for part in (cosine[:, :K], cosine[:, K:]))
    return center, average


def first_time_at(
    level: float, times: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"]
) -> float:
    """First time at which values reach a level, linear between recorded times; nan if never."""
    i = int((values >= level).argmax())
    if not values[i] >= level:
        return float("nan")
    if i == 0:
        return float(times[0])
    before = values[i - 1]
    share = (level - before) / (values[i] - before)
    return float(times[i - 1] + share * (times[i] - times[i - 1]))


def contributing_share(log_mass: Float[np.ndarray, " h"]) -> Float[np.ndarray, " h"]:
    """Share of each neuron in the mass of those that contribute; 0 for the others."""
    share = mass_share(log_mass)
    part = np.where(contributing(log_mass), share, 0 * share)
    with np.errstate(invalid="ignore"):
        return part / part.sum()


def _unit(rows: Float[Array, "*T m D"]) -> Float[Array, "*T m D"]:
    return rows / jnp.linalg.norm(rows, axis=-1, keepdims=True)
