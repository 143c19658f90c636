"""How far samples are from being misclassified, in one or more norms.

One idea: a radius a sample and a norm says everything, the robust accuracy at every radius
included, so a curve is never computed point by point and cannot rise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real

from gflow.network.condense import Population
from gflow.network.prelu import Network
from gflow.robustness.minimum_norm import minimum_norm, minimum_norm_of_classes, rivals
from gflow.robustness.model_margin import SignMargin
from gflow.robustness.norm import Norm
from gflow.robustness.published_search import PUBLISHED_RADII, published_accuracy
from gflow.robustness.radius import Radii, radii


@dataclass(frozen=True)
class Robustness:
    """Brackets of the radii of the same samples, by norm."""

    y: Float[np.ndarray, " n"]
    """Labels of the samples, ±1, or 0, 1, … for many outputs."""
    radii: Mapping[Norm, Radii]
    """[certified, attacked] of every sample."""
    published: Float[np.ndarray, " B"] | None = None
    """Robust accuracy that the published l2 attack leaves at `PUBLISHED_RADII`; None if not run."""

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.y)

    def median(self, norm: Norm) -> tuple[float, float]:
        """Median radius, between certified and attacked."""
        found = self.radii[norm]
        return float(np.median(found.certified)), float(np.median(found.attacked))

    def worst_ratio(self, norm: Norm) -> float:
        """Smallest certified over attacked radius among samples that are right and were flipped."""
        low, high = self.radii[norm][:2]
        some = (high > 0) & np.isfinite(high)
        return float((low[some] / high[some]).min(initial=1.0))


def measure_robustness(
    network: Network | Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    norms: Sequence[Norm],
    seed: int,
    left_out: float = 0.0,
    published: bool = False,
) -> Robustness:
    """Bracket the radius of every sample in every norm.

    **Arguments:**

    - `network`: f, of any power and number of neurons.
    - `x`, `y`: samples and their labels ±1.
    - `norms`: in which distance is measured.
    - `seed`: of the attacks.
    - `left_out`: bound on what is missing from f on the unit ball already, as a share of Σ_j m_j.
    - `published`: whether to run the published attack as well.

    **Returns:** a `Robustness`, its radii with their witnesses.

    **Source:** theory D10.
    """
    whole = (network if isinstance(network, Population) else Population.of(network)).distinct
    found = {norm: radii(whole, x, y, seed, left_out, norm) for norm in norms}
    curve = published_accuracy(whole, x, y, PUBLISHED_RADII) if published else None
    return Robustness(y, found, curve)


MOST_RIVALS, STEPS = 4, 200
"""Other classes tried for each sample, those of the largest outputs, and steps of each walk."""


def attack_model(
    f: Callable,
    x: Float[np.ndarray, "n D"],
    y: Real[np.ndarray, " n"],
    norms: Sequence[Norm],
) -> Robustness:
    """Attack every sample of any differentiable model, in float32; nothing is certified.

    **Arguments:**

    - `f`: from inputs (n, D) to outputs (n,) whose sign is the class, or (n, C).
    - `x`, `y`: samples, and their labels: ±1, or 0, 1, …
    - `norms`: in which distance is measured.

    **Returns:** a `Robustness` with radii in [0, attacked] and their witnesses.
    """
    at, label = x.astype(np.float32), y.astype(np.int64)
    toward = rivals(at, label, at, label)
    many = np.ndim(f(at[:1])) == 2
    found = {}
    for norm in norms:
        if many:
            attack = minimum_norm_of_classes(f, at, label, norm, toward, STEPS, MOST_RIVALS)
        else:
            sign = label.astype(np.float32)
            attack = minimum_norm(SignMargin(f), at, sign, norm, toward, STEPS)
        found[norm] = Radii(np.zeros(len(at)), attack.radius, 0, attack)
    return Robustness(y.astype(np.float64), found)
