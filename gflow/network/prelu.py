"""The polynomial ReLU network as a function of its input.

One idea: whatever chart a population of neurons lives in, the function it computes depends only on
directions, signs and contributions,

    f_p(x) = Σ_j s_j m_j σ(<u_j, x>)^p ,    m_j = |v_j| ‖w_j‖ ,

or m_j = |v_j| ‖w_j‖^p if the activation does not divide by ‖w_j‖^{p-1}, so a trained network, a
reference classifier and a folded network are the same type.  Contributions are stored as
logarithms: they underflow at initialization scales below 1e-154.
"""

from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from gflow.network.scaled_outputs import ScaledOutputs


def positive_power(z: Float[Array, "*s"], q: float) -> Float[Array, "*s"]:
    """σ(z)^q with σ = ReLU; for q = 0 the indicator of z > 0 (dimensionless).

    **Source:** theory section 1, convention for p = 1.
    """
    if q == 0:
        return (z > 0).astype(z.dtype)
    positive = jnp.maximum(z, 0)
    if q == int(q):
        return positive ** int(q)
    # The inner where keeps 0 away from log, whose gradient would be nan.
    return jnp.where(z > 0, jnp.where(z > 0, z, 1) ** q, 0)


def host_power(z: Float[np.ndarray, "*s"], q: float) -> Float[np.ndarray, "*s"]:
    """σ(z)^q as `positive_power`, in numpy."""
    if q == 0:
        return (z > 0).astype(np.float64)
    positive = np.maximum(z, 0)
    # numpy takes other powers by logarithms, nine times as long as two products or a root.
    if q > 4 or 2 * q % 1:
        return positive**q
    return reduce(np.multiply, [positive] * int(q) + [np.sqrt(positive)] * int(2 * q % 2))


def lipschitz(p: float) -> float:
    """L_p = √p ((p-1)/p)^{(p-1)/2}, the most σ(<u, x>)^p changes per radian that u turns.

    **Source:** theory D9.
    """
    return float(np.sqrt(p) * ((p - 1) / p) ** ((p - 1) / 2))


class Network(eqx.Module):
    """A two-layer pReLU network as a function; call it on inputs (final)."""

    direction: Float[Array, "h D"]
    """Unit vectors u_j."""
    log_mass: Float[Array, " h"]
    """log m_j; -inf for a neuron that contributes nothing."""
    sign: Float[Array, " h"]
    """s_j = sign v_j, +1 or -1."""
    p: float = eqx.field(static=True)
    """Power of the activation, >= 1; 1 is ReLU."""

    def __check_init__(self):
        h = self.direction.shape[0]
        if self.log_mass.shape != (h,) or self.sign.shape != (h,):
            raise ValueError(
                f"`log_mass` and `sign` must have one entry per row of `direction` (h = {h}), but "
                f"have shapes {self.log_mass.shape} and {self.sign.shape}."
            )

    def __call__(self, x: Real[Array | np.ndarray, "*n D"]) -> Float[Array, "*n"]:
        """Output f_p(x) = Σ_j s_j m_j σ(<u_j, x>)^p (dimensionless), in the network's precision."""
        if self.direction.dtype != jnp.float64:
            return _output(self, x)
        # A float64 network answers in float64 wherever it is called from.
        with jax.enable_x64(True):
            return _output(self, x)

    @property
    def certifiable(self) -> bool:
        """Radii can be certified, not only attacked: certificates go neuron by neuron."""
        return True

    @property
    def mass(self) -> Float[Array, " h"]:
        """Contributions m_j."""
        return jnp.exp(self.log_mass)

    def scaled(self, log_factor: float | Float[Array, ""]) -> "Network":
        """The network e^{log_factor}·f."""
        return eqx.tree_at(lambda net: net.log_mass, self, self.log_mass + log_factor)

    @property
    def log_unit(self) -> Float[Array, ""]:
        """log of the largest contribution; 0 for a network that is zero."""
        largest = jnp.max(self.log_mass)
        return jnp.where(jnp.isfinite(largest), largest, 0.0)

    def in_unit(self, x: Real[Array, "*n D"]) -> ScaledOutputs:
        """Outputs in units of the largest contribution, in the network's precision."""
        return ScaledOutputs(self.scaled(-self.log_unit)(x), self.log_unit)


# One program, where the operations one by one would be compiled as seven.
@jax.jit
def _output(network: Network, x: Real[Array | np.ndarray, "*n D"]) -> Float[Array, "*n"]:
    z = jnp.asarray(x, network.direction.dtype) @ network.direction.T
    return positive_power(z, network.p) @ (network.sign * network.mass)
