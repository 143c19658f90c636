"""How far samples are from being misclassified, in one or more norms.

One radius per sample and norm says everything, the robust accuracy at every radius
included, so a curve is never computed point by point and cannot rise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from types import MappingProxyType
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
from gflow.robustness.norm import Norm, l2_within
from gflow.robustness.published_search import PUBLISHED_RADII, published_accuracy
from gflow.robustness.radius import ROUNDING, Radii, radii
from gflow.robustness.subspace import Subspace
from gflow.robustness.universal_attack import Universal, universal

_IN = 1e-12  # of the length of a perturbation, that may be outside of a subspace it lies in


@dataclass(frozen=True)
class Robustness:
    """Brackets of the radii of the same samples, by norm."""

    y: Float[np.ndarray, " n"]
    """Labels of the samples, ±1, or 0, 1, … for many outputs."""
    radii: Mapping[Norm, Radii]
    """[certified, attacked] of every sample; the name of a norm is as good a key."""
    published: Float[np.ndarray, " B"] | None = None
    """Robust accuracy that the published l2 attack leaves at `PUBLISHED_RADII`; None if not run."""
    universal: tuple[Universal, ...] = ()
    """One l2 vector for each class; none if they were not looked for."""

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
    within: Mapping[str, Subspace] = MappingProxyType({}),
    share: float = 0.0,
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
    - `within`: subspaces by name, in which l2 perturbations are looked for as well.
    - `share`: of the samples of a class, for which one l2 vector is looked for that misclassifies
        all of them at once; 0 for none. It needs l2 among `norms`.

    **Returns:** a `Robustness`, its radii with their witnesses; those within a subspace by the norm
    that `l2_within` makes of its name, `l2_name`.

    **Source:** theory D10; within a subspace D31.
    """
    at, label = np.asarray(x, np.float64), np.asarray(y, np.float64)
    check_finite(at, "`x`")
    if share and Norm.L2 not in norms:
        raise ValueError(
            "`norms` must hold l2 where one vector for a class is looked for, but does not; add "
            "Norm.L2, or set share = 0."
        )
    if not _is_certifiable(network):
        brackets = _attacked(network, at, label, norms, within=within)
        vectors = _universal(network, at, label, brackets, share=share, seed=seed)
        return Robustness(label, brackets, None, vectors)
    whole = population_of(network).distinct
    brackets: dict[Norm, Radii] = {}
    for norm in norms:
        known = [_perturbation(radii) for radii in brackets.values()]
        brackets[norm] = radii(whole, at, label, seed, norm=norm, known=known)
    free = brackets[Norm.L2].certified if Norm.L2 in brackets else None
    for name, subspace in within.items():
        place = l2_within(name)
        brackets[place] = radii(whole, at, label, seed, within=subspace, free=free)
    brackets = _shortest_of_all(brackets, within)
    curve = published_accuracy(whole, at, label, PUBLISHED_RADII) if published else None
    vectors = _universal(whole, at, label, brackets, share=share, seed=seed)
    return Robustness(label, brackets, curve, vectors)


def _universal(
    network: Population | Callable,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    brackets: Mapping[Norm, Radii],
    *,
    share: float,
    seed: int,
) -> tuple[Universal, ...]:
    """One l2 vector for each class; none if no share of it is asked for."""
    if not share:
        return ()
    free = brackets[Norm.L2]
    known = _perturbation(free)
    return universal(network, x, y, share, certified=free.certified, known=known, seed=seed)


def _shortest_of_all(
    brackets: Mapping[Norm, Radii], within: Mapping[str, Subspace]
) -> dict[Norm, Radii]:
    """Radii in each norm, where a flip that is known in another norm may be shorter.

    Within a subspace only those of others count that lie in it.
    """

    def allowed(delta: Float[np.ndarray, "n D"], norm: Norm) -> Float[np.ndarray, "n D"]:
        if not norm.place:
            return delta
        size = np.linalg.norm(delta, axis=1)
        inside = np.linalg.norm(delta - within[norm.place].projected(delta), axis=1) <= _IN * size
        return np.where(inside[:, None], delta, 0.0)

    return {
        norm: reduce(
            lambda radii, other, norm=norm: _or_shorter(
                radii, allowed(_perturbation(other), norm), norm
            ),
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
    f: Callable,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    norms: Sequence[Norm],
    *,
    within: Mapping[str, Subspace],
) -> dict[Norm, Radii]:
    """Radii of a model of one output or of many, certified if it can be had `on_host`.

    Attacks run in float32; what they find counts where the model errs in float64.
    """
    single = x.astype(np.float32)
    outputs = f(single[:1])
    many = np.ndim(outputs) == 2
    check_classes(y, np.shape(outputs)[1]) if many else check_signs(y=y)
    toward = rivals(single, y, single, y)

    def search(norm: Norm, rows: slice | Int[np.ndarray, " r"], at: np.ndarray) -> Attack:
        how = {"toward": toward[rows], "within": within.get(norm.place), "steps": STEPS}
        if many:
            return minimum_norm_of_classes(f, at[rows], y[rows].astype(np.int64), norm, **how)
        return minimum_norm(OutputMargin(f), at[rows], y[rows].astype(at.dtype), norm, **how)

    brackets = {}
    for norm in (*norms, *map(l2_within, within)):
        first = search(norm, slice(None), single)
        attack = in_double(f, x, y, first, partial(search, norm, at=x), norm=norm)
        dimension = within[norm.place].d if norm.place else None
        brackets[norm] = Radii(np.zeros(len(x)), attack.radius, 0, attack, dimension)
    brackets = _shortest_of_all(brackets, within)
    layers: HostLayers | None = getattr(f, "on_host", None)
    if layers is None:
        return brackets
    certified = {}
    for norm, bracket in brackets.items():
        size = np.asarray(norm.size(x))
        bound = certified_of_layers(layers, x, y, np.minimum(bracket.attacked, size), norm=norm)
        lower = np.fmax(bound - ROUNDING * size, 0)
        certified[norm] = bracket._replace(certified=lower, neurons=layers.neurons)
    return certified
