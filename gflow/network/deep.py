"""pReLU networks of any depth, with one output or many.

One idea: a layer is the two-layer activation again,

    z_{l+1,j} = σ(<w_j, z_l>)^p / (‖w_j‖ ‖z_l‖)^{p-1} ,

with ‖z_l‖ in it only where inputs are normalized; without it powers compound over layers.  The
weights are the state of the same flow and the same descent as neurons are, in plain coordinates;
what is recorded of neurons is recorded of the first layer.  From a small scale networks of more
than two layers leave the origin late (theory D15).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from gflow.network.neurons import AbstractFirstLayer
from gflow.network.prelu import positive_power
from gflow.network.read_off import classifier

LayerInit = Literal["gaussian", "kaiming_uniform", "glorot", "published", "balanced"]
"""How the weights of layers are drawn."""


class DeepNetwork(AbstractFirstLayer):
    """Hidden pReLU layers and a linear output; call it on inputs (final)."""

    hidden: tuple[Float[Array, "_ _"], ...]
    """Weights of each hidden layer, a row a neuron."""
    output: Float[Array, "C h"]
    """Output weights; one row for a network whose sign is its class."""
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
    """Class of each output, where outputs are subclasses; None where they are what is asked for."""
    chart: ClassVar[str] = "module"

    def __init__(
        self,
        hidden: tuple[Float[Array, "_ _"], ...],
        output: Float[Array, "C h"],
        bias: Float[Array, " C"] | None,
        p: float,
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
        """Outputs: a number for each input if C = 1, else C of them; in the inputs' precision."""
        z = self.features(x)
        out = z @ self.output.astype(z.dtype).T
        if self.bias is not None:
            out = out + self.bias.astype(z.dtype)[None]
        return out[:, 0] if self.output.shape[0] == 1 else out

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

    def _layer(self, z, w):
        grown = z @ w.T
        if self.p == 1:
            return jnp.maximum(grown, 0)
        # Ratios first: powers of small weights would underflow in single precision.
        cosine = grown / _length(w)[None]
        if self.input_normalized:
            cosine = cosine / _length(z)[:, None]
        return positive_power(cosine, self.p - 1) * jnp.maximum(grown, 0)

    @property
    def direction(self) -> Float[Array, "h D"]:
        """Unit weights of the first layer."""
        return self.hidden[0] / jnp.exp(self.log_norm)[:, None]

    @property
    def log_norm(self) -> Float[Array, " h"]:
        """log ‖w_j‖ in the first layer."""
        return jnp.log(jnp.linalg.norm(self.hidden[0], axis=1))

    @property
    def outgoing(self) -> Float[Array, "k h"]:
        """Weights that read the first layer."""
        return (*self.hidden, self.output)[1]

    @property
    def log_output(self) -> Float[Array, " h"]:
        """log of the length of the weights that read a neuron of the first layer."""
        return jnp.log(jnp.linalg.norm(self.outgoing, axis=0))

    @property
    def sign(self) -> Float[Array, " h"]:
        """Sign of the sum of these weights, +1 or -1."""
        total = self.outgoing.sum(axis=0)
        return jnp.where(total < 0, -1.0, 1.0).astype(total.dtype)

    @property
    def degree(self) -> float:
        """1: activations are normalized."""
        return 1.0

    def projected(self) -> "DeepNetwork":
        return self

    def network(self, p: float) -> "DeepNetwork":
        """Itself; the power is its own."""
        return self

    def function(self, p: float) -> Callable:
        return classifier(self, self.class_of)

    @property
    def sizes(self) -> Float[Array, " L"]:
        """Frobenius norms of all weight matrices."""
        return jnp.stack([jnp.linalg.norm(w) for w in self.layers])

    @property
    def layers(self) -> tuple[Float[Array, "_ _"], ...]:
        """All weight matrices, from the first to the output."""
        return (*self.hidden, self.output)


def _length(rows):
    """‖row‖, however small; 1 for a row of zeros, whose gradient is 0."""
    largest = jax.lax.stop_gradient(jnp.abs(rows).max(axis=1))
    unit = jnp.where(largest > 0, largest, 1)
    square = ((rows / unit[:, None]) ** 2).sum(axis=1)
    return unit * jnp.sqrt(jnp.where(square > 0, square, 1))


def deep_network(
    widths: Sequence[int],
    C: int,
    scale: float,
    rng: np.random.Generator,
    p: float,
    bias: bool,
    input_normalized: bool,
    skip: bool,
    layer_norm: bool,
    init: LayerInit = "gaussian",
    class_of: tuple[int, ...] | None = None,
) -> DeepNetwork:
    """Independent weights of mean 0, their variance by the sizes of each layer; biases 0.

    **Arguments:**

    - `widths`: input dimension, then the width of each hidden layer.
    - `C`: outputs.
    - `scale`: factor on all weights.
    - `rng`: random stream.
    - `p`, `bias`, `input_normalized`, `skip`, `layer_norm`, `class_of`: as in `DeepNetwork`.
    - `init`: "gaussian", entries N(0, 2/fan-in), which is Kaiming's; "kaiming_uniform", uniform of
        the same variance; "glorot", N(0, 2/(fan-in + fan-out)); "published", hidden weights uniform
        in ±√(6/width) and output weights in ±1/√width; "balanced", of a neuron input and output
        weights are uniform unit vectors.

    **Source:** He et al., ICCV 2015; Glorot and Bengio, AISTATS 2010; the published code of Min and
    Vidal, ICML 2024 (theory E2, which does not say how output weights start: torch's default).
    """
    layers = []
    with jax.enable_x64(True):
        for i, (fan_in, width) in enumerate(pairwise([*widths, C])):
            drawn = _drawn(init, fan_in, width, i == len(widths) - 1, rng)
            layers.append(jnp.asarray(scale * drawn))
        return DeepNetwork(
            tuple(layers[:-1]), layers[-1], jnp.zeros(C) if bias else None, float(p),
            input_normalized, skip, layer_norm, class_of,
        )  # fmt: skip


def _drawn(init: LayerInit, fan_in: int, width: int, is_last: bool, rng: np.random.Generator):
    if init == "gaussian":
        return np.sqrt(2 / fan_in) * rng.standard_normal((width, fan_in))
    if init == "glorot":
        return np.sqrt(2 / (fan_in + width)) * rng.standard_normal((width, fan_in))
    if init == "balanced":
        w = rng.standard_normal((width, fan_in))
        return w / np.linalg.norm(w, axis=0 if is_last else 1, keepdims=True)
    bound = np.sqrt(6 / fan_in)
    if init == "published":
        bound = 1 / np.sqrt(fan_in) if is_last else np.sqrt(6 / width)
    return rng.uniform(-bound, bound, (width, fan_in))


def stable_rank(features: Float[Array, "n h"], rounds: int = 60) -> Float[Array, ""]:
    """‖H‖_F²/‖H‖₂² of hidden features, the second by power iteration; 0 if all are 0.

    **Source:** theory E2.
    """
    largest = jnp.abs(features).max()
    H = features / jnp.where(largest > 0, largest, 1)
    v = jnp.ones(H.shape[1], H.dtype)

    def step(_, v):
        v = H.T @ (H @ v)
        size = jnp.linalg.norm(v)
        return v / jnp.where(size > 0, size, 1)

    v = jax.lax.fori_loop(0, rounds, step, v)
    top = ((H @ v) ** 2).sum()
    return jnp.where(top > 0, (H**2).sum() / jnp.where(top > 0, top, 1), 0.0)
