"""Samples that are to be flipped, and lines from them along which the network is followed.

One idea: neurons see a line as z + t dz, so a step along it costs the same in any dimension, and
perturbations may be confined to a subspace while the samples are not.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.network.population import Population
from gflow.robustness.bisection import crossed
from gflow.robustness.leaning import DOUBT, Leaning
from gflow.robustness.norm import Norm

_EVALUATIONS = 42  # that halve a bracket to rounding
_CLOSE = 1e-9  # relative width of brackets of lines of which the shortest is looked for


@dataclass(frozen=True)
class Samples:
    """Samples, the network they are to be perturbed against, and the norm that counts."""

    f: Population
    leaning: Leaning
    """Of `f`."""
    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    size: Float[np.ndarray, " n"]
    """‖x‖₂, in all dimensions."""
    norm: Norm
    whole: Float[np.ndarray, "n E"]
    """Samples as neurons see them: in all dimensions where perturbations are confined, else x."""
    eye: Leaning
    """What `whole` is seen by."""
    drift: float = 0.0
    """What rounding may change of <u_j, δ>, in units of ‖δ‖₂, where δ may be longer than 2‖x‖₂."""

    @classmethod
    def of(
        cls,
        f: Population,
        x: Float[np.ndarray, "n D"],
        y: Float[np.ndarray, " n"],
        norm: Norm,
        *,
        basis: Float[np.ndarray, "D d"] | None = None,
    ) -> "Samples":
        """Samples and neurons, in coordinates of a basis of the span of all neurons if given."""
        flat = f if basis is None else replace(f, u=f.u @ basis)
        at = x if basis is None else x @ basis
        leaning = Leaning.of(flat)
        return cls(
            flat,
            leaning,
            x=at,
            y=y,
            size=np.linalg.norm(x, axis=1),
            norm=norm,
            whole=at,
            eye=leaning,
        )

    @classmethod
    def confined(
        cls,
        f: Population,
        x: Float[np.ndarray, "n D"],
        y: Float[np.ndarray, " n"],
        norm: Norm,
        *,
        basis: Float[np.ndarray, "D d"] | None = None,
    ) -> "Samples":
        """Samples of which only a part is perturbed, by δ of any length.

        **Arguments:**

        - `basis`: orthonormal, in whose coordinates perturbations are; None for all of them.
        """
        samples = cls.of(f, x, y, norm, basis=basis)
        return replace(samples, whole=x, eye=Leaning.of(f), drift=DOUBT)

    @property
    def views(self) -> Float[np.ndarray, "n h"]:
        """What neurons see of the samples."""
        return self.whole @ self.eye.w.T

    @property
    def z(self) -> Float[np.ndarray, "n h"]:
        """What neurons see of the samples, in favor of their labels."""
        return self.eye.views(self.whole, self.y, self.size)

    def slope(self, delta: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """∇f at x + δ up to a positive factor, in the coordinates of δ."""
        return self.leaning.slope(self.views + delta @ self.leaning.w.T)

    def take(self, index: slice | Int[np.ndarray, " r"]) -> "Samples":
        parts = {name: getattr(self, name)[index] for name in ("x", "y", "size", "whole")}
        return replace(self, **parts)

    def repeated(self, count: int) -> "Samples":
        return self.take(np.repeat(np.arange(len(self.x)), count))


@dataclass(frozen=True)
class Lines:
    """Lines x + t·way, as the neurons see them: z + t dz."""

    leaning: Leaning
    y: Float[np.ndarray, " r"]
    z: Float[np.ndarray, "r h"]
    dz: Float[np.ndarray, "r h"]

    @classmethod
    def of(
        cls,
        samples: Samples,
        way: Float[np.ndarray, "r d"],
        z: Float[np.ndarray, "r h"] | None = None,
    ) -> "Lines":
        """One line per sample; `z` if what neurons see of the samples is known."""
        leaning, dz = samples.leaning, way @ samples.leaning.w.T
        if samples.drift:
            doubt = samples.drift * samples.y * np.linalg.norm(way, axis=1)
            dz += np.outer(doubt, samples.eye.s * samples.eye.lengths)
        return cls(leaning, samples.y, samples.z if z is None else z, dz)

    def take(self, index: Bool[np.ndarray, " r"] | Int[np.ndarray, " q"]) -> "Lines":
        return replace(self, y=self.y[index], z=self.z[index], dz=self.dz[index])

    def margin(self, t: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """y f at distance t up to a positive factor, however it is rounded."""
        return self.leaning.margin(self.z + t[:, None] * self.dz, self.y)

    def flipped(self, t: Float[np.ndarray, " r"]) -> Bool[np.ndarray, " r"]:
        """Where y f <= 0 at distance t, or is not a number."""
        return ~(self.margin(t) > 0)

    def first_within(
        self,
        length: Float[np.ndarray, " r"],
        *,
        evaluations: int = _EVALUATIONS,
        tolerance: float = 0.0,
    ) -> Float[np.ndarray, " r"]:
        """Where lines flip that flip at `length`, as `crossed` finds it; inf for others."""
        after = self.margin(np.where(np.isfinite(length), length, 0.0))
        some = np.flatnonzero(np.isfinite(length) & ~(after > 0))
        lines, high = self.take(some), length[some]
        before = self.leaning.margin(lines.z, lines.y)
        first = np.full(len(length), np.inf)
        first[some] = crossed(
            lines.margin,
            np.zeros(len(some)),
            high,
            before=before,
            after=after[some],
            evaluations=evaluations,
            tolerance=tolerance,
        )[1]
        return first

    def exact(self, length: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """Where lines flip, to rounding; `length` where rounding hides that they flip there."""
        return np.minimum(self.first_within(length), length)


def first_flips(
    samples: Samples,
    ways: Float[np.ndarray, "n w d"],
    reach: Float[np.ndarray, " n"],
    most: int,
    *,
    shares: Float[np.ndarray, " places"],
) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "n k d"]]:
    """The shortest of the first flips on a grid along directions of size 1.

    **Arguments:**

    - `ways`: directions from each sample.
    - `reach`: how far they are followed.
    - `most`: how many flips of each sample are wanted.
    - `shares`: of the reach, increasing: the places of the grid along each direction.

    **Returns:** lengths from short to long, inf where there are fewer, and their directions.
    """
    # A flip later than enough others of its sample is not among the shortest.
    n, count, _ = ways.shape
    sample, way = np.nonzero(_distinct(ways))
    lines = Lines.of(samples.take(sample), ways[sample, way], samples.z[sample])
    low, high = np.zeros(len(sample)), np.full(len(sample), np.inf)
    for step in shares:
        flips = np.isfinite(high)
        enough = np.bincount(sample[flips], minlength=n) >= most
        at = np.flatnonzero(~flips & ~enough[sample])
        if not len(at):
            break
        t = step * reach[sample[at]]
        flipped = lines.take(at).flipped(t)
        high[at[flipped]], low[at[~flipped]] = t[flipped], t[~flipped]

    some = np.flatnonzero(np.isfinite(high))
    lines, low, high = lines.take(some), low[some], high[some]
    before, after = lines.margin(low), lines.margin(high)
    length = np.full((n, count), np.inf)
    length[sample[some], way[some]] = crossed(
        lines.margin,
        low,
        high,
        before=before,
        after=after,
        evaluations=_EVALUATIONS,
        tolerance=_CLOSE,
    )[1]
    best = np.argsort(length, axis=1)[:, :most]
    shortest = np.take_along_axis(length, best, axis=1)
    return shortest, np.take_along_axis(ways, best[..., None], axis=1)


def evenly(places: int) -> Float[np.ndarray, " places"]:
    """Shares 1/places, 2/places, …, 1."""
    return np.arange(1, places + 1) / places


def _distinct(ways: Float[np.ndarray, "n w d"]) -> Bool[np.ndarray, "n w"]:
    """The first of equal directions of each sample; in l1 a step is often along the same axis."""
    # Directions that differ have different products with a vector that was drawn.
    product = ways @ np.random.default_rng(0).standard_normal(ways.shape[-1])
    order = np.argsort(product, axis=1, kind="stable")
    ascending = np.take_along_axis(product, order, axis=1)
    first = np.empty(product.shape, bool)
    np.put_along_axis(first, order, np.diff(ascending, axis=1, prepend=np.nan) != 0, axis=1)
    return first


def steepest(norm: Norm, ways: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    """Unit steps along `ways` in the norm; along the first axis where there is no way."""
    step = np.asarray(norm.steepest(ways))
    still = np.asarray(norm.size(step)) == 0
    step[still] = np.eye(ways.shape[-1])[0]
    return step


def scaled(
    norm: Norm, ways: Float[np.ndarray, "n d"], fallback: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n d"]:
    """Rows at size 1 in the norm; those of `fallback` where a row is 0."""
    size = np.asarray(norm.size(ways))[:, None]
    return np.where(size > 0, ways / np.where(size > 0, size, 1), fallback)
