"""Statements that hold with high probability, judged over seeds.

One idea: each seed draws samples and neurons anew, so the verdicts on runs that differ in their
seed alone are independent trials, and how often a statement holds is a binomial probability with an
interval.  A single seed can neither show nor refute it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gflow.judges.chance import CONFIDENCE, binomial_interval
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, Verdict
from gflow.judges.series import Comparison, opinion_of, series

HIGH = 0.9
"""Least probability that counts as high; the papers give no number."""

FEWEST_SEEDS = 5
"""Fewest seeds with a verdict from which a probability is estimated."""


class Trials(NamedTuple):
    """Verdicts on the seeds of one series, as far as the statement applies to them."""

    holds: int
    fails: int
    undecided: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.holds + self.fails + self.undecided

    @property
    def interval(self) -> tuple[float, float]:
        """Where the probability lies, whatever the undecided ones would turn out to be."""
        low, _ = binomial_interval(self.holds, self.count)
        _, high = binomial_interval(self.count - self.fails, self.count)
        return low, high

    @property
    def fits(self) -> bool | None:
        """Whether the probability is high; None if that is not decided.

        At least `FEWEST_SEEDS` trials.  True if the statement holds on a share of at least `HIGH`
        and, by the interval, on more than half of all seeds; False if the whole interval lies
        below `HIGH`.
        """
        low, high = self.interval
        if self.count < FEWEST_SEEDS:
            return None
        if high < HIGH:
            return False
        return True if self.holds >= HIGH * self.count and low > 0.5 else None

    def __str__(self) -> str:
        low, high = self.interval
        undecided = f", {self.undecided} undecided" if self.undecided else ""
        return f"holds on {self.holds} of {self.count} seeds{undecided}, [{low:.2f}, {high:.2f}]"


def judge_over_seeds(evidences: Sequence[Evidence], verdicts: Sequence[Verdict]) -> Opinion | None:
    """How often a statement about one run holds over seeds.

    **Arguments:**

    - `evidences`: runs of a study.
    - `verdicts`: one for each.

    **Returns:** an opinion on all series along the seed in which the statement applies to at least
    `FEWEST_SEEDS` runs; None if there is none.

    **Source:** theory section 9, "Several seeds".
    """
    verdict_of = {id(run): verdict for run, verdict in zip(evidences, verdicts, strict=True)}
    trials = {
        one.title: _trials([verdict_of[id(run)] for run in one.runs])
        for one in series(evidences, "seed")
    }
    parts = [
        Comparison(title, one.fits, str(one))
        for title, one in trials.items()
        if one.count >= FEWEST_SEEDS
    ]
    if not parts:
        return None
    return opinion_of(
        f"holds on a share of seeds >= {HIGH:g}, and surely on more than half",
        parts,
        (),
        f"Intervals of the probability are Clopper and Pearson's, {CONFIDENCE:.0%} for each end.",
        undecided=f"Too few seeds: by its interval the probability may be {HIGH:g}, or less.",
    )


def _trials(verdicts: Sequence[Verdict]) -> Trials:
    return Trials(*map(verdicts.count, (Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED)))
