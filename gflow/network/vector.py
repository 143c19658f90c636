"""A balanced population with many outputs, at any initialization scale.

One idea: with C outputs an output weight is a vector, and at balanced initialization, where
‖v_j‖ = ‖w_j‖, a neuron is two directions and one log-norm: w_j = e^{r_j} u_j, v_j = e^{r_j} a_j,

    f(x) = Σ_j e^{2 r_j} a_j σ(<u_j, x>)^p / ‖x‖^{p-1} + b ,

with ‖x‖ in it only where inputs are normalized.  With one output a_j is the sign of the polar
chart.
"""

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from gflow.network.neurons import AbstractFirstLayer
from gflow.network.prelu import positive_power
from gflow.network.read_off import classifier

_SMALL = 1e-12


def gates(
    x: Float[Array, "n D"], u: Float[Array, "h D"], p: float, input_normalized: bool
) -> tuple[Float[Array, "n h"], Float[Array, "n h"]]:
    """(σ(z)/‖x‖)^{p-1} and σ(z)^p/‖x‖^{p-1}, z = <u_j, x>; without ‖x‖ if not normalized."""
    z = x @ u.T
    size = jnp.maximum(jnp.linalg.norm(x, axis=1, keepdims=True), _SMALL)
    gate = positive_power(z / size if input_normalized else z, p - 1)
    return gate, gate * jnp.maximum(z, 0)


class VectorNetwork(eqx.Module):
    """What a balanced population with many outputs computes; call it on inputs (final)."""

    direction: Float[Array, "h D"]
    """u_j."""
    output: Float[Array, "h C"]
    """a_j."""
    log_norm: Float[Array, " h"]
    """r_j."""
    bias: Float[Array, " C"] | None
    """b; None for none."""
    p: float = eqx.field(static=True)
    """Power of the activation."""
    input_normalized: bool = eqx.field(static=True)
    """Whether the activation divides by ‖x‖^{p-1}."""

    def __call__(
        self, x: Real[Array | np.ndarray, "n D"]
    ) -> Float[Array, " n"] | Float[Array, "n C"]:
        """Outputs: a number for each input if C = 1, else C of them; in the inputs' precision."""
        x = jnp.asarray(x)
        _, grown = gates(x, self.direction.astype(x.dtype), self.p, self.input_normalized)
        weights = jnp.exp(2 * self.log_norm.astype(x.dtype))[:, None] * self.output.astype(x.dtype)
        f = grown @ weights
        if self.bias is not None:
            f = f + self.bias.astype(x.dtype)[None]
        return f[:, 0] if f.shape[1] == 1 else f

    def features(self, x: Real[Array | np.ndarray, "n D"]) -> Float[Array, "n h"]:
        """Outputs of the hidden layer over the norm of the largest neuron, so that none is lost."""
        x = jnp.asarray(x)
        _, grown = gates(x, self.direction.astype(x.dtype), self.p, self.input_normalized)
        r = self.log_norm.astype(x.dtype)
        return grown * jnp.exp(r - r.max())[None]

    @property
    def sizes(self) -> Float[Array, "2"]:
        """Frobenius norms of hidden and output weights, which are equal."""
        top = self.log_norm.max()
        size = jnp.exp(top) * jnp.sqrt(jnp.sum(jnp.exp(2 * (self.log_norm - top))))
        return jnp.stack([size, size])


class VectorNeurons(AbstractFirstLayer):
    """A balanced population with C outputs, ‖v_j‖ = ‖w_j‖, as directions and log-norms (final)."""

    direction: Float[Array, "h D"]
    """Unit vectors u_j = w_j/‖w_j‖."""
    output: Float[Array, "h C"]
    """Unit vectors a_j = v_j/‖v_j‖."""
    log_norm: Float[Array, " h"]
    """r_j = log ‖w_j‖."""
    bias: Float[Array, " C"] | None
    """Output bias; None for none."""
    input_normalized: bool = eqx.field(static=True)
    """Whether the activation divides by ‖x‖^{p-1}."""
    class_of: tuple[int, ...] | None = eqx.field(static=True)
    """Class of each output, where outputs are subclasses."""
    chart: ClassVar[str] = "vector"

    def __init__(
        self,
        direction: Float[Array, "h D"],
        output: Float[Array, "h C"],
        log_norm: Float[Array, " h"],
        bias: Float[Array, " C"] | None = None,
        input_normalized: bool = False,
        class_of: tuple[int, ...] | None = None,
    ):
        self.direction = direction
        self.output = output
        self.log_norm = log_norm
        self.bias = bias
        self.input_normalized = input_normalized
        self.class_of = class_of

    def __check_init__(self):
        h = self.direction.shape[0]
        if self.log_norm.shape != (h,) or self.output.shape[0] != h:
            raise ValueError(
                f"`log_norm` and `output` must have one entry per row of `direction` (h = {h}), "
                f"but have shapes {self.log_norm.shape} and {self.output.shape}."
            )

    @property
    def log_output(self) -> Float[Array, " h"]:
        """log ‖v_j‖, equal to `log_norm` because the population is balanced."""
        return self.log_norm

    @property
    def sign(self) -> Float[Array, " h"]:
        """Sign of the sum of the output weights of a neuron, +1 or -1."""
        return jnp.where(self.output.sum(axis=1) < 0, -1.0, 1.0).astype(self.output.dtype)

    @property
    def degree(self) -> float:
        """1: the activation is normalized."""
        return 1.0

    def projected(self) -> "VectorNeurons":
        u, a = (
            w / jnp.linalg.norm(w, axis=1, keepdims=True) for w in (self.direction, self.output)
        )
        return VectorNeurons(u, a, self.log_norm, self.bias, self.input_normalized, self.class_of)

    def network(self, p: float) -> VectorNetwork:
        """The outputs with power `p`."""
        return VectorNetwork(
            self.direction, self.output, self.log_norm, self.bias, p, self.input_normalized
        )

    def function(self, p: float) -> Callable:
        return classifier(self.network(p), self.class_of)


def vector_neurons(
    h: int,
    D: int,
    C: int,
    log_eps: float,
    rng: np.random.Generator,
    bias: bool,
    input_normalized: bool,
    class_of: tuple[int, ...] | None = None,
) -> VectorNeurons:
    """Uniform directions of inputs and outputs, ‖w_j‖ = ‖v_j‖ = ε; biases 0.

    **Arguments:**

    - `h`, `D`, `C`: neurons, input dimension, outputs.
    - `log_eps`: log ε; any real number.
    - `rng`: random stream.
    - `bias`, `input_normalized`, `class_of`: as in `VectorNeurons`.
    """
    u, a = rng.standard_normal((h, D)), rng.standard_normal((h, C))
    u, a = (w / np.linalg.norm(w, axis=1, keepdims=True) for w in (u, a))
    zero = jnp.zeros(C) if bias else None
    return VectorNeurons(
        jnp.asarray(u), jnp.asarray(a), jnp.full(h, log_eps), zero, input_normalized, class_of
    )
