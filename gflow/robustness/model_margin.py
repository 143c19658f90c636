"""How far the prediction of a model is from being another one, as a function of the input.

An attack lowers the margin itself, since a loss of it saturates: its gradient underflows just where
a sample is most certain.
"""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from gflow.measure.margin import margins
from gflow.robustness.norm import Norm

_SMALL = 1e-12


class AbstractModelMargin(eqx.Module):
    """Margins of inputs with their labels; > 0 where the prediction is right (abstract)."""

    f: eqx.AbstractVar[Callable]
    """The model, on a batch of inputs (n, D)."""

    @abstractmethod
    def __call__(self, x: Float[Array, "n D"], y: Real[Array, " n *label"]) -> Float[Array, " n"]:
        """The margin of each input."""


class Perturbed(eqx.Module):
    """Samples that are to be misclassified by small perturbations (final)."""

    margin: AbstractModelMargin
    x: Float[Array, "n D"]
    y: Real[Array, " n *label"]
    norm: Norm = eqx.field(static=True)
    """In which perturbations are small."""
    basis: Float[Array, "D d"] | None = None
    """Orthonormal, of the subspace in whose coordinates perturbations are; None for entries."""

    def __call__(self, delta: Float[Array, "n d"]) -> Float[Array, " n"]:
        """The margins of x + δ."""
        return self.margin(self.x + (delta if self.basis is None else delta @ self.basis.T), self.y)

    def coordinates(self, rows: Float[Array, "*n D"]) -> Float[Array, "*n d"]:
        """The coordinates of perturbations, or of what of them lies in the subspace."""
        return rows if self.basis is None else rows @ self.basis


class OutputMargin(AbstractModelMargin):
    """y f(x) for one output and labels ±1; z_y - max_{j≠y} z_j for many, labels 0, 1, … (final)."""

    f: Callable

    def __call__(self, x: Float[Array, "n D"], y: Real[Array, " n"]) -> Float[Array, " n"]:
        """The margin of each input."""
        return margins(y, self.f(x))


class RivalMargin(AbstractModelMargin):
    """The output of the true class less that of one other; labels are pairs of them (final).

    Where it is not positive the prediction is wrong, whichever class is ahead.
    """

    f: Callable

    def __call__(self, x: Float[Array, "n D"], y: Real[Array, "n 2"]) -> Float[Array, " n"]:
        """z_y - z_r, for rows (y, r)."""
        z = jnp.take_along_axis(self.f(x), y.astype(int), axis=1)
        return z[:, 0] - z[:, 1]


class RatioMargin(AbstractModelMargin):
    """The class margin over the gap of first and third output: blind to scale (final).

    Defined for three classes or more.

    **Source:** Croce and Hein, ICML 2020: the difference of logits ratio.
    """

    f: Callable

    def __call__(self, x: Float[Array, "n D"], y: Real[Array, " n"]) -> Float[Array, " n"]:
        """(z_y - max_{j≠y} z_j)/(z_(1) - z_(3)).

        **Raises:** `ValueError` for fewer than three outputs.
        """
        z = self.f(x)
        if z.shape[1] < 3:
            raise ValueError(
                f"the model must have at least 3 outputs for a ratio of their differences, but has "
                f"{z.shape[1]}; try OutputMargin."
            )
        largest = jax.lax.top_k(z, 3)[0]
        return margins(y, z) / (largest[:, 0] - largest[:, 2] + _SMALL)
