"""Neurons sorted to the target neurons they are close to (theory D9): what most bounds are made of.

A network that is near F or F^(p) has its neurons near the neurons of the target, so each
is counted for one of its sign, and what is near none is rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.network.geometry import angle_between
from gflow.network.population import Population
from gflow.network.reference import Target


class Bound(NamedTuple):
    """One of the bounds of theory D9, for one network and target."""

    name: str
    """"B1" to "B7", or "trivial"."""
    at: Callable[[float], float]
    """c -> upper bound on sup |c f - target|, c in units of e^{-log_scale}; convex."""


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
        q = dual(2, self.p)
        return max(float(norm(np.maximum(side, 0), q)) for side in (excess, -excess))


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
    near = (angle <= rest_angle) & allowed.any(axis=1) & (f.m > 0)
    return Assigned(
        p=f.p,
        mu=goal.u,
        goal=goal.m,
        label=goal.s,
        u=f.u[near],
        m=f.m[near],
        center=nearest[near],
        rest=float(f.m[~near].sum()),
    )


def missed(p: float) -> float:
    """Factor at least 1, a relative allowance for what the grids of angles can miss (theory D9)."""
    return 1 + p**2 * 1e-5


def dual(n: int, p: float) -> float:
    """Exponent 2/(n - p) of Hölder's inequality, infinite for p >= n."""
    return 2 / (n - p) if p < n else np.inf


def norm(values: Float[np.ndarray, "K ..."], q: float) -> Float[np.ndarray, "..."]:
    """‖values‖_q along the first axis."""
    return np.asarray(np.linalg.norm(values, ord=q, axis=0))
