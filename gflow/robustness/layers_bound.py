"""Certified radii of networks of layers, of any number of outputs.

One idea: on a ball each layer changes by at most a factor of what its input changes by, in l2.  So
a radius that is certified where the last hidden layer begins is one of inputs.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Real

from gflow.data.checks import check_classes, check_finite, check_not_negative, check_signs
from gflow.network.host_layers import HostLayer, HostLayers
from gflow.network.prelu import host_power
from gflow.robustness.bisection import bisected
from gflow.robustness.leaning import DOUBT
from gflow.robustness.norm import Norm
from gflow.robustness.outputs_bound import certified_of_outputs
from gflow.robustness.quadratic_form import QuadraticForm

_HALVINGS = 20
"""Of the bracket of each radius."""
_FARTHEST = 16.0
"""The largest radius that is looked for where the last hidden layer begins, in lengths of what
enters it; without a bias none is longer than 1."""
_ROUNDING = 1e-9
"""Relative error of how far features change: sums of some thousand products, layer by layer."""


def certified_of_layers(
    network: HostLayers,
    x: Float[np.ndarray, "n D"],
    y: Real[np.ndarray, " n"],
    most: Float[np.ndarray, " n"],
    *,
    norm: Norm,
) -> Float[np.ndarray, " n"]:
    """A radius within which the prediction stays that of the label, sample by sample.

    With one hidden layer that of `certified_of_outputs`.  With more, z being what enters the last
    hidden layer and ρ the l2 radius certified there, the largest R with ‖z(x + δ) - z(x)‖₂ <= ρ
    for ‖δ‖ <= R, by bounds on each layer.  With a skip connection z is what leaves that layer.

    **Arguments:**

    - `network`: its layers.
    - `x`, `y`: samples and their labels: ±1 for one output, 0, 1, … for several.
    - `most`: radii that need not be exceeded, such as attacked ones.
    - `norm`: in which perturbations are measured.

    **Returns:** radii, at most `most`; 0 where nothing is certified.

    **Source:** theory D10.
    """
    if len(network.hidden) == 1:
        return certified_of_outputs(network.top, x, y, most, norm=norm)
    _check(network, x, y, most)
    last = network.layers[-1]
    # What leaves the range of numbers certifies nothing.
    with np.errstate(over="ignore", invalid="ignore"):
        if last.skip:
            passage = _Passage.through(network.layers, x, norm)
            room = _room_of_outputs(network, passage.end, y)
        else:
            passage = _Passage.through(network.layers[:-1], x, norm, before=last)
            farthest = _FARTHEST * np.linalg.norm(passage.end, axis=1)
            farthest = np.fmin(passage.change(most), farthest)
            room = certified_of_outputs(network.top, passage.end, y, farthest, norm=Norm.L2)

        # Features are known to rounding.
        room -= DOUBT * np.linalg.norm(passage.end, axis=1)

        def too_far(R: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
            return ~(passage.change(R) * (1 + _ROUNDING) < room)

        return bisected(too_far, np.zeros(len(x)), most.astype(np.float64), _HALVINGS)[0]


def _check(
    network: HostLayers,
    x: Float[np.ndarray, "n D"],
    y: Real[np.ndarray, " n"],
    most: Float[np.ndarray, " n"],
) -> None:
    check_finite(x, "`x`")
    check_not_negative(most=most)
    one = len(network.output) == 1
    check_signs(y=y) if one else check_classes(y, int(network.top.classes.max()) + 1)


def _room_of_outputs(
    network: HostLayers, z: Float[np.ndarray, "n h"], y: Real[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """How far in l2 features of the last hidden layer are from those of another class."""
    out = z @ network.output.T + network.bias
    if len(network.output) == 1:
        return np.maximum(y * out[:, 0], 0) / np.linalg.norm(network.output)
    ahead = network.top.leading(out, y)
    gap = np.take_along_axis(out, ahead[:, None], axis=1) - out
    apart = np.linalg.norm(network.output[ahead, None] - network.output, axis=2)
    with np.errstate(divide="ignore"):
        room = np.where(gap > 0, gap / apart, 0)
    return np.where(y[:, None] == network.top.classes, np.inf, room).min(axis=1)


@dataclass(frozen=True)
class _Passage:
    """Samples on their way through layers."""

    layers: tuple[HostLayer, ...]
    stretch: float
    """What a change of x by 1 is at most, in the norm in which the first layer sees it."""
    forms: tuple[QuadraticForm, ...]
    """What the neurons of each layer see of a change of its input."""
    inputs: tuple[Float[np.ndarray, "n _"], ...]
    """What enters each layer, before its layer norm, and what leaves the last."""
    before: HostLayer | None
    """The layer whose layer norm follows."""

    @classmethod
    def through(
        cls,
        layers: tuple[HostLayer, ...],
        x: Float[np.ndarray, "n D"],
        norm: Norm,
        before: HostLayer | None = None,
    ) -> "_Passage":
        """The samples `x`, whose changes are measured in `norm`, later ones in l2."""
        # Of a layer that normalizes its input only the l2 norm of a change is bounded.
        entry = Norm.L2 if layers[0].turns else norm
        stretch = norm.largest_l2(x.shape[1]) if layers[0].turns else 1.0
        forms = tuple(
            QuadraticForm(layer.u, layer.length**2, entry if i == 0 else Norm.L2)
            for i, layer in enumerate(layers)
        )
        inputs = [x]
        for layer in layers:
            inputs.append(layer(inputs[-1]))
        return cls(layers, stretch, forms, tuple(inputs), before)

    @property
    def end(self) -> Float[np.ndarray, "n _"]:
        """What comes out."""
        return self.inputs[-1] if self.before is None else self.before.entering(self.inputs[-1])

    def change(self, R: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The most in l2 that what comes out changes for ‖δ‖ <= R, at most."""
        change = self.stretch * R
        for layer, form, z in zip(self.layers, self.forms, self.inputs, strict=False):
            change = _entering_change(layer, z, change)
            change = _layer_change(layer, form, layer.entering(z), change)
        if self.before is None:
            return change
        return _entering_change(self.before, self.inputs[-1], change)


def _entering_change(
    layer: HostLayer, z: Float[np.ndarray, "n D"], change: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """By its layer norm, since ‖v/‖v‖ - w/‖w‖‖ <= 2‖v - w‖/(‖v‖ + ‖w‖) (Dunkl and Williams)."""
    if not layer.layer_norm:
        return change
    size = 2 * np.linalg.norm(z - z.mean(axis=1, keepdims=True), axis=1) - change
    share = np.divide(2 * change, size, out=np.full_like(change, 2.0), where=size > 0)
    return z.shape[1] ** 0.5 * np.minimum(share, 2)


def _layer_change(
    layer: HostLayer,
    form: QuadraticForm,
    z: Float[np.ndarray, "n D"],
    change: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """By its activation, whose derivative is the largest at the far end of what a neuron sees.

    With inputs normalized, z/‖z‖ = ẑ, it is that at ẑ times I - (1 - 1/p) ẑẑᵀ, of l2 norm 1.
    """
    size = np.linalg.norm(z, axis=1, keepdims=True)
    seen = z @ layer.u.T + change[:, None] * form.reach + DOUBT * size
    if layer.turns:
        least = size - change[:, None]
        seen = np.divide(seen, least, out=np.ones_like(seen), where=least > 0)
        seen = np.minimum(seen, 1)
    slope = layer.p * host_power(seen, layer.p - 1)
    after = np.sqrt(form.largest(slope**2)) * change
    return after + form.width * change if layer.skip else after
