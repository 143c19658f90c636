"""Upper bounds on the distance between a network and a reference classifier (theory D9).

One idea: for a fixed network every bound B1 to B7 on sup_{‖x‖=1} |c f(x) - target(x)| is a convex
function of the factor c.  So a bound is built once, from how the neurons lie about the centers, and
then evaluated at any c; the least over c is a one-dimensional convex problem.

B1, B2, B4, B6 and B7 sort neurons to centers of their sign (`Assigned`) and need orthonormal
centers, which every `Target` has.  B5 needs p = 1 and few neurons, and is exact for those.
Nothing here searches: see `ascent` for lower bounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Float
from scipy.optimize import fminbound

from gflow.data.checks import check_not_negative
from gflow.measure.assignment import Assigned, Bound, assign, dual, missed, norm
from gflow.measure.expansion import led, split
from gflow.measure.relu_supremum import enumerable, relu_supremum
from gflow.network.folded import turning_bound
from gflow.network.geometry import angle_between, largest_singular
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network, host_power, lipschitz
from gflow.network.reference import Target

# Neurons farther from their center than this share of 1/L_p count as rest.
_REST_ANGLES = (1.0, 0.3, 0.1, 0.03, 0.01)
_PLANE_GRID = 2001


class Certified(NamedTuple):
    """The least of several upper bounds."""

    value: float
    """Upper bound on sup |c f - target| over the unit sphere (dimensionless)."""
    bound: str
    """Name of the bound that gave it."""


def certify(network: Network | Population, target: Target, c: float) -> Certified:
    """The smallest certificate that sup_{‖x‖=1} |c f(x) - target(x)| allows here.

    **Arguments:**

    - `network`: f; any power and any number of neurons.
    - `target`: F or F^(p).
    - `c`: factor >= 0, in units of e^{-log_scale}: it multiplies f scaled so that its largest
        contribution is 1.

    **Returns:** a `Certified`: an upper bound, and which one it is.

    **Source:** theory D9, bounds B1 to B7.
    """
    check_not_negative(c=c)
    return min(Certified(bound.at(c), bound.name) for bound in bounds(network, target))


def certify_best(network: Network | Population, target: Target, c: float) -> Certified:
    """The smallest certificate over all factors near `c`.

    Every bound is convex in the factor and minimized on [0, 2c]; B5, which is exact but costs much,
    is evaluated at `c` alone.  At factor 0 the bound is sup|target|, so there always is one.

    **Arguments:** as for `certify`; `c` is best the factor at which a search ended.

    **Returns:** a `Certified`: an upper bound on inf_{c>0} sup_{‖x‖=1} |c f - target|.
    """
    check_not_negative(c=c)
    certificates = [Certified(target.supremum, "trivial")]
    for bound in bounds(network, target)[1:] if c > 0 else ():
        best = c if bound.name == "B5" else fminbound(bound.at, 0, 2 * c, xtol=1e-7 * c)
        certificates.append(Certified(bound.at(cast(float, best)), bound.name))
    return min(certificates)


def bounds(network: Network | Population, target: Target) -> tuple[Bound, ...]:
    """Every bound that holds between this network and this target, "trivial" first.

    **Arguments:**

    - `network`: f; any power and any number of neurons.
    - `target`: F or F^(p).  If its power differs from that of f, only the triangle inequality is
        left.
    """
    f = population_of(network)
    return (trivial(f, target), *_sharper(f, target))


def _sharper(f: Population, target: Target) -> Iterator[Bound]:
    """B1 to B7, as far as they hold for this power and target."""
    if f.p != target.p:
        return

    # Ever fewer neurons count as near their centers; each set of them gives its own bounds.
    assigned = None
    for share in _REST_ANGLES:
        near = assign(f, target, share / lipschitz(f.p))
        if len(near.m) == assigned:
            continue
        assigned = len(near.m)
        if target.kind == "average":
            yield turned(near, "B3")
            continue
        yield turned(near, "B1")
        yield from by_means(near)
        if f.p >= 2:
            yield together(near)
            yield split(near)
        if f.p >= 3:
            yield led(near)

    # Exact, but only for few neurons.
    if f.p == 1 and (exact := few_relus(f, target)):
        yield exact


def trivial(f: Population, target: Target) -> Bound:
    """c Σ_j m_j + sup|target|, for any pair; at c = 0 the size of the target itself."""
    total, size = f.m.sum(), target.supremum
    return Bound("trivial", lambda c: float(c * total + size))


def turned(near: Assigned, name: str) -> Bound:
    """B1, and B3 for F: E_mass, the cost of turning every neuron to its center, and the rest.

    E_mass + c Σ_j m_j L_p th_j + c Σ_rest m_j, or less by `turning_bound`.
    """
    slope = turning_bound(near.p, near.m, near.u, near.mu[near.center]) + near.rest
    return Bound(name, lambda c: float(near.mass_error(c) + c * slope))


def together(near: Assigned) -> Bound:
    """B2, p >= 2: tilts about different centers cannot all be felt by one input.

    E_mass + c p max_k(Σ_{N_k} m_j η_j) (1 + ‖η̄‖₂)^{p-1} + c Σ_rest m_j, η_j = ‖u_j - μ_k(j)‖ and
    η̄_k the largest of N_k; for p < 3 the middle term has the factor K^{1-(p-1)/2}.
    """
    p, chord = near.p, 2 * np.sin(near.angle / 2)
    widest = (near.member * chord).max(axis=1, initial=0)
    tilt = (near.member @ (near.m * chord)).max()
    spread = len(near.mu) ** max(1 - (p - 1) / 2, 0)
    slope = p * tilt * (1 + np.linalg.norm(widest)) ** (p - 1) * spread + near.rest
    return Bound("B2", lambda c: float(near.mass_error(c) + c * slope))


def by_means(near: Assigned) -> tuple[Bound, Bound]:
    """B4, twice: the neurons of a center as one, compared with it in the plane of the two.

    With e_k a unit vector of that plane and r_k² = <μ_k, x>² + <e_k, x>²,

        |c m_k σ(<u_k, x>)^p - goal_k σ(<μ_k, x>)^p| <= φ_k r_k^p ,    Σ_k r_k² <= S² ,

    S the largest singular value of the rows μ_k, e_k.  Hence the bound S^p ‖φ‖_{2/(2-p)} for
    p < 2, and S² (max_k S_k)^{p-2} max_k φ_k above, S_k that of μ_k, e_k alone; plus turning and
    rest.  The first form takes e_k along u_k - <u_k, μ_k> μ_k, the second along u_k - μ_k.
    """
    # One neuron for each center: the mean of its neurons, to which they are turned.
    mean = near.member @ (near.m[:, None] * near.u)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    u = np.divide(mean, length, out=near.mu.copy(), where=length > 0)
    slope = turning_bound(near.p, near.m, near.u, u[near.center]) + near.rest

    # Its angle to the center, and the two choices of e_k.
    angle = angle_between(u, near.mu)
    chord = 2 * np.sin(angle / 2)
    along = np.where(chord > 1e-12, chord, np.inf)[:, None]
    return (
        _in_planes(near, slope, _Planes(unit_tilt(u, near.mu), angle, np.ones_like(angle))),
        # cos θ + η sin θ = √(1 + η²) cos(θ - atan η)
        _in_planes(
            near, slope, _Planes((u - near.mu) / along, np.arctan(chord), np.hypot(1, chord))
        ),
    )


@dataclass(frozen=True)
class _Planes:
    """The plane of each center and its neuron: <u_k, x> = stretch·r_k cos(θ - angle)."""

    e: Float[np.ndarray, "K D"]
    """Unit vectors that span it with μ_k, <μ_k, x> = r_k cos θ; zero where it is a line."""
    angle: Float[np.ndarray, " K"]
    stretch: Float[np.ndarray, " K"]


def _in_planes(near: Assigned, slope: float, planes: _Planes) -> Bound:
    """B4 for one choice of planes; `slope` times c is what turning and the rest cost."""
    p = near.p
    size = largest_singular(np.concatenate([near.mu, planes.e])) ** min(p, 2)
    size *= np.sqrt(1 + np.abs((near.mu * planes.e).sum(axis=1)).max()) ** max(p - 2, 0)

    # The arc on which both are positive; beyond it the difference is largest at its ends.
    theta = np.linspace(-np.pi / 2 + planes.angle, np.pi / 2, _PLANE_GRID, axis=1)
    moved = planes.stretch[:, None] * np.cos(theta - planes.angle[:, None])
    moved = near.mass[:, None] * host_power(moved, p)
    still = near.goal[:, None] * host_power(np.cos(theta), p)

    def at(c: float) -> float:
        phi = np.abs(c * moved - still).max(axis=1)
        return float(missed(p) * size * norm(phi, dual(2, p)) + c * slope)

    return Bound("B4", at)


def few_relus(f: Population, target: Target) -> Bound | None:
    """B5, p = 1: the supremum itself, after folding to what can be enumerated; else None."""
    goal = Population.of(target.network).unscaled()
    if (fewer := enumerable(f, len(goal.m))) is None:
        return None
    few, error = fewer
    return Bound("B5", lambda c: relu_supremum(few, goal, c)[0] + c * error)


def unit_tilt(
    u: Float[np.ndarray, "k D"], mu: Float[np.ndarray, "k D"]
) -> Float[np.ndarray, "k D"]:
    """Unit vectors along u - <u, μ> μ, row by row; zero where u is μ up to rounding."""
    offset = u - mu
    tangent = offset - (offset * mu).sum(axis=1, keepdims=True) * mu
    length = np.linalg.norm(tangent, axis=1, keepdims=True)
    return np.divide(tangent, length, out=np.zeros_like(tangent), where=length > 1e-12)
