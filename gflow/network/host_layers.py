"""Hidden layers and a linear output, on the host and in float64."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_numbers
from gflow.network.prelu import host_power
from gflow.network.vector_population import VectorPopulation


@dataclass(frozen=True, eq=False)
class HostLayer:
    """z -> ‖w_j‖ σ(<u_j, z>)^p, over ‖z‖^{p-1} where inputs are normalized, and z itself with a
    skip connection."""

    u: Float[np.ndarray, "h D"]
    """Unit directions u_j; 0 for a neuron without weights."""
    length: Float[np.ndarray, " h"]
    """‖w_j‖."""
    p: float
    """Power of the activation."""
    input_normalized: bool
    """Whether the activation divides by ‖z‖^{p-1}."""
    skip: bool
    """Whether z is added."""
    layer_norm: bool
    """Whether z is first given mean 0 and variance 1."""

    @property
    def turns(self) -> bool:
        """Whether outputs over ‖z‖ depend on the direction of z only."""
        return self.input_normalized and self.p > 1

    def entering(self, z: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
        """What enters its neurons: z, after the layer norm if there is one."""
        if not self.layer_norm:
            return z
        z = z - z.mean(axis=1, keepdims=True)
        size = np.linalg.norm(z, axis=1, keepdims=True)
        return z.shape[1] ** 0.5 * np.divide(z, size, out=np.zeros_like(z), where=size > 0)

    def __call__(self, z: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n h"]:
        """The output of the layer."""
        z = self.entering(z)
        seen = z @ self.u.T
        if self.turns:
            size = np.linalg.norm(z, axis=1, keepdims=True)
            seen = np.divide(seen, size, out=np.zeros_like(seen), where=size > 0)
            after = self.length * host_power(seen, self.p) * size
        else:
            after = self.length * host_power(seen, self.p)
        return z + after if self.skip else after


@dataclass(frozen=True, eq=False)
class HostLayers:
    """A network of layers, as `DeepNetwork`."""

    hidden: tuple[Float[np.ndarray, "_ _"], ...]
    """Weights of each hidden layer, one row per neuron."""
    output: Float[np.ndarray, "C h"]
    """Output weights."""
    bias: Float[np.ndarray, " C"]
    """Output bias; 0 for none."""
    p: float
    """Power of the activation."""
    input_normalized: bool = False
    skip: bool = False
    layer_norm: bool = False
    class_of: tuple[int, ...] | None = None
    """Class of each output if outputs are subclasses; None if they are classes."""

    def __post_init__(self):
        names = {f"hidden[{i}]": w for i, w in enumerate(self.hidden)}
        check_numbers(**names, output=self.output, bias=self.bias)

    @property
    def layers(self) -> tuple[HostLayer, ...]:
        """The hidden layers."""
        return tuple(self._layer(i, w) for i, w in enumerate(self.hidden))

    def _layer(self, i: int, w: Float[np.ndarray, "h D"]) -> HostLayer:
        length = np.linalg.norm(w, axis=1)
        u = np.divide(w, length[:, None], out=np.zeros_like(w), where=length[:, None] > 0)
        later = i > 0
        return HostLayer(
            u,
            length,
            self.p,
            input_normalized=self.input_normalized,
            skip=later and self.skip,
            layer_norm=later and self.layer_norm,
        )

    @property
    def neurons(self) -> int:
        """Number of hidden neurons."""
        return sum(map(len, self.hidden))

    @property
    def top(self) -> VectorPopulation:
        """The outputs as a network of one hidden layer, the last, whose skip is left out."""
        last = self.layers[-1]
        a = last.length[:, None] * self.output.T
        return VectorPopulation(
            last.u, a, self.bias, self.p, self.input_normalized, class_of=self.class_of
        )

    def __call__(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n C"]:
        """Outputs, (n, 1) for one."""
        for layer in self.layers:
            x = layer(x)
        return x @ self.output.T + self.bias
