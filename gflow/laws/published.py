"""The published bounds on accuracy, with their constants and their hypotheses.

A number from a theorem is never quoted without its hypotheses, so each statement is a
function that returns both.  Where the printed form is doubtful or loose, the form that can be
proved stands beside it.

All statements are about fresh samples of the mixture of theory section 3, whose orthonormal centers
are understood (`hypothesis.orthonormal_centers`).  Probabilities are as printed: a lower bound
that is not positive, or an upper bound above 1, says nothing.  What is published about gradient
flow is in `published_flow`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gflow.laws.hypothesis import Hypothesis, all_met

AVERAGE_C = 0.5
"""Value of the universal constant of theory A1 that is proved; the attack allows no larger one."""

SUBCLASS_CLEAN_C = 0.25
"""Value of the universal constant in the clean bound of theory A2 that is proved."""

SUBCLASS_ROBUST_C = 0.5
"""Value of the universal constant in the robust bound of theory A2 that is proved."""


@dataclass(frozen=True)
class Published:
    """What a paper states for given parameters, and under which hypotheses."""

    value: float
    """The bound; nan where its formula has no meaning."""
    hypotheses: tuple[Hypothesis, ...]
    exponents: Mapping[str, float] | None = None
    """None for a bound with constants.  Else only an order is published: `value` is the product of
    these quantities to these powers."""

    @property
    def met(self) -> bool | None:
        """Whether all hypotheses are met; None if one could not be decided."""
        return all_met(self.hypotheses)

    def __str__(self) -> str:
        value = f"{'of order ' if self.exponents else ''}{self.value:.4g}"
        return "\n  ".join([value, *map(str, self.hypotheses)])


def above_two(p: float) -> Hypothesis:
    """p > 2: what training needs (theory D5), and most statements assume."""
    return Hypothesis.that("p", p, ">", 2)


def robust_radius(slack: float) -> float:
    """(√2 - slack)/2, the attack radius of the robust bounds: 1/√2 less half the slack."""
    return (math.sqrt(2) - slack) / 2


def average_clean_accuracy(D: int, K: int, alpha: float, C: float = AVERAGE_C) -> Published:
    """A lower bound on the clean accuracy of the class-average classifier F.

    P( F(x) y > 0 ) >= 1 - 2 exp(-C D/(4 α² K)).

    **Arguments:**

    - `D`, `K`, `alpha`: input dimension, subclasses, within-subclass scale of the noise, >= 0.
    - `C`: the universal constant, which the paper does not give.

    **Source:** Min and Vidal, ICML 2024; theory A1.
    """
    value = 1 - 2 * _tail(C * D / (4 * K), alpha)
    return Published(value, (_constant(C, AVERAGE_C),))


def average_attacked_accuracy(
    rho: float, D: int, K: int, alpha: float, *, C: float = AVERAGE_C
) -> Published:
    """An upper bound on the accuracy of F under one perturbation of length (1 + ρ)/√K.

    P( F(x + (1+ρ)/√K d0) y > 0 ) <= 2 exp(-C D ρ²/(α² K)) with d0 = -y (μ₊ - μ₋)/√K, which knows
    the class but not the sample.  So it bounds the robust accuracy at that radius as well.

    **Arguments:** as for `average_clean_accuracy`, and `rho` > 0.

    **Source:** Min and Vidal, ICML 2024; theory A1.
    """
    value = 2 * _tail(C * D * rho**2 / K, alpha)
    return Published(value, (Hypothesis.that("ρ", rho, ">", 0), _constant(C, AVERAGE_C)))


def subclass_clean_accuracy(
    p: float, D: int, K: int, alpha: float, *, C: float = SUBCLASS_CLEAN_C
) -> Published:
    """A lower bound on the clean accuracy of the subclass classifier F^(p).

    P( F^(p)(x) y > 0 ) >= 1 - 2 (K+1) exp(-C D/(α² K)).  The proof works from p = 2 on and gives
    `subclass_clean_accuracy_derived` (theory T16).

    **Arguments:** as for `average_clean_accuracy`, and `p`, the power.

    **Source:** Min and Vidal, ICML 2024; theory A2.
    """
    value = 1 - 2 * (K + 1) * _tail(C * D / K, alpha)
    return Published(value, (above_two(p), _constant(C, SUBCLASS_CLEAN_C)))


def subclass_robust_accuracy(
    slack: float, p: float, D: int, K: int, *, alpha: float, C: float = SUBCLASS_ROBUST_C
) -> Published:
    """A lower bound on the robust accuracy of F^(p) at radius (√2 - δ)/2.

    P( min_{‖d‖≤1} F^(p)(x + (√2-δ)/2 d) y > 0 ) >= 1 - 2 (K+1) exp(-C D δ²/(2 α² K²)).

    **Arguments:** as for `subclass_clean_accuracy`, and `slack`, δ in (0, √2).

    **Source:** Min and Vidal, ICML 2024; theory A2.
    """
    value = 1 - 2 * (K + 1) * _tail(C * D * slack**2 / (2 * K**2), alpha)
    return Published(value, (above_two(p), *_slack(slack), _constant(C, SUBCLASS_ROBUST_C)))


def subclass_clean_accuracy_derived(p: float, D: int, K: int, alpha: float) -> Published:
    """A lower bound on the clean accuracy of F^(p), with all constants: 1 - 2K exp(-D/(4 α² K)).

    **Source:** theory A2, T16.
    """
    value = 1 - 2 * K * _tail(SUBCLASS_CLEAN_C * D / K, alpha)
    return Published(value, (Hypothesis.that("p", p, ">=", 2),))


def subclass_robust_accuracy_derived(
    slack: float, p: float, D: int, K: int, *, alpha: float
) -> Published:
    """A lower bound on the robust accuracy of F^(p) at radius (√2 - δ)/2, with all constants.

    1 - 2K exp(-D δ²/(4 α² K²)).

    **Source:** theory A2, T16.
    """
    value = 1 - 2 * K * _tail(SUBCLASS_ROBUST_C * D * slack**2 / (2 * K**2), alpha)
    return Published(value, (Hypothesis.that("p", p, ">=", 2), *_slack(slack)))


def any_robust_accuracy(K1: int, K2: int) -> Published:
    """An upper bound on the robust accuracy of every classifier at radius √2/2: 1 - min(K1, K2)/K.

    A measured robust accuracy above it, beyond sampling error, proves the attack weak.

    **Source:** Min and Vidal, ICML 2025, Proposition 1; theory G1.
    """
    return Published(1 - min(K1, K2) / (K1 + K2), ())


def bayes_robust_accuracy(nu: float, D: int, K: int, alpha: float) -> Published:
    """A lower bound on the robust accuracy of the Bayes classifier at radius (√2 - ν)/2.

    1 - 2K exp(-D ν²/(64 α²)) for 2√2 α² log K/D <= ν <= √2.

    **Source:** Min and Vidal, ICML 2025, Proposition 2; theory G2.
    """
    least = 2 * math.sqrt(2) * alpha**2 * math.log(K) / D
    hypotheses = (
        Hypothesis.that("ν", nu, ">=", least, written="2√2 α² log K/D"),
        Hypothesis.that("ν", nu, "<=", math.sqrt(2), written="√2"),
    )
    return Published(1 - 2 * K * _tail(D * nu**2 / 64, alpha), hypotheses)


def nearby_robust_accuracy(
    nu: float, p: float, D: int, K: int, *, alpha: float, degree: float
) -> Published:
    """A lower bound on the robust accuracy of f near F^(p) at radius (√2 - 8 ν^{1/p})/2.

    1 - 2K exp(-D ν^{2/p}/(2 K² α²)) - 4 exp(-3/(8 α²)) for f(γx) = γ f(x), γ > 0, with
    dist(f, F^(p)) <= ν <= (√2/8)^p.

    A pReLU network has degree p in x, so that for p > 2 no network meets the hypotheses (theory
    T4).  The conclusion is true for degree p as well, by the triangle inequality of theory G3.

    **Arguments:**

    - `nu`: an upper bound on dist(f, F^(p)), not divided by sup |F^(p)| (which is 1 for p >= 2).
    - `p`: power of F^(p).
    - `degree`: degree of f in x; p for a pReLU network.

    **Source:** Min and Vidal, ICML 2025, Proposition 3; theory G3.
    """
    root = max(nu, 0.0) ** (1 / p)
    value = 1 - 2 * K * _tail(D * root**2 / (2 * K**2), alpha) - 4 * _tail(3 / 8, alpha)
    hypotheses = (
        above_two(p),
        Hypothesis.that("ν", nu, ">", 0),
        Hypothesis.that("ν", nu, "<=", (math.sqrt(2) / 8) ** p, written="(√2/8)^p"),
        Hypothesis.that("degree of f in x", degree, "=", 1),
    )
    return Published(value, hypotheses)


def _tail(rate: float, alpha: float) -> float:
    """exp(-rate/α²), also without noise."""
    return math.exp(-rate / alpha**2) if alpha**2 > 0 else float(rate <= 0)


def _constant(C: float, largest: float) -> Hypothesis:
    return Hypothesis.that("C", C, "<=", largest)


def _slack(slack: float) -> tuple[Hypothesis, Hypothesis]:
    return (
        Hypothesis.that("δ", slack, ">", 0),
        Hypothesis.that("δ", slack, "<", math.sqrt(2), written="√2"),
    )
