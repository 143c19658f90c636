"""Classes read off a network that was trained on subclasses.

One idea: a network that has to tell subclasses apart cannot average them, so fine labels are a
remedy of feature averaging without another activation.  Its prediction is the class of its largest
output; so the output of a class is the largest one of its subclasses.
"""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real


def class_outputs(f: Float[Array, "n K"], class_of: tuple[int, ...]) -> Float[Array, "n C"]:
    """The largest output among the subclasses of each class.

    **Arguments:**

    - `f`: an output a subclass.
    - `class_of`: class of each, 0..C-1, none without a subclass.
    """
    classes = np.asarray(class_of)
    columns = [f[:, np.flatnonzero(classes == c)].max(axis=1) for c in range(max(class_of) + 1)]
    return jnp.stack(columns, axis=1)


def classifier(model: Callable, class_of: tuple[int, ...] | None) -> Callable:
    """The model of classes: itself, or where outputs are subclasses what is read off it."""
    return model if class_of is None else ReadOff(model, class_of)


class ReadOff(eqx.Module):
    """A model of subclasses as a model of classes; call it on inputs (final)."""

    model: Callable
    """From inputs (n, D) to an output a subclass."""
    class_of: tuple[int, ...] = eqx.field(static=True)
    """Class of each subclass."""

    def __call__(self, x: Real[Array | np.ndarray, "n D"]) -> Float[Array, "n C"]:
        """The output of each class."""
        return class_outputs(self.model(x), self.class_of)
