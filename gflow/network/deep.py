"""pReLU networks of any depth, with one output or several.

One idea: every layer uses the two-layer activation,

    z_{l+1,j} = σ(<w_j, z_l>)^p / (‖w_j‖ ‖z_l‖)^{p-1} ,

with the factor ‖z_l‖ only where inputs are normalized; without it powers compound over layers.
The weights flow and descend as those of neurons do, in plain coordinates, and records of neurons
become records of the first layer.  From a small scale, networks with more than two layers leave the
origin late (theory D15).
"""

from collections.abc import Callable, Mapping
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from gflow.network.host_layers import HostLayers
from gflow.network.prelu import positive_power
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.network.weights import (
    AbstractHiddenLayers,
    Task,
    class_of_in,
    named_arrays,
    smallest_layer,
)
from gflow.random import stream
from gflow.scenario.networks import AbstractOutputsTable
from gflow.scenario.words import LAYER_INITS


class DeepNetwork(AbstractHiddenLayers):
    """Hidden pReLU layers and a linear output; call it with inputs (final)."""

    chart = "module"
    degree = 1.0
    aligns = False

    hidden: tuple[Float[Array, "_ _"], ...]
    """Weights of each hidden layer, one row per neuron."""
    output: Float[Array, "C h"]
    """Output weights; one row for a network whose sign is the class."""
    bias: Float[Array, " C"] | None
    """Output bias; None for none."""
    p: float = eqx.field(static=True)
    """Power of the activation."""
    input_normalized: bool = eqx.field(static=True)
    """Whether a layer also divides by ‖z_l‖^{p-1}."""
    skip: bool = eqx.field(static=True)
    """Whether a layer after the first adds its input to its output."""
    layer_norm: bool = eqx.field(static=True)
    """Whether inputs of layers after the first have mean 0 and variance 1."""
    class_of: tuple[int, ...] | None = eqx.field(static=True)
    """Class of each output if outputs are subclasses; None otherwise."""

    def __init__(
        self,
        hidden: tuple[Float[Array, "_ _"], ...],
        output: Float[Array, "C h"],
        bias: Float[Array, " C"] | None,
        p: float,
        *,
        input_normalized: bool = False,
        skip: bool = False,
        layer_norm: bool = False,
        class_of: tuple[int, ...] | None = None,
    ):
        self.hidden = hidden
        self.output = output
        self.bias = bias
        self.p = p
        self.input_normalized = input_normalized
        self.skip = skip
        self.layer_norm = layer_norm
        self.class_of = class_of

    def __call__(
        self, x: Real[Array | np.ndarray, "n D"]
    ) -> Float[Array, " n"] | Float[Array, "n C"]:
        """Outputs, one number per input if C = 1, in the precision of the inputs."""
        z = self.features(x)
        out = z @ self.output.astype(z.dtype).T
        if self.bias is not None:
            out = out + self.bias.astype(z.dtype)[None]
        return out[:, 0] if self.output.shape[0] == 1 else out

    def in_unit(self, x: Real[Array, "n D"]) -> ScaledOutputs:
        """Outputs as they are: layers that are normalized have no other unit than 1."""
        return ScaledOutputs.plain(self(x))

    def features(self, x: Real[Array | np.ndarray, "n D"]) -> Float[Array, "n h"]:
        """Outputs of the last hidden layer."""
        z = jnp.asarray(x)
        for i, w in enumerate(self.hidden):
            if i and self.layer_norm:
                z = z - z.mean(axis=1, keepdims=True)
                z = z.shape[1] ** 0.5 * z / _length(z)[:, None]
            after = self._layer(z, w.astype(z.dtype))
            z = z + after if i and self.skip else after
        return z

    def _layer(self, z: Float[Array, "n _"], w: Float[Array, "h _"]) -> Float[Array, "n h"]:
        inner = z @ w.T
        if self.p == 1:
            return jnp.maximum(inner, 0)
        # Divide first: powers of small weights would underflow in single precision.
        cosine = inner / _length(w)[None]
        if self.input_normalized:
            cosine = cosine / _length(z)[:, None]
        return positive_power(cosine, self.p - 1) * jnp.maximum(inner, 0)

    @property
    def direction(self) -> Float[Array, "h D"]:
        """Unit weights of the first layer."""
        return self.hidden[0] / jnp.exp(self.log_norm)[:, None]

    @property
    def log_norm(self) -> Float[Array, " h"]:
        """log ‖w_j‖ in the first layer."""
        return jnp.log(jnp.linalg.norm(self.hidden[0], axis=1))

    @property
    def scale(self) -> Float[Array, ""]:
        """Root mean square of the weights of the smallest layer."""
        return smallest_layer(self)

    @property
    def outgoing(self) -> Float[Array, "k h"]:
        """Weights of the layer after the first."""
        return (*self.hidden, self.output)[1]

    @property
    def log_output(self) -> Float[Array, " h"]:
        """log norm of the outgoing weights of each neuron of the first layer."""
        return jnp.log(jnp.linalg.norm(self.outgoing, axis=0))

    @property
    def sign(self) -> Float[Array, " h"]:
        """Sign of the sum of the outgoing weights, +1 or -1."""
        total = self.outgoing.sum(axis=0)
        return jnp.where(total < 0, -1.0, 1.0).astype(total.dtype)

    def projected(self) -> "DeepNetwork":
        return self

    def arrays(self) -> dict[str, np.ndarray]:
        """All weights by name, as a file holds them."""
        hidden = {f"hidden_{i + 1}": w for i, w in enumerate(self.hidden)}
        return named_arrays(**hidden, output=self.output, bias=self.bias, class_of=self.class_of)

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], table: AbstractOutputsTable
    ) -> "DeepNetwork":
        """The network of `arrays`, shaped by its table."""
        return cls(
            tuple(jnp.asarray(arrays[f"hidden_{i + 1}"]) for i in range(table.depth - 1)),
            jnp.asarray(arrays["output"]),
            jnp.asarray(arrays["bias"]) if table.bias else None,
            float(table.power),
            input_normalized=table.input_normalized,
            class_of=class_of_in(arrays),
            **table.layering,
        )

    def network(self, p: float) -> "DeepNetwork":
        """The network itself, which has its own power."""
        return self

    @property
    def on_host(self) -> HostLayers:
        """The same function on the host."""
        hidden = tuple(np.asarray(w, np.float64) for w in self.hidden)
        output = np.asarray(self.output, np.float64)
        bias = np.zeros(len(output)) if self.bias is None else np.asarray(self.bias, np.float64)
        return HostLayers(
            hidden,
            output,
            bias,
            self.p,
            input_normalized=self.input_normalized,
            skip=self.skip,
            layer_norm=self.layer_norm,
        )

    @property
    def sizes(self) -> Float[Array, " L"]:
        """Frobenius norms of all weight matrices."""
        return jnp.stack([jnp.linalg.norm(w) for w in self.layers])

    @property
    def layers(self) -> tuple[Float[Array, "_ _"], ...]:
        """All weight matrices, from the first to the output."""
        return (*self.hidden, self.output)


def _length(rows: Float[Array, "n D"]) -> Float[Array, " n"]:
    """‖row‖ without underflow; a zero row gets 1 and gradient 0."""
    largest = jax.lax.stop_gradient(jnp.abs(rows).max(axis=1))
    unit = jnp.where(largest > 0, largest, 1)
    square = ((rows / unit[:, None]) ** 2).sum(axis=1)
    return unit * jnp.sqrt(jnp.where(square > 0, square, 1))


def deep_network(table: AbstractOutputsTable, task: Task) -> DeepNetwork:
    """Independent weights of mean 0, with a variance set by the sizes of the layer; biases 0.

    **Arguments:**

    - `table`: width, depth, power, scales of the layers, and initialization
        (`INITIALIZATIONS`); neurons with vector outputs start from uniform unit vectors.
    - `task`: input dimension, outputs, seed.

    **Source:** He et al., ICCV 2015; Glorot and Bengio, AISTATS 2010; the published code of Min and
    Vidal, ICML 2024 (theory E2, which does not give the output weights: torch's default).
    """
    rng, sample = stream(task.seed, "hidden"), INITIALIZATIONS[table.initialization]
    sizes = [task.D, *[table.width] * (table.depth - 1), task.outputs]
    last = len(sizes) - 2
    with jax.enable_x64(True):
        layers = [
            jnp.asarray(table.init_scale * factor * sample(rng, fan_in, width, i == last))
            for i, (factor, (fan_in, width)) in enumerate(
                zip(table.factors, pairwise(sizes), strict=True)
            )
        ]
        return DeepNetwork(
            tuple(layers[:-1]),
            layers[-1],
            jnp.zeros(task.outputs) if table.bias else None,
            float(table.power),
            input_normalized=table.input_normalized,
            class_of=task.class_of,
            **table.layering,
        )


def _gaussian(rng: np.random.Generator, fan_in: int, width: int, is_last: bool) -> np.ndarray:
    """Entries N(0, 2/fan-in) (Kaiming)."""
    return np.sqrt(2 / fan_in) * rng.standard_normal((width, fan_in))


def _kaiming_uniform(
    rng: np.random.Generator, fan_in: int, width: int, is_last: bool
) -> np.ndarray:
    """Uniform entries of variance 2/fan-in."""
    bound = np.sqrt(6 / fan_in)
    return rng.uniform(-bound, bound, (width, fan_in))


def _glorot(rng: np.random.Generator, fan_in: int, width: int, is_last: bool) -> np.ndarray:
    """Entries N(0, 2/(fan-in + fan-out))."""
    return np.sqrt(2 / (fan_in + width)) * rng.standard_normal((width, fan_in))


def _published(rng: np.random.Generator, fan_in: int, width: int, is_last: bool) -> np.ndarray:
    """Hidden weights uniform in ±√(6/width), output weights in ±1/√width."""
    bound = 1 / np.sqrt(fan_in) if is_last else np.sqrt(6 / width)
    return rng.uniform(-bound, bound, (width, fan_in))


def _balanced(rng: np.random.Generator, fan_in: int, width: int, is_last: bool) -> np.ndarray:
    """Input and output weights of every neuron are uniform unit vectors."""
    w = rng.standard_normal((width, fan_in))
    return w / np.linalg.norm(w, axis=0 if is_last else 1, keepdims=True)


LayerDraw = Callable[[np.random.Generator, int, int, bool], np.ndarray]
"""Draws the weights (width, fan-in) of a layer, given whether it is the last."""

INITIALIZATIONS: dict[str, LayerDraw] = {"balanced": _balanced}
"""How to draw the weights of a layer, by name."""


def register_layer_initialization(name: str, draw: LayerDraw) -> None:
    """Make a way to draw the weights of layers available as a value of `network.init`.

    **Raises:** `ValueError` if another way has this name.
    """
    LAYER_INITS.register(INITIALIZATIONS, name, draw)


for _name, _draw in {
    "gaussian": _gaussian, "kaiming_uniform": _kaiming_uniform, "glorot": _glorot,
    "published": _published,
}.items():  # fmt: skip
    register_layer_initialization(_name, _draw)
