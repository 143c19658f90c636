"""A balanced population with several outputs, at any initialization scale.

One idea: with C outputs, output weights are vectors, and at balanced initialization, where
‖v_j‖ = ‖w_j‖, a neuron is two directions and one log-norm: w_j = e^{r_j} u_j, v_j = e^{r_j} a_j,

    f(x) = Σ_j e^{2 r_j} a_j σ(<u_j, x>)^p / ‖x‖^{p-1} + b ,

with the factor ‖x‖ only where inputs are normalized.  With one output, a_j is the sign in the polar
chart.
"""

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from gflow.network.host_layers import HostLayers
from gflow.network.prelu import positive_power
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.network.weights import AbstractHiddenLayers, Task, class_of_in, named_arrays
from gflow.random import stream
from gflow.scenario.networks import AbstractOutputsTable

_SMALL = 1e-12


def gates(
    x: Float[Array, "n D"], u: Float[Array, "h D"], p: float, input_normalized: bool
) -> tuple[Float[Array, "n h"], Float[Array, "n h"]]:
    """(σ(z)/‖x‖)^{p-1} and σ(z)^p/‖x‖^{p-1} for z = <u_j, x>; without ‖x‖ if not normalized."""
    z = x @ u.T
    size = jnp.maximum(jnp.linalg.norm(x, axis=1, keepdims=True), _SMALL)
    gate = positive_power(z / size if input_normalized else z, p - 1)
    return gate, gate * jnp.maximum(z, 0)


class VectorNetwork(eqx.Module):
    """The function of a balanced population with C outputs; call it with inputs (final)."""

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
        """Outputs, one number per input if C = 1, in the precision of the inputs."""
        x = jnp.asarray(x)
        return self.in_unit(x).unscaled.astype(x.dtype)

    def in_unit(self, x: Real[Array, "n D"]) -> ScaledOutputs:
        """Outputs in units of the largest ‖w_j‖ ‖v_j‖, or of the bias where that is larger."""
        # float: single or double precision as jax is set, without a warning.
        r = self.log_norm.astype(float)
        unit = 2 * r.max()
        if self.bias is not None:
            unit = jnp.maximum(unit, jnp.log(jnp.abs(self.bias.astype(float)).max()))
        unit = jax.lax.stop_gradient(unit)
        _, hidden = gates(x, self.direction.astype(x.dtype), self.p, self.input_normalized)
        mass = jnp.exp(2 * r - unit).astype(x.dtype)
        f = hidden @ (mass[:, None] * self.output.astype(x.dtype))
        if self.bias is not None:
            f = f + (self.bias.astype(float) * jnp.exp(-unit)).astype(x.dtype)[None]
        return ScaledOutputs(f[:, 0] if f.shape[1] == 1 else f, unit)

    def features(self, x: Real[Array | np.ndarray, "n D"]) -> Float[Array, "n h"]:
        """Outputs of the hidden layer over the largest ‖w_j‖, so that they do not underflow."""
        x = jnp.asarray(x)
        _, hidden = gates(x, self.direction.astype(x.dtype), self.p, self.input_normalized)
        r = self.log_norm.astype(x.dtype)
        return hidden * jnp.exp(r - r.max())[None]

    @property
    def on_host(self) -> HostLayers:
        """The same function on the host, in units of the largest ‖w_j‖ ‖v_j‖ or bias."""
        u, output, r = (
            np.asarray(a, np.float64) for a in (self.direction, self.output, self.log_norm)
        )
        bias = np.zeros(output.shape[1]) if self.bias is None else np.asarray(self.bias, np.float64)
        with np.errstate(divide="ignore"):
            log_bias = np.log(np.abs(bias))
        unit = max(2 * r.max(), log_bias.max())
        size = np.exp(r - unit / 2)[:, None]
        return HostLayers(
            (size * u,),
            (size * output).T,
            np.sign(bias) * np.exp(log_bias - unit),
            self.p,
            input_normalized=self.input_normalized,
        )

    @property
    def sizes(self) -> Float[Array, "2"]:
        """Frobenius norms of hidden and output weights, which are equal."""
        top = self.log_norm.max()
        size = jnp.exp(top) * jnp.sqrt(jnp.sum(jnp.exp(2 * (self.log_norm - top))))
        return jnp.stack([size, size])


class VectorNeurons(AbstractHiddenLayers):
    """A balanced population with C outputs, ‖v_j‖ = ‖w_j‖, as directions and log-norms (final)."""

    chart = "vector"
    degree = 1.0
    scale = 1.0
    aligns = True

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
    """Class of each output if outputs are subclasses; None otherwise."""

    def __init__(
        self,
        direction: Float[Array, "h D"],
        output: Float[Array, "h C"],
        log_norm: Float[Array, " h"],
        bias: Float[Array, " C"] | None = None,
        *,
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
        """Sign of the sum of the output weights of each neuron, +1 or -1."""
        return jnp.where(self.output.sum(axis=1) < 0, -1.0, 1.0).astype(self.output.dtype)

    def projected(self) -> "VectorNeurons":
        unit = tuple(
            w / jnp.linalg.norm(w, axis=1, keepdims=True) for w in (self.direction, self.output)
        )
        return eqx.tree_at(lambda neurons: (neurons.direction, neurons.output), self, unit)

    def arrays(self) -> dict[str, np.ndarray]:
        """All weights by name, as a file holds them."""
        return named_arrays(
            direction=self.direction,
            output_direction=self.output,
            log_norm=self.log_norm,
            bias=self.bias,
            class_of=self.class_of,
        )

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], table: AbstractOutputsTable
    ) -> "VectorNeurons":
        """The neurons of `arrays`."""
        return cls(
            jnp.asarray(arrays["direction"]),
            jnp.asarray(arrays["output_direction"]),
            jnp.asarray(arrays["log_norm"]),
            jnp.asarray(arrays["bias"]) if table.bias else None,
            input_normalized=table.input_normalized,
            class_of=class_of_in(arrays),
        )

    def network(self, p: float) -> VectorNetwork:
        """The outputs with power `p`."""
        return VectorNetwork(
            self.direction,
            self.output,
            self.log_norm,
            self.bias,
            p=p,
            input_normalized=self.input_normalized,
        )


def vector_neurons(table: AbstractOutputsTable, task: Task) -> VectorNeurons:
    """Uniform directions of input and output weights, ‖w_j‖ = ‖v_j‖ = ε for any ε; biases 0."""
    rng, h = stream(task.seed, "hidden"), table.width
    u, a = rng.standard_normal((h, task.D)), rng.standard_normal((h, task.outputs))
    u, a = (w / np.linalg.norm(w, axis=1, keepdims=True) for w in (u, a))
    return VectorNeurons(
        jnp.asarray(u),
        jnp.asarray(a),
        jnp.full(h, float(np.log(table.init_scale))),
        jnp.zeros(task.outputs) if table.bias else None,
        input_normalized=table.input_normalized,
        class_of=task.class_of,
    )
