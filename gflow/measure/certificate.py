"""Upper bounds on the distance between a network and a reference classifier (theory D9).

One idea: for a fixed network every bound B1 to B6 on sup_{‖x‖=1} |c f(x) - target(x)| is a convex
function of the factor c.  So a bound is built once, from how the neurons lie about the centers, and
then asked for any c; the least over c is a one-dimensional convex problem.

B1, B2, B4 and B6 sort neurons to centers of their sign (`Assigned`) and need orthonormal
centers, which every `Target` has.  B5 needs p = 1 and few neurons, and is exact for those.
Nothing here searches: see `ascent` for lower bounds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import fminbound, nnls

from gflow.network.condense import (
    Population,
    angle_between,
    condense,
    largest_singular,
    lipschitz,
    turning_bound,
)
from gflow.network.prelu import Network
from gflow.network.reference import Target

# Neurons farther from their center than this share of 1/L_p count as rest.
_REST_ANGLES = (1.0, 0.3, 0.1, 0.03, 0.01)
# (angle, rest_share) of ever coarser condensing, until B5 can afford the hyperplanes.
_COARSER = ((1e-6, 1e-9), (1e-4, 1e-7), (1e-3, 1e-5), (1e-2, 1e-3), (0.03, 3e-3), (0.1, 1e-2))
_MOST_HYPERPLANES = 13
_PLANE_GRID = 2001
_SPLIT_GRID = 200
_SWEEPS = 4


class Bound(NamedTuple):
    """One of the bounds of theory D9, for one network and target."""

    name: str
    """"B1" to "B6", or "trivial"."""
    at: Callable[[float], float]
    """c -> upper bound on sup |c f - target|, c in units of e^{-log_scale}; convex."""


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

    **Source:** theory D9, bounds B1 to B6.
    """
    return min(Certified(bound.at(c), bound.name) for bound in bounds(network, target))


def certify_best(network: Network | Population, target: Target, c: float) -> Certified:
    """The smallest certificate over all factors, found near the factor `c`.

    Every bound is convex in the factor and minimized on [0, 2c]; B5, which is exact and dear, is
    asked at `c` alone.  At factor 0 the answer is sup|target|, so there always is one.

    **Arguments:** as for `certify`; `c` is best the factor that a search found.

    **Returns:** a `Certified`: an upper bound on inf_{c>0} sup_{‖x‖=1} |c f - target|.
    """
    found = [Certified(target.supremum, "trivial")]
    for bound in bounds(network, target)[1:] if c > 0 else ():
        best = c if bound.name == "B5" else fminbound(bound.at, 0, 2 * c, xtol=1e-7 * c)
        found.append(Certified(bound.at(cast(float, best)), bound.name))
    return min(found)


def bounds(network: Network | Population, target: Target) -> tuple[Bound, ...]:
    """Every bound that holds between this network and this target, "trivial" first.

    **Arguments:**

    - `network`: f; any power and any number of neurons.
    - `target`: F or F^(p).  If its power differs from that of f, only the triangle inequality is
        left.
    """
    f = network if isinstance(network, Population) else Population.of(network)
    return (trivial(f, target), *_sharper(f, target))


def _sharper(f: Population, target: Target) -> Iterator[Bound]:
    if f.p != target.p:
        return
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
        yield from coalesced(near)
        if f.p >= 2:
            yield together(near)
            yield split(near)
    if f.p == 1 and (exact := few_relus(f, target)):
        yield exact


def trivial(f: Population, target: Target) -> Bound:
    """c Σ_j m_j + sup|target|, for any pair; at c = 0 the size of the target itself."""
    total, size = f.m.sum(), target.supremum
    return Bound("trivial", lambda c: float(c * total + size))


@dataclass(frozen=True)
class Assigned:
    """Neurons of one network sorted to target neurons of their own sign; the others are rest."""

    p: float
    """Power of the activation."""
    mu: Float[np.ndarray, "K D"]
    """Directions of the target's neurons: centers μ_k, or class averages."""
    goal: Float[np.ndarray, " K"]
    """Contributions of the target's neurons: 1 for F^(p), √K1 and √K2 for F."""
    label: Float[np.ndarray, " K"]
    """Their signs y_k."""
    u: Float[np.ndarray, "a D"]
    """Directions of the assigned neurons."""
    m: Float[np.ndarray, " a"]
    """Their contributions m_j, in units of e^{log_scale}."""
    center: Int[np.ndarray, " a"]
    """k(j): the target neuron each is assigned to."""
    rest: float
    """Σ_rest m_j."""

    @cached_property
    def member(self) -> Bool[np.ndarray, "K a"]:
        """Whether neuron j belongs to N_k."""
        return np.equal.outer(np.arange(len(self.mu)), self.center)

    @cached_property
    def mass(self) -> Float[np.ndarray, " K"]:
        """m_k = Σ_{N_k} m_j; 0 for a center without neurons."""
        return self.member @ self.m

    @cached_property
    def angle(self) -> Float[np.ndarray, " a"]:
        """th_j, radians."""
        return angle_between(self.u, self.mu[self.center])

    @cached_property
    def parts(self) -> tuple[Float[np.ndarray, "a K"], Float[np.ndarray, "a D"]]:
        """u_j - μ_k(j) inside the span of the target (coordinates), and orthogonal to it."""
        offset = self.u - self.mu[self.center]
        inside = offset @ self.mu.T
        return inside, offset - inside @ self.mu

    def mass_error(self, c: float) -> float:
        """E_mass: sup |c f - target| if every assigned neuron had the direction of its center."""
        excess = self.label * (c * self.mass - self.goal)
        q = _dual(2, self.p)
        return max(_norm(np.maximum(excess, 0), q), _norm(np.maximum(-excess, 0), q))


def assign(f: Population, target: Target, rest_angle: float) -> Assigned:
    """Sort the neurons of `f` to the nearest target neuron of their sign.

    **Arguments:**

    - `f`: the population; neurons of contribution 0 are left out.
    - `target`: F or F^(p).
    - `rest_angle`: radians; neurons farther than this from their center are rest.  Beyond 1/L_p a
        neuron costs less there.

    **Source:** theory D9.
    """
    goal = Population.of(target.network).unscaled()
    allowed = np.equal.outer(f.s, goal.s)
    nearest = np.where(allowed, f.u @ goal.u.T, -np.inf).argmax(axis=1)
    angle = angle_between(f.u, goal.u[nearest])
    kept = (angle <= rest_angle) & allowed.any(axis=1) & (f.m > 0)
    return Assigned(
        p=f.p,
        mu=goal.u,
        goal=goal.m,
        label=goal.s,
        u=f.u[kept],
        m=f.m[kept],
        center=nearest[kept],
        rest=float(f.m[~kept].sum()),
    )


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


def coalesced(near: Assigned) -> tuple[Bound, Bound]:
    """B4, twice: the neurons of a center as one, compared with it in the plane of the two.

    With e_k a unit vector of that plane and r_k² = <μ_k, x>² + <e_k, x>²,

        |c m_k σ(<u_k, x>)^p - goal_k σ(<μ_k, x>)^p| <= φ_k r_k^p ,    Σ_k r_k² <= S² ,

    S the largest singular value of the rows μ_k, e_k.  Hence the bound S^p ‖φ‖_{2/(2-p)} for
    p < 2, and S² (max_k S_k)^{p-2} max_k φ_k above, S_k that of μ_k, e_k alone; plus merging and
    rest.  The first form takes e_k along u_k - <u_k, μ_k> μ_k, the second along u_k - μ_k.
    """
    mean = near.member @ (near.m[:, None] * near.u)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    u = np.divide(mean, length, out=near.mu.copy(), where=length > 0)
    slope = turning_bound(near.p, near.m, near.u, u[near.center]) + near.rest
    angle = angle_between(u, near.mu)
    chord = 2 * np.sin(angle / 2)
    along = np.where(chord > 1e-12, chord, np.inf)[:, None]
    return (
        _in_planes(near, slope, unit_tilt(u, near.mu), angle, np.ones_like(angle)),
        # cos θ + η sin θ = √(1 + η²) cos(θ - atan η)
        _in_planes(near, slope, (u - near.mu) / along, np.arctan(chord), np.hypot(1, chord)),
    )


def _in_planes(near, slope, e, angle, stretch):
    """B4 with <u_k, x> = stretch·r_k cos(θ - angle) and <μ_k, x> = r_k cos θ."""
    p = near.p
    size = largest_singular(np.concatenate([near.mu, e])) ** min(p, 2)
    size *= np.sqrt(1 + np.abs((near.mu * e).sum(axis=1)).max()) ** max(p - 2, 0)
    # The arc on which both are positive; beyond it the difference is largest at its ends.
    theta = np.linspace(-np.pi / 2 + angle, np.pi / 2, _PLANE_GRID, axis=1)
    moved = (stretch[:, None] * np.maximum(np.cos(theta - angle[:, None]), 0)) ** p
    moved, still = moved * near.mass[:, None], np.maximum(np.cos(theta), 0) ** p
    still *= near.goal[:, None]

    def at(c):
        phi = np.abs(c * moved - still).max(axis=1)
        return float(_missed(p) * size * _norm(phi, _dual(2, p)) + c * slope)

    return Bound("B4", at)


def split(near: Assigned) -> Bound:
    """B6, p >= 2: sharp to first order in the tilts, for any number of neurons per center.

    u_j - μ_k(j) is split into its parts inside and outside the span of the centers, an input into
    lengths cos φ and sin φ.  The bound is the largest over φ of

        max_k (γ_k cos^p φ + c p tilt_k(φ) cos^{p-1} φ)
            + c p(p-1)/2 ‖sec(φ)‖_q (cos φ + ‖d̄(φ)‖₂)^{p-2}

    plus the rest: E_mass, the mean tilt of every center to first order, and Taylor's remainder
    with sec_k = Σ_{N_k} m_j d_j², d_j(φ) how far neuron j is off.  Below p = 3 centers add up.
    """
    p, m = near.p, near.m
    phi = np.linspace(0, np.pi / 2, _SPLIT_GRID)
    cos, sin = np.cos(phi), np.sin(phi)
    tilt, spread = _first_order(near, cos, sin)
    inside, outside = (np.linalg.norm(part, axis=1) for part in near.parts)
    offset = np.outer(inside, cos) + np.outer(outside, sin)
    second = near.member @ (m[:, None] * offset**2)
    widest = np.array([offset[mine].max(axis=0, initial=0) for mine in near.member])
    power = (cos + np.linalg.norm(widest, axis=0)) ** (p - 2)
    remainder = p * (p - 1) / 2 * _norm(second, _dual(4, p)) * power

    def at(c):
        gamma = np.abs(c * near.mass - near.goal)
        if p >= 3:
            first = (np.outer(gamma, cos**p) + c * p * tilt * cos ** (p - 1)).max(axis=0)
        else:
            first = gamma.max() * cos**p + c * p * cos ** (p - 1) * spread
        return float(_missed(p) * (first + c * remainder).max() + c * near.rest)

    return Bound("B6", at)


def few_relus(f: Population, target: Target) -> Bound | None:
    """B5, p = 1: the supremum itself, after condensing to what can be enumerated; else None."""
    goal = Population.of(target.network).unscaled()
    if (fewer := enumerable(f, len(goal.m))) is None:
        return None
    few, error = fewer
    return Bound("B5", lambda c: relu_supremum(few, goal, c)[0] + c * error)


def enumerable(f: Population, others: int) -> tuple[Population, float] | None:
    """The least condensed `f` that B5 can afford beside `others` neurons of the target.

    **Returns:** the condensed population and an upper bound on sup |f - f_condensed| in units of
    e^{log_scale}; None if even coarse condensing leaves too many neurons, where the bound would
    be worthless.
    """
    error = 0.0
    for angle, rest_share in _COARSER:
        fewer = condense(f, angle, rest_share)
        f, error = fewer.population, error + fewer.error
        if len(f.m) + others <= _MOST_HYPERPLANES:
            return f, error
    return None


def relu_supremum(
    f: Population, goal: Population, c: float
) -> tuple[float, Float[np.ndarray, " D"]]:
    """sup_{‖x‖=1} |c f - goal| of two ReLU networks of few neurons, exactly, and where.

    The difference is linear on each of the 2^q cones {A x >= 0} that q neurons cut, A having rows
    ±u_j.  On a cone with gradient g the largest ±<g, x> is the norm of the projection of ±g
    onto it, g + Aᵀλ with λ = argmin_{λ>=0} ‖g + Aᵀλ‖ (nonnegative least squares).

    **Arguments:**

    - `f`, `goal`: populations with p = 1, each in its own units; the time doubles with every
        neuron: 1 ms for 4 of both, 0.3 s for 12.
    - `c`: factor of f.

    **Returns:** the supremum, and a unit vector at which it is attained.

    **Source:** theory D9, bound B5.
    """
    rows = np.concatenate([f.u, goal.u])
    weight = np.concatenate([c * f.s * f.m, -goal.s * goal.m])
    basis = np.linalg.qr(rows.T)[0]
    rows = rows @ basis
    active = np.indices((2,) * len(rows)).reshape(len(rows), -1).T
    slopes = (active * weight) @ rows
    slopes, sides = np.concatenate([slopes, -slopes]), np.tile(2 * active - 1, (2, 1))
    reach = _reach(slopes, sides, rows)
    best, where = 0.0, basis[:, 0]
    for i in np.argsort(-reach):
        if reach[i] <= best:
            break
        onto = _projected(slopes[i], sides[i][:, None] * rows)
        size = float(np.linalg.norm(onto))
        if size > best:
            best, where = size, basis @ (onto / size)
    return best, where


def _reach(slopes, sides, rows):
    """Upper bounds ‖g + Aᵀλ‖ on the projections of slopes g onto their cones; any λ >= 0 gives one.

    A few sweeps of coordinate descent in λ, all cones at once, leave few for the exact solver.
    """
    rest, multiplier = slopes.copy(), np.zeros(sides.shape)
    for k in np.tile(np.arange(len(rows)), _SWEEPS):
        new = np.maximum(multiplier[:, k] - sides[:, k] * (rest @ rows[k]), 0)
        rest += np.outer((new - multiplier[:, k]) * sides[:, k], rows[k])
        multiplier[:, k] = new
    # The allowance for rounding keeps a cone that cannot be told from the best.
    return np.linalg.norm(rest, axis=1) + 1e-12 * np.linalg.norm(slopes, axis=1)


def unit_tilt(
    u: Float[np.ndarray, "k D"], mu: Float[np.ndarray, "k D"]
) -> Float[np.ndarray, "k D"]:
    """Unit vectors along u - <u, μ> μ, row by row; zero where u is μ up to rounding."""
    offset = u - mu
    tangent = offset - (offset * mu).sum(axis=1, keepdims=True) * mu
    length = np.linalg.norm(tangent, axis=1, keepdims=True)
    return np.divide(tangent, length, out=np.zeros_like(tangent), where=length > 1e-12)


def _projected(g, cone):
    """Projection of g onto {cone x >= 0}; g itself, which is longer, should the solver give up."""
    try:
        return g + cone.T @ nnls(cone.T, -g)[0]
    except RuntimeError:
        return g


def _missed(p):
    """Relative allowance for what the grids of angles can miss (theory D9)."""
    return 1 + p**2 * 1e-5


def _first_order(near, cos, sin):
    """First-order tilt of every center at every φ (K, n), and for p < 3 of all together (n,)."""
    inside, outside = (near.member @ (near.m[:, None] * part) for part in near.parts)
    tilt = np.outer(np.linalg.norm(inside, axis=1), cos)
    tilt += np.outer(np.linalg.norm(outside, axis=1), sin)
    if near.p >= 3:
        return tilt, None
    joint = largest_singular(inside) * cos + largest_singular(outside) * sin
    return tilt, np.minimum(_norm(tilt, _dual(3, near.p)), joint)


def _dual(n, p):
    """Exponent 2/(n - p) of Hölder's inequality, infinite for p >= n."""
    return 2 / (n - p) if p < n else np.inf


def _norm(values, q):
    """‖values‖_q along the first axis."""
    return np.linalg.norm(values, ord=q, axis=0)
