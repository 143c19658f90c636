"""Class predictions of a network that was trained on subclasses.

A network that must distinguish subclasses cannot average them, so fine labels are a remedy against
feature averaging that needs no other activation.  It predicts the class of its largest output, so
the output of a class is the largest output among its subclasses.
"""

from collections.abc import Callable
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from gflow.network.host_layers import HostLayers


def class_outputs(f: Float[Array, "n K"], class_of: tuple[int, ...]) -> Float[Array, "n C"]:
    """The largest output among the subclasses of each class.

    **Arguments:**

    - `f`: one output per subclass.
    - `class_of`: class of each subclass; every class 0..C-1 has at least one.
    """
    classes = np.asarray(class_of)
    columns = [f[:, np.flatnonzero(classes == c)].max(axis=1) for c in range(max(class_of) + 1)]
    return jnp.stack(columns, axis=1)


def classifier(model: Callable, class_of: tuple[int, ...] | None) -> Callable:
    """The model as a model of classes: itself, or a `ReadOff` if its outputs are subclasses."""
    return model if class_of is None else ReadOff(model, class_of)


class ReadOff(eqx.Module):
    """A model of subclasses as a model of classes; call it with inputs (final)."""

    model: Callable
    """From inputs (n, D) to one output per subclass."""
    class_of: tuple[int, ...] = eqx.field(static=True)
    """Class of each subclass."""

    @property
    def on_host(self) -> HostLayers | None:
        """The model of subclasses on the host, if it is one of layers."""
        layers: HostLayers | None = getattr(self.model, "on_host", None)
        return None if layers is None else replace(layers, class_of=self.class_of)

    def __call__(self, x: Real[Array | np.ndarray, "n D"]) -> Float[Array, "n C"]:
        """The output of each class."""
        return class_outputs(self.model(x), self.class_of)
