"""How far samples are from being misclassified, in one or more norms.

One radius per sample and norm says everything, the robust accuracy at every radius
included, so a curve is never computed point by point and cannot rise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from jaxtyping import Float, Real

from gflow.data.checks import check_classes, check_finite, check_signs
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network
from gflow.robustness.minimum_norm import minimum_norm, minimum_norm_of_classes, rivals
from gflow.robustness.model_margin import OutputMargin
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
    attacked only, in float32, and its radii are certified to be at least 0.

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
        return Robustness(label, _attacked(network, x, y, norms))
    whole = population_of(network).distinct
    brackets = {norm: radii(whole, at, label, seed, norm=norm) for norm in norms}
    curve = published_accuracy(whole, at, label, PUBLISHED_RADII) if published else None
    return Robustness(label, brackets, curve)


def _is_certifiable(network: Network | Population | Callable) -> TypeGuard[Network | Population]:
    return getattr(network, "certifiable", False)


MOST_RIVALS, STEPS = 4, 200
"""Other classes tried for each sample, those of the largest outputs, and steps of each walk."""


def _attacked(
    f: Callable, x: Real[np.ndarray, "n D"], y: Real[np.ndarray, " n"], norms: Sequence[Norm]
) -> dict[Norm, Radii]:
    """Radii in [0, attacked] of a model of one output or of many, in float32."""
    at = x.astype(np.float32)
    outputs = f(at[:1])
    many = np.ndim(outputs) == 2
    check_classes(y, np.shape(outputs)[1]) if many else check_signs(y=y)
    label = y.astype(np.int64)
    toward = rivals(at, label, at, label)
    brackets = {}
    for norm in norms:
        if many:
            attack = minimum_norm_of_classes(
                f, at, label, norm, toward=toward, steps=STEPS, most=MOST_RIVALS
            )
        else:
            sign = label.astype(np.float32)
            attack = minimum_norm(OutputMargin(f), at, sign, norm, toward=toward, steps=STEPS)
        brackets[norm] = Radii(np.zeros(len(at)), attack.radius, 0, attack)
    return brackets
