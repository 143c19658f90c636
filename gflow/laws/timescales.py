"""The clocks of a flow: how long alignment takes, when outputs escape, how they grow from then on.

One idea: aligned neurons reduce a subclass to a single number z = |f(μ_k)|, and under every loss
dz/dt = 2π|g(z)|z has a potential that grows at the constant speed 2π.  Fitting is inverting that
potential, in log z, so that a start below 1e-300 is as good as any.

The laws are exact without noise once neurons are aligned, and decide nothing: that is for judges.
π is the weight of a subclass, never 3.14 (theory section 1).  `m` counts subclasses that grow as
one: all of a class at p = 1, where neurons align with its average, one for p >= 2.
"""

import numpy as np
from jaxtyping import Float, Real
from scipy.special import expi, factorial, log_expit

from gflow.flow.losses import LOSSES, AbstractNamedLoss
from gflow.laws.reduced import alignment_time, growth_rate

PerTime = float | Float[np.ndarray, "*T"]
"""A number, or one for every recorded time."""

PerGroup = float | int | Real[np.ndarray, " G"]
"""A number for all groups of subclasses that grow as one, or one for each."""

ALIGNED_COSINE = 0.99

SOLVED = ("exponential", "logistic", "half_square", "square")
"""Losses whose potential is known in closed form (theory D8)."""


def alignment_end(D: int, K_own: int, p: float, rate: float) -> float:
    """An estimate of the flow time by which neurons from a random start have aligned.

    For p > 2 a neuron starts at the largest of `K_own` cosines of size 1/√D; for p <= 2 the class
    average gathers all of them and the rate gains the factor √K_own^{2-p}.  It places the record's
    times and decides nothing.

    **Arguments:**

    - `D`: input dimension.
    - `K_own`: subclasses of the neuron's class.
    - `p`: power of the activation.
    - `rate`: p·κ·π, alignment time per flow time.

    **Source:** theory D3, D5.
    """
    start = min(np.sqrt(2 * np.log(K_own + 1) / D), 0.5)
    gain = growth_rate(min(p, 2.0), K_own)
    return alignment_time(float(start), ALIGNED_COSINE, p) / (gain * rate)


def escape_slope(rate: float, kappa: float, pi: float) -> float:
    """dT/d log(1/ε) = 1/(κπλ): flow time by which escape is later if ε is e times smaller.

    `rate` is λ of `growth_rate`, `kappa` the force at f = 0, `pi` the weight of one subclass.

    **Source:** theory D7.
    """
    return 1 / (kappa * pi * rate)


def step_delay(step_size: float, momentum: float, rate: float) -> float:
    """The factor by which growth is slower in steps than in the flow, at t = η/(1-β) per step.

    Where the flow multiplies by e^{λη/(1-β)}, SGD with momentum β multiplies by the larger root z
    of z² - (1 + β + ηλ) z + β = 0, so the factor is λη/((1-β) log z); without momentum
    ηλ/log(1 + ηλ).

    **Arguments:**

    - `step_size`, `momentum`: η and β.
    - `rate`: λ of a weight, per flow time; κπ m^{1-p/2} in a quiet aligned network.

    **Source:** theory P26.
    """
    x = step_size * rate
    # z = 1 + s with s² + (1 - β - x) s = x, solved without a difference of close numbers.
    half = (1 - momentum - x) / 2
    root = np.sqrt(half**2 + x)
    s = x / (half + root) if half > 0 else root - half
    return float(x / ((1 - momentum) * np.log1p(s)))


def suppression_exponent(m: int, K_own: int, p: float = 1.0) -> float:
    """a = 1 - (m/K_own)^{1-p/2}: how far neurons awake to m of `K_own` own centers are held back.

    Without noise and for 1 <= p < 2 they stay at the average of m centers and have norm ε^a when
    those awake to the whole class have norm 1: a power of ε, but a weak one.

    **Source:** theory D7, T13.
    """
    return 1 - growth_rate(p, m) / growth_rate(p, K_own)


def potential(z: PerTime, loss: str) -> PerTime:
    """ψ(z) = ∫ dz / (z |g(z)|), so that ψ(z(t)) - ψ(z(0)) = 2π√m t.

    exponential: Ei(z);  logistic: log z + Ei(z);  half square: log(z/|1-z|);  square: half that.

    **Arguments:**

    - `z`: |f(μ_k)|, from 0 (where ψ is -inf) to 700; the square losses have a pole at 1.
    - `loss`: its name in scenario files.

    **Returns:** ψ, dimensionless.

    **Raises:** `ValueError` for a loss whose potential has no closed form.

    **Source:** theory D8.
    """
    with np.errstate(divide="ignore"):
        return potential_of_log(np.log(z), loss)


def potential_of_log(log_z: PerTime, loss: str) -> PerTime:
    """`potential` at log z, which does not underflow: (log z)/κ + an analytic function of z."""
    solved = _solved(loss)
    if not solved.saturates:
        return log_z / solved.kappa + _entire_part(np.exp(log_z))
    with np.errstate(divide="ignore"):
        return (log_z - np.log(np.abs(np.expm1(log_z)))) / solved.kappa


def fit(z0: float, t: PerTime, pi: float, loss: str, *, m: float | int = 1) -> PerTime:
    """|f(μ_k)| at times t after it was `z0`: the solution of dz/dt = 2π√m |g(z)| z.

    **Arguments:**

    - `z0`: an output after alignment; positive, and below 1 for the square losses.
    - `t`: flow times since then.
    - `pi`: weight of one subclass.
    - `loss`: its name in scenario files.
    - `m`: subclasses that grow as one.

    **Raises:** `ValueError` for a start outside this range, and for a loss whose potential has no
    closed form.

    **Source:** theory D8.
    """
    if not z0 > 0:
        raise ValueError(
            f"`z0` must be positive, but is {z0:g}. If it underflowed, give log z0 to `fit_log`."
        )
    return np.exp(fit_log(float(np.log(z0)), t, pi, loss, m=m))


def fit_log(log_z0: float, t: PerTime, pi: float, loss: str, *, m: float | int = 1) -> PerTime:
    """log z(t) from log z(0): `fit` for starts that underflow, as ε² does below ε = 1e-154."""
    if _solved(loss).saturates and not log_z0 < 0:
        raise ValueError(
            f"`z0` must be below 1 for the square losses, but log z0 = {log_z0:g}. Start earlier."
        )
    start = potential_of_log(log_z0, loss)
    return _log_of_potential(start + 2 * pi * np.sqrt(m) * t, loss)


def escape_time(
    t_a: float,
    z_a: Float[np.ndarray, " G"],
    pi: PerGroup,
    loss: str,
    *,
    level: float = 0.5,
    m: PerGroup = 1,
) -> Float[np.ndarray, " G"]:
    """When every |f(μ_k)| reaches `level`: t_a + (ψ(level) - ψ(z_a))/(2π√m).

    **Arguments:**

    - `t_a`: a flow time after alignment.
    - `z_a`: |f(μ_k)| at that time, for every subclass or class.
    - `pi`, `loss`, `m`: as for `fit`; `pi` and `m` for all or for each.
    - `level`: output that counts as escaped.

    **Returns:** flow times; inf where `z_a` is 0, before `t_a` where it is above `level`.

    **Source:** theory D7, D8.
    """
    return t_a + (potential(level, loss) - potential(z_a, loss)) / (2 * pi * np.sqrt(m))


def scaled_exponential_integral(z: PerTime) -> PerTime:
    """E(z) = Ei(z) e^{-z} for z > 0, to rounding however large z is.

    E(z) ~ Σ_k k!/z^{k+1}; the first term alone is 12 % short at z = 10.

    **Source:** theory D8.
    """
    near, far = np.minimum(z, 50.0), np.maximum(z, 50.0)
    series = np.polynomial.polynomial.polyval(1 / far, factorial(np.arange(21))) / far
    return np.where(far > 50.0, series, expi(near) * np.exp(-near))


def late_output(t: PerTime, pi: float, m: float | int = 1) -> PerTime:
    """|f(μ_k)| long after escape, exponential loss: the z with Ei(z) = 2π√m t.

    z = log(2π√m t) + log log(2π√m t) + o(1).  A start at z0 adds Ei(z0) to 2π√m t; it is forgotten
    like 1/t.

    **Source:** theory D8.
    """
    return np.exp(_log_of_potential(2 * pi * np.sqrt(m) * t, "exponential"))


def late_loss(z: Float[np.ndarray, "*T G"], t: PerTime, m: PerGroup = 1) -> PerTime:
    """L = (1/2t) Σ √m E(z) over groups that grow as one, exponential loss, long after escape.

    L·t log t tends to K/2 for p > 2, (√K1 + √K2)/2 for p = 1.  Exact if Ei(z) = 2π√m t; after
    a start at z0 every term is 1 - Ei(z0)/Ei(z) times that.

    **Arguments:**

    - `z`: outputs |f(μ_k)|, of every subclass, or of the two classes at p = 1.
    - `t`: flow times.
    - `m`: subclasses that grow as one; (K1, K2) at p = 1.

    **Source:** theory D8.
    """
    return (np.sqrt(m) * scaled_exponential_integral(z)).sum(axis=-1) / (2 * t)


def aligned_squared_norm(z: Float[np.ndarray, "*T G"], m: PerGroup = 1) -> PerTime:
    """‖θ‖² = 2 Σ √m z of an aligned, balanced network, at any time and for any loss.

    ‖θ‖²/log t tends to 2K for p > 2, 2(√K1 + √K2) for p = 1, under the exponential loss.
    Arguments as in `late_loss`.

    **Source:** theory D8.
    """
    return 2 * (np.sqrt(m) * z).sum(axis=-1)


def late_gap(t: PerTime, K1: int, K2: int, pi: float) -> PerTime:
    """q₊ - q₋, how far the larger class stays ahead at p = 1: exponential loss, long after escape.

    ½ log(K1/K2) (1 + 1/q + O(1/q²)): it tends to ½ log(K1/K2), but like 1/log t only.

    **Source:** theory D8.
    """
    return late_output(t, pi, K1) - late_output(t, pi, K2)


def relu_floor(q_plus: PerTime, q_minus: PerTime, K1: int, K2: int) -> PerTime:
    """inf_c sup |c f - F| on the unit sphere, for f = q₊ σ(<x, μ₊>) - q₋ σ(<x, μ₋>).

    √(K1 K2) |q₊ - q₋| / √(K1 q₊² + K2 q₋²), not divided by sup |F|: the distance at p = 1 that is
    left because one class fits before the other.  It falls like 1/log t.

    **Source:** theory D8.
    """
    spread = np.sqrt(K1 * K2) * np.abs(q_plus - q_minus)
    return spread / np.sqrt(K1 * q_plus**2 + K2 * q_minus**2)


def late_margin(p: float, K1: int, K2: int) -> float:
    """Largest min y f(μ_k)/‖θ‖² of any network: 1/(2K) for p >= 2, 1/(2(√K1 + √K2)) for p = 1.

    1/(2(K1^{q/2} + K2^{q/2})) with q = min(p, 2).  Aligned flows tend to it under the exponential
    loss, like 1/log t.

    **Source:** theory D8.
    """
    half = min(p, 2.0) / 2
    return 1 / (2 * (K1**half + K2**half))


def smoothed_margin(loss_value: PerTime, omega_min: float, squared_norm: PerTime) -> PerTime:
    """-log(L/ω_min)/‖θ‖² for the exponential loss L = Σ ω_i e^{-y_i f_i}.

    It never decreases once L < ω_min, the smallest weight of a sample (1/n for the mean), and is
    below min y_i f_i/‖θ‖² by at most log(Σ ω_i/ω_min)/‖θ‖².

    **Source:** theory D8; Lyu and Li, ICLR 2020.
    """
    return -np.log(loss_value / omega_min) / squared_norm


def _solved(loss: str) -> AbstractNamedLoss:
    """A loss whose potential is known: `SOLVED`."""
    if loss not in SOLVED:
        raise ValueError(
            f"`loss` must have a potential in closed form, but {loss!r} has none here; try "
            f"{', '.join(SOLVED)}."
        )
    return LOSSES[loss]


def _entire_part(z: PerTime) -> PerTime:
    """Ei(z) - log z = γ + z + z²/4 + …"""
    small = z < 1e-8
    safe = np.where(small, 1.0, z)
    return np.where(small, np.euler_gamma + z, expi(safe) - np.log(safe))


def _log_of_potential(psi: PerTime, loss: str) -> PerTime:
    """The log z at which ψ(z) = psi."""
    solved = _solved(loss)
    kappa = solved.kappa
    if solved.saturates:
        return log_expit(kappa * psi)
    # ψ is convex in log z, so Newton's method descends to the solution from above, in 7 steps.
    # Above: Ei(z) - log z >= γ, and from z = 2 on it is >= e^z/2z while z <= 2 log(1 + ψ).
    high = np.maximum(psi, 1.0)
    bound = np.maximum(2.0, np.log(4 * high * np.log1p(high)))
    log_z = np.minimum(kappa * (psi - np.euler_gamma), np.log(bound))
    for _ in range(10):
        slope = 1 / kappa + np.expm1(np.exp(log_z))
        log_z = log_z - (potential_of_log(log_z, loss) - psi) / slope
    return log_z
