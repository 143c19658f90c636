"""The radius at which a prediction falls, sample by sample, as [certified, attacked].

Certificate and attack both work on the folded network.  What folding left out, and rounding,
is inside the certificate; the attack is verified on the whole network.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_samples
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network, host_power
from gflow.robustness.attack import Attack, attack, share_beyond
from gflow.robustness.cast import Cast, casts_of
from gflow.robustness.joint_bound import radii_together
from gflow.robustness.norm import Norm
from gflow.robustness.radius_bound import certified_radii

ROUNDING = 1e-10
"""Taken off every certified radius, in units of the size of its sample.

What a certificate computes are sums of at most some thousand products of inputs and unit vectors,
right to D·2e-16 of the size of the input (1e-12 at D = 4000), and closed formulas of these.
"""

_LONGER = 1 + np.concatenate([[0], 10.0 ** np.arange(-9, -0.5)])
_ENTRIES = 1 << 25  # of samples times neurons held at once


class Radii(NamedTuple):
    """Between what no perturbation can do and what one has done."""

    certified: Float[np.ndarray, " n"]
    """No perturbation of this norm or less flips the sample; 0 where nothing is certified."""
    attacked: Float[np.ndarray, " n"]
    """A perturbation of this norm flips it; inf where none is known, 0 where it is wrong."""
    neurons: int
    """Neurons of the folded network."""
    witness: Attack | None = None
    """Perturbations as long as `attacked`; None where they are not at hand."""

    def accuracy(
        self, R: Float[np.ndarray, " B"]
    ) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]]:
        """Robust accuracy at radii R, between certified and attacked."""
        return share_beyond(self.certified, R), share_beyond(self.attacked, R)


def radii(
    network: Network | Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    seed: int,
    *,
    norm: Norm = Norm.L2,
) -> Radii:
    """Bracket the distance of every sample to the nearest input of the wrong sign.

    **Arguments:**

    - `network`: f, of any power and number of neurons.
    - `x`, `y`: samples and their labels ±1.
    - `seed`: of the attack.
    - `norm`: in which distance is measured.

    **Returns:** `Radii` with their witness; certified <= attacked up to rounding.

    **Source:** theory D10.
    """
    check_samples(x, y)
    whole = population_of(network).distinct
    casts = casts_of(whole)

    # Below: each cast gives a valid certificate, so the largest of them counts.
    bounds = [certified_radii(cast, x, y, norm=norm) for cast in casts]
    if norm.euclidean:
        bounds.append(radii_together(whole, x, y))
    certified = np.fmax(np.max(bounds, axis=0) - ROUNDING * np.asarray(norm.size(x)), 0)

    # Above: perturbations of the folded network, lengthened until they flip the whole one.
    shortest, factor = _verified(whole, casts, x, y, seed=seed, norm=norm)
    with np.errstate(invalid="ignore"):
        attacked = np.where(np.isfinite(factor), shortest.radius * factor, np.inf)
    scale = np.where(np.isfinite(factor), factor, 0.0)[:, None]
    witness = Attack(attacked, shortest.coordinates * scale, shortest.basis)
    return Radii(certified, attacked, len(casts[-1].leader.m), witness)


def _verified(
    whole: Population,
    casts: Sequence[Cast],
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    *,
    seed: int,
    norm: Norm,
) -> tuple[Attack, Float[np.ndarray, " n"]]:
    """An attack on the coarsest cast that gets no sample wrong which the whole network gets right.

    Where one does, its perturbation is 0 and no multiple of it flips the whole network.

    **Returns:** the attack, and the factors by which its perturbations flip the whole network.
    """
    for cast in reversed(casts):
        shortest = attack(cast.leader, x, y, seed, norm=norm)
        factor = _stretch(whole, x, y, shortest.perturbation)
        if not ((shortest.radius == 0) & ~np.isfinite(factor)).any():
            break
    return shortest, factor


def _stretch(
    f: Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    delta: Float[np.ndarray, "n D"],
) -> Float[np.ndarray, " n"]:
    """The least factor tried by which δ flips the whole network; inf where none does."""
    least = np.full(len(x), np.inf)
    rows = max(_ENTRIES // max(len(f.m), 1), 1)
    for begin in range(0, len(x), rows):
        some = slice(begin, begin + rows)
        z, dz = x[some] @ f.u.T, delta[some] @ f.u.T
        for factor in _LONGER[::-1]:
            value = y[some] * (host_power(z + factor * dz, f.p) @ (f.s * f.m))
            least[some] = np.where(value > 0, least[some], factor)
    return least
