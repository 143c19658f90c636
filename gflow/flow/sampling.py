"""How far the flow of a finite sample is from its expectation.

Given the subclass means, what a sample adds to the population field is a sum of N independent terms
whose variance is again a half-space moment, so the error of a population start is known before the
exact flow is run.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.blurred import PopulationField, means
from gflow.flow.samples import Samples


class Noise(NamedTuple):
    """Root mean squares, over samples with given means, of what the population field lacks.

    0 for a neuron that nothing pulls.
    """

    turn: Float[Array, " h"]
    """Angle by which it displaces the direction in which a neuron comes to rest, radians."""
    clock: Float[Array, " h"]
    """Relative error of the pull within the span of the means, dimensionless."""
    growth: Float[Array, " h"]
    """Error of dr/dt = s Φ at fixed direction, per flow time."""


def sampling_noise(
    field: PopulationField,
    u: Float[Array, "h d"],
    sign: Float[Array, " h"],
    points: Samples,
    *,
    count: Float[Array, " K"],
    outside: int,
) -> Noise:
    """How far the field of a finite sample is from that of its mixture, at directions u.

    With q_i = σ(<u, x_i>)^{p-1} and η_i the noise of sample i along u, in units of τ, and given the
    subclass mean, subclass k adds to its expectation

        along m_k:              var = (Var q - Cov(q, η)²)/N
        orthogonal, together:   var = (number of dimensions) τ² Var q/N
        to Φ:                   var = (Var σ^p - Cov(σ^p, η)²)/N

    times its weight.

    **Arguments:**

    - `field`: of the mixture.
    - `u`, `sign`: reduced directions and signs.
    - `points`, `count`: the mixture; samples of each subclass.
    - `outside`: dimensions orthogonal to the means and to u.

    **Source:** theory D4.
    """
    p, tau = field.p, field.tau[None]
    weight = (field.force(points) ** 2 / count)[None]
    along = u @ means(points).T
    gate, value, gate2, value2 = field.moments((p - 1, p, 2 * p - 2, 2 * p), along)
    spread = jnp.maximum(gate2 - gate**2, 0)
    steepness = (value - along * gate) / jnp.where(tau > 0, tau, 1)  # Cov(q, η)
    inside = p**2 * weight * jnp.maximum(spread - steepness**2, 0)
    across = p**2 * weight * outside * tau**2 * spread
    free = jnp.maximum(value2 - value**2 - (p * tau * gate) ** 2, 0)
    pull, _ = field.pull(u, points)
    radial = jnp.abs(jnp.sum(pull * u, axis=1, keepdims=True))
    slope = p * field.force(points)[None] * steepness / jnp.where(tau > 0, tau, 1)
    stiff = radial + jnp.maximum(-sign[:, None] * slope, 0)
    tilt = inside * jnp.maximum(1 - along**2, 0) / stiff**2 + across / radial**2
    strength = jnp.linalg.norm(pull, axis=1)
    turn = jnp.sqrt(jnp.sum(tilt, axis=1))
    clock = jnp.sqrt(jnp.sum(inside, axis=1)) / strength
    growth = jnp.sqrt(jnp.sum(weight * free, axis=1))
    return Noise(*(jnp.where(strength > 0, each, 0) for each in (turn, clock, growth)))


@dataclass(frozen=True)
class Deviation:
    """What a population start leaves out, as expected errors of the neurons that carry the mass.

    Root mean squares over these neurons, weighted by mass.  Against exact flows (D = 1000,
    α from 0.01 to 0.3, N = 200 and 2000): angles 0.9 to 1.4 times `turn` at p = 1, 3 and 4, but
    three to four times at p = 1.5 and 2, where errors hardly contract; log-masses less than 0.6
    of `log_mass`, in which all errors of the clock add up.
    """

    turn: float
    """Angle between a neuron in the population and in the sample at the switch, radians."""
    clock: float
    """How much earlier or later the sample aligns a neuron, flow time."""
    growth: float
    """Relative error of the growth rate of log m_j at the switch, dimensionless."""
    log_mass: float
    """Error of log m_j at the switch, from clock and growth together, dimensionless."""
    unaligned: float
    """Share of the mass that is not aligned yet; the exact flow aligns it, dimensionless."""
    network: float
    """Upper bound on |f| on the unit sphere, and on the error of log m_j from leaving it out."""

    def refused(self, limit: float) -> str | None:
        """Why errors may exceed `limit`, in radians and relative mass; None if they do not.

        `turn` counts less the longer the exact flow goes on; `log_mass` stays; the estimates
        say nothing of neurons that are not aligned, so their mass counts as wrong.
        """
        mass = self.log_mass + self.network + self.unaligned
        worst, name, unit = max((self.turn, "directions", " rad"), (mass, "masses", ""))
        if worst <= limit:
            return None
        return (
            f"The expected error of the {name} is {worst:.2g}{unit}, more than {limit:.2g}: the "
            "sample is too small or too noisy for its expectation. Use more samples, or "
            'flow.start = "sample".'
        )

    def __str__(self) -> str:
        return (
            f"directions {self.turn:.1e} rad, log-masses {self.log_mass:.1e} (clock "
            f"{self.clock:.1e}), |f| <= {self.network:.1e}, {self.unaligned:.1e} unaligned"
        )
