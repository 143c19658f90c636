"""Hidden neurons with several outputs, on the host and in float64.

One idea: the lead of one output over another is a network of one output, so whatever is known of
those is known of each pair.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Real

from gflow.data.checks import check_numbers
from gflow.network.population import Population


@dataclass(frozen=True, eq=False)
class VectorPopulation:
    """f(x)_c = Σ_j a_jc σ(<u_j, x>)^p/‖x‖^{p-1} + b_c, one hidden layer."""

    u: Float[np.ndarray, "h D"]
    """Unit directions u_j."""
    a: Float[np.ndarray, "h C"]
    """What each neuron adds to each output."""
    bias: Float[np.ndarray, " C"]
    """b; 0 for none."""
    p: float
    """Power of the activation."""
    input_normalized: bool
    """Whether the activation divides by ‖x‖^{p-1}."""
    class_of: tuple[int, ...] | None = None
    """Class of each output if outputs are subclasses; None if they are classes."""

    def __post_init__(self):
        check_numbers(u=self.u, a=self.a, bias=self.bias)

    @property
    def classes(self) -> Int[np.ndarray, " C"]:
        """The class of each output."""
        own = range(self.a.shape[1]) if self.class_of is None else self.class_of
        return np.array(own, int)

    def leading(
        self, outputs: Float[np.ndarray, "n C"], y: Real[np.ndarray, " n"]
    ) -> Int[np.ndarray, " n"]:
        """The largest output of the class of each label."""
        return np.where(y[:, None] == self.classes, outputs, -np.inf).argmax(axis=1)

    @property
    def bias_power(self) -> float:
        """q with f ‖x‖^{p-1} or f = Σ_j a_j σ(<u_j, x>)^p + b ‖x‖^q, of the same sign as f."""
        return self.p - 1 if self.input_normalized else 0.0

    def lead(self, output: int, rival: int | None = None) -> tuple[Population, float]:
        """One output less another, or alone: a network of one output, and its bias."""
        a, bias = self.a[:, output], self.bias[output]
        if rival is not None:
            a, bias = a - self.a[:, rival], bias - self.bias[rival]
        s = np.where(a < 0, -1.0, 1.0)
        return Population(self.u, np.abs(a), s, self.p, 0.0), float(bias)

    def __call__(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n C"]:
        """Outputs times ‖x‖^{p-1} where inputs are normalized."""
        power = self.bias_power
        z = np.maximum(x @ self.u.T, 0) ** self.p @ self.a
        return z + np.linalg.norm(x, axis=1, keepdims=True) ** power * self.bias
