"""What is published about gradient flow: times, distances, and their hypotheses.

Most of these are orders whose constants are not published.  The value of such a statement has the
constant set to 1, and comes with its exponents, since slopes are what can be compared.  The two
that are wrong or unproved as printed (theory T1, T10) say so, and beside the first stands the form
that can be proved.

Times are flow times in the convention of each paper (theory section 2): π_k = κ = 1 for 2025, the
sum over samples for 2024.
"""

import math

import numpy as np
from jaxtyping import Float, Int, Real

from gflow.laws.hypothesis import (
    CENTER_GAP,
    Hypothesis,
    gap_of_order_one,
    loss_among,
    matched_scale,
    safe_log,
)
from gflow.laws.published import Published, above_two

# Rows of the Gram matrix of samples that are formed at once.
_ROWS = 512


def learning_hypotheses(
    *,
    p: float,
    loss: str,
    D: int,
    counts: Int[np.ndarray, " K"],
    alpha: float,
    log_eps: float,
    gap: float,
    constant: float,
    factor: float,
) -> tuple[Hypothesis, ...]:
    """The hypotheses of Theorem 1 of 2025, as far as numbers can tell.

    Beside these: `orthonormal_centers`, `balanced_start` and `occupied_cells`, which need arrays.

    **Arguments:**

    - `counts`: samples of each subclass.
    - `log_eps`: log ε.
    - `gap`: `hypothesis.gap` of the start.
    - `constant`: least α² D, α² N and gap that count as "of order"; not published.
    - `factor`: how far ε may be from α^{8K}, as a factor.

    **Source:** Min and Vidal, ICML 2025, Theorem 1; theory G5, section 8.
    """
    N = int(counts.min())
    return (
        above_two(p),
        loss_among(loss, ("half_square",)),
        Hypothesis.that("max N_k - min N_k", counts.max() - counts.min(), "=", 0),
        Hypothesis.that("α² D", alpha**2 * D, ">=", constant),  # up to logarithms
        Hypothesis.that("α² N", alpha**2 * N, ">=", constant),
        Hypothesis.that("α² log N", alpha**2 * safe_log(N), "<=", 1),
        matched_scale(log_eps, alpha, len(counts), factor),
        gap_of_order_one(gap, constant),
    )


def start_constants(p: float, gap: float) -> tuple[float, float]:
    """b1 and b2: what a gap γ says about the cosine u_k of a neuron to its winning center.

    u_k >= b1 = √((1/(1-γ)² - 1)/2) and (u_l/u_k)^{p-2} <= 1 - b2 for all other own centers l, with
    b2 = 1 - (1 - √(2γ))^{p-2}, for p > 2 and γ <= 1 - 1/√2.

    **Source:** Min and Vidal, ICML 2025, proof of Proposition 4; theory G7.
    """
    b1 = math.sqrt((1 / (1 - gap) ** 2 - 1) / 2) if gap < 1 else math.inf
    return b1, 1 - max(1 - math.sqrt(2 * gap), 0) ** (p - 2)


def alignment_time_printed(
    p: float, gap: float, K: int, alpha: float, *, failure: float, C: float
) -> Published:
    """The printed upper bound t1 on the time by which 1 - cos(w_j, μ_k) = Õ(α²).

    t1 <= 20/((p-2) p b2 b1^{p-2}) + 2/(p (2^{p-1} - 2)) log(1/(C log(K/δ) α²)), flow time with
    π_k = κ = 1.

    Its proof has a gap (theory T10): exactly, 1 - cos ~ exp(-2pt), so the factor of the logarithm
    cannot be less than 1/(2p), which the printed one is for p > 1 + log2 6 = 3.58.  For comparing
    times use `reduced.alignment_time`.

    **Arguments:**

    - `gap`: γ of the start.
    - `failure`: δ, the probability that the statement fails.
    - `C`: constant of the final accuracy, not published.

    **Source:** Min and Vidal, ICML 2025, Proposition 4; theory G7.
    """
    noise = C * math.log(K / failure) * alpha**2
    hypotheses = (
        above_two(p),
        Hypothesis.that("gap", gap, ">", 0),
        Hypothesis.that("gap", gap, "<=", CENTER_GAP, written="1 - 1/√2"),
        Hypothesis.that("C log(K/δ) α²", noise, "<", 1),
    )
    if not (p > 2 and 0 < gap < 1):
        return Published(math.nan, hypotheses)
    b1, b2 = start_constants(p, gap)
    start = 20 / ((p - 2) * p * b2 * b1 ** (p - 2))
    return Published(start - 2 / (p * (2 ** (p - 1) - 2)) * safe_log(noise), hypotheses)


def negligible_time(p: float, K: int, h: int, log_eps: float, *, largest: float) -> Published:
    """A lower bound t2 on how long the network stays negligible, max |f| <= 2 ε √h Wmax².

    t2 = 1/(2^{p+2} K) log(1/(2^{p-1} √h ε)), flow time with π_k = κ = 1.  The paper has neurons
    aligned on [t1, t2].  At ε = α^{8K} that is empty for small noise: t2 is 2^{1-p} log 1/α, and
    alignment up to α² takes (1/p) log 1/α (theory D3, G7).

    **Arguments:**

    - `log_eps`: log ε.
    - `largest`: Wmax, the largest ‖w_j0‖ of the shape of the initialization.

    **Source:** Min and Vidal, ICML 2025, Proposition 4; theory G7.
    """
    size = log_eps + math.log(h) / 2
    hypotheses = (
        above_two(p),
        Hypothesis.that(
            "log ε",
            log_eps,
            "<=",
            -math.log(4 * math.sqrt(h) * largest**2),
            written="-log(4 √h Wmax²)",
        ),
    )
    return Published(-((p - 1) * math.log(2) + size) / (2 ** (p + 2) * K), hypotheses)


def fitting_time(alpha: float, hypotheses: tuple[Hypothesis, ...]) -> Published:
    """t* = Õ(log 1/α0), when the loss is Õ(α0⁴) for the first time; only this order is published.

    Whether a run is there can be read off its loss only: `fitted`.

    **Source:** Min and Vidal, ICML 2025, Theorem 1; theory G5.
    """
    return Published(-safe_log(alpha), hypotheses, {"log 1/α": 1.0})


def fitting_span(p: float, alpha: float, hypotheses: tuple[Hypothesis, ...]) -> Published:
    """Ω̃(α0^{-min(p-2, 2)}), how long the loss stays Õ(α0⁴) at least; only this order is published.

    The end of that span is T* of the paper.

    **Source:** Min and Vidal, ICML 2025, Theorem 1; theory G5.
    """
    exponent = -min(p - 2, 2.0)
    return Published(math.exp(exponent * safe_log(alpha)), hypotheses, {"α": exponent})


def fitted(loss: float, alpha: float, constant: float) -> Hypothesis:
    """The loss is at most constant·α⁴, which stands for t >= t* (theory G5, section 8)."""
    return Hypothesis.that("L", loss, "<=", constant * alpha**4, written=f"{constant:g} α⁴")


def learned_distance(alpha: float, hypotheses: tuple[Hypothesis, ...]) -> Published:
    """sup_{‖x‖=1} |f_p(x) - F^(p)(x)| = Õ(α0²) from t* on; only this order is published.

    The exponent 2 comes from Lemma 17 as printed; its corrected form gives 1 (theory T1).

    **Source:** Min and Vidal, ICML 2025, Theorem 1; theory G5.
    """
    return Published(alpha**2, hypotheses, {"α": 2.0})


def aligned_distance_printed(
    p: float, K: int, slack: float, nu: float, *, void: float
) -> Published:
    """Lemma 17 as printed, which is wrong (theory T1): K (1+ν)(2^p - 1) 2δ + K ν + ζ.

    It takes ‖u - μ‖ for 2 (1 - cos).  Arguments and claim as for `aligned_distance_corrected`.

    **Source:** Min and Vidal, ICML 2025, Lemma 17; theory G9.
    """
    return _aligned_distance(2 * slack, p, K, nu, void=void)


def aligned_distance_corrected(
    p: float, K: int, slack: float, nu: float, *, void: float
) -> Published:
    """An upper bound on sup_{‖x‖=1} |f_p(x) - F^(p)(x)|: K (1+ν)(2^p - 1) √(2δ) + K ν + ζ.

    Lemma 17 with ‖u - μ‖ = √(2 (1 - cos)).  The bounds of `measure.certificate` are smaller.

    **Arguments:**

    - `slack`: δ, with cos(w_j, μ_k) >= 1 - δ for all neurons of N_k.
    - `nu`: ν, with |1 - Σ_{N_k} m_j| <= ν for all k.
    - `void`: ζ, at least the mass of all other neurons.

    **Source:** Min and Vidal, ICML 2025, Lemma 17, corrected; theory G9, T1.
    """
    return _aligned_distance(math.sqrt(2 * max(slack, 0.0)), p, K, nu, void=void)


def early_alignment_error(
    n: int, h: int, log_eps: float, hypotheses: tuple[Hypothesis, ...]
) -> Published:
    """Order ε n √h of max_j ‖du_j/dt - s_j (I - u_j u_jᵀ) x_a(w_j)‖ during early alignment.

    x_a(w) = Σ_{<x_i,w>>0} y_i x_i; flow time in the sum convention, up to `early_alignment_end`.

    **Arguments:**

    - `log_eps`: log ε.
    - `hypotheses`: `early_hypotheses` of the case.

    **Source:** Min, Mallada and Vidal, ICLR 2024, Lemma 1; theory C1.
    """
    value = math.exp(log_eps) * n * math.sqrt(h)
    return Published(value, hypotheses, {"ε": 1.0, "n": 1.0, "h": 0.5})


def early_alignment_end(
    n: int, h: int, log_eps: float, hypotheses: tuple[Hypothesis, ...]
) -> Published:
    """Order (1/n) log(1/(√h ε)) of the time T up to which early alignment is described.

    Flow time in the sum convention; arguments as for `early_alignment_error`.

    **Source:** Min, Mallada and Vidal, ICLR 2024, Lemma 1 and Theorem 1 (t2); theory C1, C2.
    """
    value = -(log_eps + math.log(h) / 2) / n
    return Published(value, hypotheses, {"n": -1.0, "log 1/(√h ε)": 1.0})


def early_hypotheses(
    p: float, loss: str, h: int, log_eps: float, *, constant: float
) -> tuple[Hypothesis, ...]:
    """The hypotheses of Lemma 1 of 2024, beside `balanced_start`.

    `constant` is the largest ε √h that counts as O(1); it is not published.

    **Source:** Min, Mallada and Vidal, ICLR 2024, Lemma 1; theory C1.
    """
    return (
        Hypothesis.that("p", p, "=", 1),
        loss_among(loss, ("exponential", "logistic")),
        Hypothesis.that(
            "log ε",
            log_eps,
            "<=",
            safe_log(constant) - math.log(h) / 2,
            written=f"log({constant:g}/√h)",
        ),
    )


def separability(x: Float[np.ndarray, "n D"], y: Real[np.ndarray, " n"]) -> float:
    """The orthogonal separability margin μ = min_{i,j} <x_i y_i, x_j y_j>/(‖x_i‖‖x_j‖).

    Positive if samples of one class make acute angles and samples of different classes obtuse
    ones.  Orthonormal subclass centers give 0, with noise less (theory C2).

    **Arguments:**

    - `x`, `y`: samples and labels ±1; a zero sample gives nan.

    **Returns:** a cosine, dimensionless, in [-1, 1].
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = x * (y / np.linalg.norm(x, axis=1))[:, None]
    return float(np.min([(z[i : i + _ROWS] @ z.T).min() for i in range(0, len(z), _ROWS)]))


def separable_hypotheses(
    n: int, h: int, mu: float, log_eps: float, *, constant: float
) -> tuple[Hypothesis, ...]:
    """The hypotheses of Theorem 1 of 2024 beside `early_hypotheses`: separability, and a tiny ε.

    μ > 0 and ε <= (constant/√h) exp(-(n/√μ) log n), compared in logarithms.

    **Source:** Min, Mallada and Vidal, ICLR 2024, Theorem 1; theory C2.
    """
    exponent = n * math.log(n) / math.sqrt(mu) if mu > 0 else math.nan
    largest = safe_log(constant) - math.log(h) / 2 - exponent
    return (
        Hypothesis.that("separability μ", mu, ">", 0),
        Hypothesis.that(
            "log ε", log_eps, "<=", largest, written=f"log({constant:g}/√h) - (n/√μ) log n"
        ),
    )


def separable_alignment_time(n: int, mu: float, hypotheses: tuple[Hypothesis, ...]) -> Published:
    """Order log(n)/√μ of the time t1 by which every neuron is in its class cone or dead.

    Flow time in the sum convention; nan if μ <= 0.

    **Source:** Min, Mallada and Vidal, ICLR 2024, Theorem 1; theory C2.
    """
    value = math.log(n) / math.sqrt(mu) if mu > 0 else math.nan
    return Published(value, hypotheses, {"log n": 1.0, "μ": -0.5})


def late_loss_bound(time: float, start: float, loss: float, rate: float) -> Published:
    """An upper bound on the loss at a time t >= t2: L(t2)/(L(t2) a (t - t2) + 1).

    **Arguments:**

    - `time`, `start`: t and t2, flow time in the sum convention.
    - `loss`: L(t2).
    - `rate`: a, not published.

    **Source:** Min, Mallada and Vidal, ICLR 2024, Theorem 1; theory C2.
    """
    value = loss / (loss * rate * (time - start) + 1)
    return Published(value, (Hypothesis.that("t", time, ">=", start, written="t2"),))


def _aligned_distance(chord: float, p: float, K: int, nu: float, *, void: float) -> Published:
    """Lemma 17 with `chord` for the largest ‖u_j - μ_k‖."""
    value = K * (1 + nu) * (2**p - 1) * chord + K * nu + void
    return Published(value, (Hypothesis.that("p", p, ">=", 1),))
