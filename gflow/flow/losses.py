"""The losses a flow descends, as functions of label and output.

One idea: the flow needs only a value and the force g = -∂ℓ/∂f; the force at f = 0 sets the clock of
the whole alignment phase and is called κ (theory section 2).  That much is a loss of one's own for
`gflow.simulate(loss=…)`.  What else judges and scenario files need to know of a loss stands beside
it in an `AbstractNamedLoss`, so a new one is a class and a call of `register_loss`.
"""

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real
from optax.losses import softmax_cross_entropy_with_integer_labels

from gflow.scenario import words

Each = Float[Array, "*n"]
"""A number for each sample."""

Recorded = Float[np.ndarray, "*n"]
"""The same in numpy, for what judges read off a record."""


class AbstractLoss(eqx.Module):
    """A loss ℓ(y, f) of one sample."""

    kappa: eqx.AbstractClassVar[float]
    """κ, the size of the force at f = 0 (dimensionless)."""

    @abc.abstractmethod
    def value(self, y: Real[Array, "*n"], f: Float[Array, "*outputs"]) -> Float[Array, "*n"]:
        """ℓ(y, f)."""

    @abc.abstractmethod
    def force(self, y: Real[Array, "*n"], f: Float[Array, "*outputs"]) -> Float[Array, "*outputs"]:
        """g = -∂ℓ/∂f."""


class AbstractScalarLoss(AbstractLoss):
    """A loss of one output f for labels y = ±1, with force κ y at f = 0 (abstract).

    A subclass is `kappa`, `value` and `force`: all that `gflow.simulate(loss=…)` takes.
    """


class AbstractNamedLoss(AbstractScalarLoss):
    """A loss that scenario files can name, and of which judges know the laws (abstract)."""

    name: eqx.AbstractClassVar[str]
    """What scenario files call it."""
    saturates: eqx.AbstractClassVar[bool]
    """Whether the force vanishes at f = y, so that outputs tend to their labels; else they grow
    for ever."""

    @abc.abstractmethod
    def force_change(self, y: Recorded, f: Recorded) -> Recorded:
        """g(y, f) - g(y, 0), to all digits however small f is."""

    def slowing(self, z: Recorded) -> Recorded:
        """1 - |g|/κ at outputs of size z and the right sign, to all digits however small z is."""
        return -self.force_change(np.ones_like(z), z) / self.kappa


class Exponential(AbstractNamedLoss):
    """ℓ = e^{-y f} (final)."""

    name: ClassVar[str] = "exponential"
    kappa: ClassVar[float] = 1.0
    saturates: ClassVar[bool] = False

    def value(self, y: Each, f: Each) -> Each:
        return jnp.exp(-y * f)

    def force(self, y: Each, f: Each) -> Each:
        return y * jnp.exp(-y * f)

    def force_change(self, y: Recorded, f: Recorded) -> Recorded:
        return y * np.expm1(-y * f)


class Logistic(AbstractNamedLoss):
    """ℓ = log(1 + e^{-y f}) (final)."""

    name: ClassVar[str] = "logistic"
    kappa: ClassVar[float] = 0.5
    saturates: ClassVar[bool] = False

    def value(self, y: Each, f: Each) -> Each:
        return jax.nn.softplus(-y * f)

    def force(self, y: Each, f: Each) -> Each:
        return y * jax.nn.sigmoid(-y * f)

    def force_change(self, y: Recorded, f: Recorded) -> Recorded:
        return -y * np.tanh(y * f / 2) / 2


class HalfSquare(AbstractNamedLoss):
    """ℓ = (y - f)²/2 (final)."""

    name: ClassVar[str] = "half_square"
    kappa: ClassVar[float] = 1.0
    saturates: ClassVar[bool] = True

    def value(self, y: Each, f: Each) -> Each:
        return (y - f) ** 2 / 2

    def force(self, y: Each, f: Each) -> Each:
        return y - f

    def force_change(self, y: Recorded, f: Recorded) -> Recorded:
        return -f


class Square(AbstractNamedLoss):
    """ℓ = (y - f)², the mean-squared error of machine-learning libraries (final)."""

    name: ClassVar[str] = "square"
    kappa: ClassVar[float] = 2.0
    saturates: ClassVar[bool] = True

    def value(self, y: Each, f: Each) -> Each:
        return (y - f) ** 2

    def force(self, y: Each, f: Each) -> Each:
        return 2 * (y - f)

    def force_change(self, y: Recorded, f: Recorded) -> Recorded:
        return -2 * f


class CrossEntropy(AbstractLoss):
    """ℓ = log Σ_c e^{f_c} - f_y for labels y = 0, 1, … and C outputs (final).

    The force at f = 0 is 1 - 1/C on the output of the label and -1/C on the others; κ is 1.
    """

    kappa: ClassVar[float] = 1.0

    def value(self, y: Real[Array, " n"], f: Float[Array, "n C"]) -> Float[Array, " n"]:
        return softmax_cross_entropy_with_integer_labels(f, y.astype(int))

    def force(self, y: Real[Array, " n"], f: Float[Array, "n C"]) -> Float[Array, "n C"]:
        return jax.nn.one_hot(y.astype(int), f.shape[1], dtype=f.dtype) - jax.nn.softmax(f, axis=1)


LOSSES: dict[str, AbstractNamedLoss] = {}
"""The losses of one output, by name."""


def register_loss(loss: AbstractNamedLoss) -> None:
    """Make a loss available to scenario files as a value of `flow.loss`, under its own name.

    **Raises:** `ValueError` if another loss has this name.
    """
    words.LOSSES.register(LOSSES, loss.name, loss)


for _loss in (Exponential(), Logistic(), HalfSquare(), Square()):
    register_loss(_loss)
