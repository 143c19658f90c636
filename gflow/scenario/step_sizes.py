"""The step sizes of a descent relative to the largest, and what they add up to.

One idea: step k has the size η s_k with s_k in (0, 1], and a descent of N steps is as long as a
flow until t = η Σ s_k.  These sums have closed forms, so that a descent of any length is laid out
without listing its steps: how many there are until an end time, and which is closest to a time.

The s_k themselves are optax's, in `gflow.flow.descent_step`.
"""

import bisect
import math
from dataclasses import dataclass, replace
from typing import Literal

StepSchedule = Literal["constant", "linear", "cosine", "exponential", "step"]
"""How step sizes fall, once they have risen."""


def batches(n: int, batch: int) -> int:
    """Steps in an epoch of n samples; `batch` is 0 for all of them."""
    return max(n // batch, 1) if batch else 1


@dataclass(frozen=True, kw_only=True)
class StepSizes:
    """s_k = η_k/η of steps k = 0, …, N - 1.

    Over the first W steps s_k = (k+1)/(W+1).  Of the other M = N - W steps, j = 0, …, M - 1,

        constant     1
        linear       1 - (1-c) j/M
        cosine       c + (1-c) (1 + cos(π j/M))/2
        exponential  c^{j/M}
        step         c^{i/d} ,   i = ⌊(d+1) j/M⌋
    """

    schedule: StepSchedule = "constant"
    steps: int = 0
    """N; means nothing for `even` sizes."""
    warmup: int = 0
    """W."""
    final: float = 0.0
    """c, which s_k tends to."""
    drops: int = 1
    """d."""

    @property
    def even(self) -> bool:
        """Whether all steps have one size."""
        return self.schedule == "constant" and not self.warmup

    @property
    def falling(self) -> int:
        """M, steps after the warmup."""
        return self.steps - self.warmup

    @property
    def edges(self) -> list[int]:
        """First step after the warmup of each stage of the schedule "step", and M."""
        return [-(-i * self.falling // (self.drops + 1)) for i in range(self.drops + 2)]

    def total(self, steps: int) -> float:
        """Σ s_k over the first steps, at most N; a whole number if they are even."""
        if self.even:
            return float(steps)
        risen, fallen = min(steps, self.warmup), max(steps - self.warmup, 0)
        return risen * (risen + 1) / (2 * (self.warmup + 1)) + self._fallen(fallen)

    def closest(self, total: float) -> int:
        """The number of first steps whose Σ s_k is closest to `total`."""
        if self.even:
            return round(total)
        after = bisect.bisect_left(range(self.steps), total, key=self.total)
        return min((max(after - 1, 0), after), key=lambda n: abs(self.total(n) - total))

    def lasting(self, total: float, most: int | None = None) -> "StepSizes":
        """The same schedule over the number of steps whose Σ s_k is closest to `total`.

        **Arguments:**

        - `total`: at least that of the warmup and one step more.
        - `most`: largest number of steps; more than those of the warmup.
        """
        if self.even:
            return replace(self, steps=round(total) if most is None else min(round(total), most))

        def whole(steps: int) -> float:
            return replace(self, steps=steps).total(steps)

        # More steps add up to more, so that their number can be bracketed and bisected.
        fewest = self.warmup + 1
        enough = fewest
        while whole(enough) < total and (most is None or enough < most):
            enough *= 2
        after = bisect.bisect_left(range(enough), total, lo=fewest, key=whole)
        steps = min((max(after - 1, fewest), after), key=lambda n: abs(whole(n) - total))
        return replace(self, steps=steps if most is None else min(steps, most))

    def _fallen(self, m: int) -> float:
        """Σ s_k over the first m steps after the warmup."""
        c, M = self.final, self.falling
        if self.schedule == "constant":
            return float(m)
        if self.schedule == "linear":
            return m - (1 - c) * m * (m - 1) / (2 * M)
        if self.schedule == "cosine":
            half = math.pi / (2 * M)
            cosines = math.sin(m * half) * math.cos((m - 1) * half) / math.sin(half)
            return c * m + (1 - c) * (m + cosines) / 2
        if self.schedule == "exponential":
            rate = math.log(c) / M
            return math.expm1(m * rate) / math.expm1(rate)
        stages = zip(self.edges, self.edges[1:], strict=False)
        sizes = (max(min(m, end) - begin, 0) for begin, end in stages)
        return sum(size * c ** (i / self.drops) for i, size in enumerate(sizes))
