"""The radius at which a prediction falls, sample by sample, as [certified, attacked].

Certificate and attack both work on folded networks.  What folding left out, and rounding, is
inside the certificate; an attack counts where the whole network confirms it.  Samples whose two
ends are apart are searched again, on the network that is folded least.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from gflow.data.checks import check_samples
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network
from gflow.robustness.attack import Attack, attack, share_beyond
from gflow.robustness.cast import Cast, casts_of
from gflow.robustness.confined_bound import confined_radii
from gflow.robustness.flips import Flips
from gflow.robustness.joint_bound import radii_together
from gflow.robustness.line_radius import line_radii
from gflow.robustness.norm import Norm
from gflow.robustness.radius_bound import certified_radii
from gflow.robustness.refinement import refined
from gflow.robustness.relaxation import relaxed_radii
from gflow.robustness.subspace import FARTHEST, Subspace

ROUNDING = 1e-10
"""Taken off every certified radius, in units of the size of its sample.

What a certificate computes are sums of at most some thousand products of inputs and unit vectors,
right to D·2e-16 of the size of the input (1e-12 at D = 4000), and closed formulas of these.
"""

_CLOSE, _EXACT = 1e-2, 1e-6
"""Relative distances of attacked and certified radius below which neither a search nor an attack on
the finest cast can matter."""
_CHEAP = 20_000
"""Samples times neurons of the finest cast that are attacked wherever that may matter."""


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
    dimension: int | None = None
    """That of the subspace which perturbations lie in; None for all of space."""

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
    known: Sequence[Float[np.ndarray, "n D"]] = (),
    within: Subspace | None = None,
    free: Float[np.ndarray, " n"] | None = None,
) -> Radii:
    """Bracket the distance of every sample to the nearest input of the wrong sign.

    **Arguments:**

    - `network`: f, of any power and number of neurons.
    - `x`, `y`: samples and their labels ±1.
    - `seed`: of the attack.
    - `norm`: in which distance is measured.
    - `known`: perturbations to start from as well, such as the shortest in other norms.
    - `within`: a subspace that perturbations must lie in, in l2, and these must, too.
    - `free`: certified radii of all of space, if they are known: none within it is smaller.

    **Returns:** `Radii` with their witness, which flips however it is rounded; attacked <= ‖x‖,
    since f(0) = 0.  Within a subspace they are certified up to `FARTHEST` ‖x‖ at most, and attacked
    is inf where nothing shorter flips.

    **Source:** theory D10; within a subspace D31.
    """
    check_samples(x, y)
    # Powers of two change no digit, and inputs of any size become as good as those of size 1.
    unit = _unit(x)
    x, known = x / unit, [delta / unit for delta in known]
    whole = population_of(network).distinct
    casts = casts_of(whole)

    # Below: each cast gives a valid certificate, so the largest of them counts.
    known_below = None if free is None else free / unit[:, 0]
    certified = _certified(whole, casts, x, y, norm=norm, within=within, free=known_below)

    # Above: perturbations of the casts, and along a line its first error.
    flips = _attacked(whole, casts, x, y, certified, seed=seed, norm=norm, within=within)
    if within is not None and within.d == 1:
        direction = within.basis[:, 0]
        along, place = line_radii(whole, x, y, direction)
        certified = np.fmax(certified, along)
        flips.offer(np.where(np.isfinite(place), place, 0.0)[:, None] * direction)

    # Where the two ends are apart a certificate for many neurons, and where they still are a search
    # from many starts.
    apart = np.flatnonzero(flips.radius > certified * (1 + _CLOSE))
    farthest = (1.0 if within is None else FARTHEST) * np.asarray(norm.size(x))
    most = np.minimum(flips.radius, farthest)[apart]
    relaxed = relaxed_radii(whole, x[apart], y[apart], most, norm=norm, within=within)
    certified[apart] = np.fmax(certified[apart], relaxed)
    apart = np.flatnonzero(flips.radius > certified * (1 + _CLOSE))
    _refine(flips, casts[0].leader, x, y, apart, known=known, seed=seed, within=within)

    coarse, fine = casts[-1].leader, casts[0].leader
    span = np.concatenate([coarse.u, fine.u]) if norm.euclidean else np.zeros((0, x.shape[1]))
    witness = flips.witness(unit, span if within is None else within.projected(span))
    dimension = None if within is None else within.d
    return Radii(certified * unit[:, 0], witness.radius, len(coarse.m), witness, dimension)


def _attacked(
    whole: Population,
    casts: Sequence[Cast],
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    certified: Float[np.ndarray, " n"],
    *,
    seed: int,
    norm: Norm,
    within: Subspace | None,
) -> Flips:
    """Flips of the coarsest cast, and of the finest where these may be too long."""
    start = Flips.at_origin if within is None else Flips.unknown
    flips = start(whole, x, y, norm)
    coarse, fine = casts[-1].leader, casts[0].leader
    confirmed = flips.offer(attack(coarse, x, y, seed, norm=norm, within=within).perturbation)
    if fine is not coarse:
        cheap = len(x) * len(fine.m) <= _CHEAP
        apart = np.flatnonzero(~confirmed | (cheap & (flips.radius > certified * (1 + _EXACT))))
        more = attack(fine, x[apart], y[apart], seed, norm=norm, within=within)
        flips.offer(more.perturbation, apart)
    return flips


def _refine(
    flips: Flips,
    fine: Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    apart: Int[np.ndarray, " r"],
    *,
    known: Sequence[Float[np.ndarray, "n D"]],
    seed: int,
    within: Subspace | None,
) -> None:
    """Offer what a search from many starts finds for the samples `apart`."""
    if not (len(apart) and len(fine.m)):
        return
    for delta in known:
        flips.offer(delta[apart], apart)
    starts = np.stack([delta[apart] for delta in (flips.delta, *known)])
    norm = flips.samples.norm
    shorter = refined(fine, x[apart], y[apart], starts, seed, norm=norm, within=within)
    flips.offer(shorter.perturbation, apart)


def _certified(
    whole: Population,
    casts: Sequence[Cast],
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    *,
    norm: Norm,
    within: Subspace | None,
    free: Float[np.ndarray, " n"] | None,
) -> Float[np.ndarray, " n"]:
    """The largest certified radius; what no perturbation does, none of a subspace does."""
    bounds = [] if within is None else [confined_radii(whole, x, y, within)]
    if free is None:
        bounds += [certified_radii(cast, x, y, norm=norm) for cast in casts]
        if norm.euclidean:
            bounds.append(radii_together(whole, x, y))
    certified = np.max(bounds, axis=0, initial=0) - ROUNDING * np.asarray(norm.size(x))
    return np.fmax(certified, 0 if free is None else free)


def _unit(x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n 1"]:
    """The power of two below the largest entry of each sample; 1 for a sample of zeros."""
    largest = np.abs(x).max(axis=1, keepdims=True, initial=0)
    return np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1))))
