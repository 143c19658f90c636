"""The losses a flow descends, as functions of label and output.

One idea: the flow needs only a value and the force g = -∂ℓ/∂ŷ; the force at ŷ = 0 sets the clock
of the whole alignment phase and is called κ (theory section 2).
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real
from optax.losses import softmax_cross_entropy_with_integer_labels


class AbstractLoss(eqx.Module):
    """A loss ℓ(y, f) for labels y = ±1."""

    @property
    @abc.abstractmethod
    def kappa(self) -> float:
        """|∂ℓ/∂f| at f = 0 (dimensionless)."""

    @abc.abstractmethod
    def value(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """ℓ(y, f)."""

    @abc.abstractmethod
    def force(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """g = -∂ℓ/∂f."""


class Exponential(AbstractLoss):
    """ℓ = e^{-y f}, κ = 1 (final)."""

    @property
    def kappa(self) -> float:
        return 1.0

    def value(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return jnp.exp(-y * f)

    def force(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return y * jnp.exp(-y * f)


class Logistic(AbstractLoss):
    """ℓ = log(1 + e^{-y f}), κ = 1/2 (final)."""

    @property
    def kappa(self) -> float:
        return 0.5

    def value(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return jax.nn.softplus(-y * f)

    def force(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return y * jax.nn.sigmoid(-y * f)


class HalfSquare(AbstractLoss):
    """ℓ = (y - f)²/2, κ = 1 (final)."""

    @property
    def kappa(self) -> float:
        return 1.0

    def value(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return (y - f) ** 2 / 2

    def force(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return y - f


class Square(AbstractLoss):
    """ℓ = (y - f)², κ = 2: the mean-squared error of machine-learning libraries (final)."""

    @property
    def kappa(self) -> float:
        return 2.0

    def value(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return (y - f) ** 2

    def force(self, y: Float[Array, "*n"], f: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return 2 * (y - f)


class CrossEntropy(AbstractLoss):
    """ℓ = log Σ_c e^{f_c} - f_y for labels y = 0, 1, … and C outputs (final)."""

    @property
    def kappa(self) -> float:
        """1: the force on the outputs at f = 0 is 1 - 1/C on the own one and -1/C on the others."""
        return 1.0

    def value(self, y: Real[Array, " n"], f: Float[Array, "n C"]) -> Float[Array, " n"]:
        return softmax_cross_entropy_with_integer_labels(f, y.astype(int))

    def force(self, y: Real[Array, " n"], f: Float[Array, "n C"]) -> Float[Array, "n C"]:
        return jax.nn.one_hot(y.astype(int), f.shape[1], dtype=f.dtype) - jax.nn.softmax(f, axis=1)


LOSSES: dict[str, AbstractLoss] = {
    "exponential": Exponential(),
    "logistic": Logistic(),
    "half_square": HalfSquare(),
    "square": Square(),
}
"""The losses of one output, by the names scenario files use."""
