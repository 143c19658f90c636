"""How far samples are from being misclassified, in one or more norms.

One radius per sample and norm says everything, the robust accuracy at every radius
included, so a curve is never computed point by point and cannot rise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import TypeGuard

import numpy as np
from jaxtyping import Float, Int, Real

from gflow.data.checks import check_classes, check_finite, check_signs
from gflow.network.host_layers import HostLayers
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network
from gflow.robustness.attack import Attack
from gflow.robustness.layers_bound import certified_of_layers
from gflow.robustness.minimum_norm import minimum_norm, minimum_norm_of_classes, rivals
from gflow.robustness.model_margin import OutputMargin
from gflow.robustness.model_witness import in_double
from gflow.robustness.norm import Norm
from gflow.robustness.published_search import PUBLISHED_RADII, published_accuracy
from gflow.robustness.radius import Radii, radii


@dataclass(frozen=True)
class Robustness:
    """Brackets of the radii of the same samples, by norm."""

    y: Float[np.ndarray, " n"]
    """Labels of the samples, ±1, or 0, 1, … for many outputs."""
    radii: Mapping[Norm, Radii]
    """[certified, attacked] of every sample; the name of a norm is as good a key."""
    published: Float[np.ndarray, " B"] | None = None
    """Robust accuracy that the published l2 attack leaves at `PUBLISHED_RADII`; None if not run."""

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.y)

    def median(self, norm: Norm) -> tuple[float, float]:
        """Median radius, between certified and attacked."""
        bracket = self.radii[norm]
        return float(np.median(bracket.certified)), float(np.median(bracket.attacked))

    def worst_ratio(self, norm: Norm) -> float:
        """Smallest certified over attacked radius among samples that are right and were flipped."""
        low, high = self.radii[norm][:2]
        some = (high > 0) & np.isfinite(high)
        return float((low[some] / high[some]).min(initial=1.0))


def measure_radii(
    network: Network | Population | Callable,
    x: Real[np.ndarray, "n D"],
    y: Real[np.ndarray, " n"],
    norms: Sequence[Norm],
    *,
    seed: int,
    published: bool = False,
) -> Robustness:
    """Bracket the radius of every sample in every norm.

    A network that is `certifiable` gets radii from both sides, in float64.  Any other model is
    attacked in float32; its radii are certified to be at least 0, or what `certified_of_layers`
    says if it can be had `on_host`.  Every perturbation flips in float64, and the shortest in any
    norm bounds the radii in all others.

    **Arguments:**

    - `network`: f; a differentiable model takes inputs (n, D) to outputs (n,), whose sign is the
        class, or (n, C).
    - `x`, `y`: samples and their labels: ±1, or 0, 1, … for many outputs.
    - `norms`: in which distance is measured.
    - `seed`: of the attacks on a certifiable network.
    - `published`: whether to run the published attack as well; needs a certifiable network.

    **Returns:** a `Robustness`, its radii with their witnesses.

    **Source:** theory D10.
    """
    at, label = np.asarray(x, np.float64), np.asarray(y, np.float64)
    check_finite(at, "`x`")
    if not _is_certifiable(network):
        return Robustness(label, _attacked(network, at, label, norms))
    whole = population_of(network).distinct
    brackets: dict[Norm, Radii] = {}
    for norm in norms:
        known = [_perturbation(radii) for radii in brackets.values()]
        brackets[norm] = radii(whole, at, label, seed, norm=norm, known=known)
    brackets = _shortest_of_all(brackets)
    curve = published_accuracy(whole, at, label, PUBLISHED_RADII) if published else None
    return Robustness(label, brackets, curve)


def _shortest_of_all(brackets: Mapping[Norm, Radii]) -> dict[Norm, Radii]:
    """Radii in each norm, where a flip that is known in another norm may be shorter."""
    return {
        norm: reduce(
            lambda radii, other, norm=norm: _or_shorter(radii, _perturbation(other), norm),
            (other for other in brackets.values() if other is not radii),
            radii,
        )
        for norm, radii in brackets.items()
    }


def _or_shorter(radii: Radii, delta: Float[np.ndarray, "n D"], norm: Norm) -> Radii:
    """Radii, or the sizes of perturbations where these are shorter; those of zeros flip nothing."""
    size = np.asarray(norm.size(delta))
    shorter = (size > 0) & (size < radii.attacked)
    if not shorter.any():
        return radii
    attacked = np.where(shorter, size, radii.attacked)
    best = np.where(shorter[:, None], delta, _perturbation(radii))
    return radii._replace(attacked=attacked, witness=Attack(attacked, best, None))


def _perturbation(radii: Radii) -> Float[np.ndarray, "n D"]:
    assert radii.witness is not None, "they were just measured"
    return radii.witness.perturbation


def _is_certifiable(network: Network | Population | Callable) -> TypeGuard[Network | Population]:
    return getattr(network, "certifiable", False)


STEPS = 200
"""Of each walk."""


def _attacked(
    f: Callable, x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], norms: Sequence[Norm]
) -> dict[Norm, Radii]:
    """Radii in [0, attacked] of a model of one output or of many.

    Attacks run in float32; what they find counts where the model errs in float64.
    """
    single = x.astype(np.float32)
    outputs = f(single[:1])
    many = np.ndim(outputs) == 2
    check_classes(y, np.shape(outputs)[1]) if many else check_signs(y=y)
    toward = rivals(single, y, single, y)

    def search(norm: Norm, rows: slice | Int[np.ndarray, " r"], at: np.ndarray) -> Attack:
        ways = toward[rows]
        if many:
            label = y[rows].astype(np.int64)
            return minimum_norm_of_classes(f, at[rows], label, norm, toward=ways, steps=STEPS)
        label = y[rows].astype(at.dtype)
        return minimum_norm(OutputMargin(f), at[rows], label, norm, toward=ways, steps=STEPS)

    brackets = {}
    for norm in norms:
        first = search(norm, slice(None), single)
        attack = in_double(f, x, y, first, partial(search, norm, at=x), norm=norm)
        brackets[norm] = Radii(np.zeros(len(x)), attack.radius, 0, attack)
    brackets = _shortest_of_all(brackets)
    layers: HostLayers | None = getattr(f, "on_host", None)
    if layers is None:
        return brackets
    return {norm: _certified_below(layers, x, y, radii, norm) for norm, radii in brackets.items()}


def _certified_below(
    layers: HostLayers,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    radii: Radii,
    norm: Norm,
) -> Radii:
    """Radii with lower ends as well."""
    most = np.minimum(radii.attacked, np.asarray(norm.size(x)))
    lower = certified_of_layers(layers, x, y, most, norm=norm)
    return radii._replace(certified=lower, neurons=sum(map(len, layers.hidden)))
