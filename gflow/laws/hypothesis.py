"""A hypothesis of a statement, and the ones that published statements share (theory section 8).

A hypothesis says what was measured, so a statement that does not apply is refused with
the number that refuses it.  Where a paper hides a constant the caller chooses one, and the text of
the hypothesis shows it.

The functions take plain numbers and arrays, and logarithms where a scale may be 1e-300.
"""

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
from jaxtyping import Float, Real

from gflow.data.centers import ORTHONORMAL, Centers
from gflow.data.checks import check_signs

BALANCED = 1e-6
"""Largest relative |‖w‖² - v²| that counts as balanced: rounding of recorded logarithms."""

CENTER_GAP = 1 - 1 / math.sqrt(2)
"""Gap of a neuron at its center, in a class with two or more subclasses: 45 degrees, 0.293."""

_RELATIONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_WORDS = {True: "met", False: "not met", None: "not decided"}


@dataclass(frozen=True)
class Hypothesis:
    """A condition of a statement, and how the case at hand stands to it."""

    text: str
    """The condition with its threshold, such as "α <= 0.3"; follows "it needs" in a sentence."""
    measured: str
    """What was measured, such as "α = 0.5", which follows "and here"; a clause if undecided."""
    met: bool | None
    """None if it could not be decided."""
    cure: str = ""
    """What would have it met or decided, such as "give `flow.end_time` at least about 160"."""

    @classmethod
    def that(
        cls,
        name: str,
        measured: SupportsFloat,
        relation: str,
        threshold: SupportsFloat,
        *,
        written: str = "",
        cure: str = "",
    ) -> "Hypothesis":
        """The hypothesis `measured` `relation` `threshold`; a nan leaves it undecided.

        **Arguments:**

        - `name`: what is measured, as it stands in the text.
        - `relation`: "<", "<=", ">", ">=" or "=".
        - `written`: formula of the threshold, to stand before its value; empty for the value alone.
        - `cure`: what would have it met.
        """
        a, b = float(measured), float(threshold)
        known = not (math.isnan(a) or math.isnan(b))
        met = bool(_RELATIONS[relation](a, b)) if known else None
        formula = f"{written} = " if written else ""
        value = f"{name} is not known" if math.isnan(a) else f"{name} = {number(a)}"
        return cls(f"{name} {relation} {formula}{number(b)}", value, met, cure)

    @classmethod
    def whether(cls, text: str, met: bool, cure: str = "") -> "Hypothesis":
        """A hypothesis that is measured by yes or no."""
        return cls(text, "", met, cure)

    def __str__(self) -> str:
        value = f": {self.measured}" if self.measured else ""
        return f"{self.text}{value}, {_WORDS[self.met]}"

    @property
    def clause(self) -> str:
        """Why a statement does not apply ("it needs …") or is undecided, without a full stop."""
        if self.met is None:
            why = self.measured or f"whether {self.text} is not known"
        else:
            why = f"it needs {self.text}" + (f", and here {self.measured}" if self.measured else "")
        return f"{why}; {self.cure}" if self.cure else why


def number(x: SupportsFloat) -> str:
    """A number in a sentence, in four digits; "not reached" for the nan of a missing time."""
    value = float(f"{float(x):.4g}")
    return "not reached" if math.isnan(value) else f"{value:.6g}"


def all_met(hypotheses: Iterable[Hypothesis]) -> bool | None:
    """Whether all are met: False if one is not, else None if one is undecided."""
    answers = {hypothesis.met for hypothesis in hypotheses}
    if False in answers:
        return False
    return None if None in answers else True


def orthonormal_centers(centers: Centers) -> Hypothesis:
    """max |C Cᵀ - I| vanishes up to rounding: the setting of all statements (theory section 3)."""
    return Hypothesis.that("max |C Cᵀ - I|", centers.orthonormality_error, "<=", ORTHONORMAL)


def balanced_start(
    log_norm: Float[np.ndarray, " h"], log_output: Float[np.ndarray, " h"]
) -> Hypothesis:
    """|v_j| = ‖w_j‖ at t = 0 for every neuron (theory G5, C1).

    **Arguments:**

    - `log_norm`, `log_output`: log ‖w_j‖ and log |v_j|.  A neuron that is zero leaves the
        hypothesis undecided.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(np.expm1(2 * (log_output - log_norm))).max()
    return Hypothesis.that("max |‖w‖² - v²|/‖w‖²", error, "<=", BALANCED)


def loss_among(loss: str, allowed: tuple[str, ...]) -> Hypothesis:
    """The loss is one that the statement is about."""
    return Hypothesis(f"{' or '.join(allowed)} loss", f"it is {loss}", loss in allowed)


def matched_scale(log_eps: float, alpha: float, K: int, factor: float) -> Hypothesis:
    """ε is α^{8K} up to `factor` >= 1, compared in logarithms (theory G5).

    α = 0.1 and K = 10 ask for ε = 1e-80, in reach because the flow carries log-norms.
    """
    wanted = 8 * K * safe_log(alpha)
    off = abs(log_eps - wanted)
    met = None if math.isnan(off) else off <= math.log(factor)
    scales = f"ε = exp({number(log_eps)}), α^(8K) = exp({number(wanted)})"
    return Hypothesis(f"ε within a factor {factor:g} of α^(8K)", scales, met)


def gap_of_order_one(gap: float, constant: float) -> Hypothesis:
    """The gap is at least `constant` (theory G4, G5); a random start fails (theory T9)."""
    return Hypothesis.that("gap", gap, ">=", constant)


def occupied_cells(
    u0: Float[np.ndarray, "h K"], sign: Real[np.ndarray, " h"], label: Real[np.ndarray, " K"]
) -> Hypothesis:
    """Every Voronoi cell has a neuron of its class; arguments as for `gap` (theory G4)."""
    own = own_coordinates(u0, sign, label)
    winner = own.argmax(axis=1)[own.max(axis=1) > 0]
    fewest = np.bincount(winner, minlength=len(label)).min()
    return Hypothesis.that("fewest neurons of a cell", fewest, ">=", 1)


def gap(
    u0: Float[np.ndarray, "h K"], sign: Real[np.ndarray, " h"], label: Real[np.ndarray, " K"]
) -> float:
    """How far all neurons are from the boundary of their Voronoi cell, as 1 - cos.

    A cell is a convex cone.  With the own coordinates u_k of a neuron and its winner k, the
    distance of u to the nearest of the hyperplanes around it is

        b = min( u_k , min_{l≠k} (u_k - u_l)/√2 ) ,    b = min_k (-u_k) for a void neuron,

    so that the largest cosine to the boundary is √(1 - b²).

    **Arguments:**

    - `u0`: cosines <u_j, μ_k> of every neuron to the orthonormal centers.
    - `sign`: class s_j of every neuron, ±1.
    - `label`: class y_k of every center, ±1.

    **Returns:** the least 1 - √(1 - b²) over the neurons, dimensionless, in [0, 1]; `CENTER_GAP`
    if all are at centers, a little more if they lean away from the others of their class.  A
    class without subclasses has no boundary and counts as 1.

    **Source:** Min and Vidal, ICML 2025, non-degenerate initialization; theory G4, section 8.
    """
    # The two largest own coordinates; -1 stands for one that there is not.
    own = np.pad(own_coordinates(u0, sign, label), ((0, 0), (1, 0)), constant_values=-1.0)
    second, top = np.sort(own, axis=1)[:, -2:].T
    inside = np.minimum(top, (top - second) / np.sqrt(2))
    depth = np.clip(np.where(top > 0, inside, -top), 0, 1)
    return float((depth**2 / (1 + np.sqrt(1 - depth**2))).min())


def own_coordinates(
    u0: Float[np.ndarray, "h K"], sign: Real[np.ndarray, " h"], label: Real[np.ndarray, " K"]
) -> Float[np.ndarray, "h K"]:
    """`u0` with -1 where the center is of the other class.

    Such a center wins no neuron, and bounds no cell: (u_k + 1)/√2 > u_k.
    """
    check_signs(sign=sign, label=label)
    return np.where(np.equal.outer(sign, label), u0, -1.0)


def safe_log(x: float | int) -> float:
    """log x, -inf at 0."""
    return math.log(x) if x > 0 else -math.inf
