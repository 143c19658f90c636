"""How far a network is from a reference classifier, up to a positive factor.

    dist(f, F) = inf_{c>0} sup_{‖x‖=1} |c f(x) - F(x)| / sup|F|

The number is a bracket.  A finite set of inputs gives a lower bound, with the least c for that set
(`exchange`); a certificate gives an upper one.  Division by sup|F| makes a network that is zero
score exactly 1 for every target (theory T6).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from gflow.measure.certificate import certify_best
from gflow.measure.exchange import Gap, exchange
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network
from gflow.network.reference import Target

# What rounding may add to a certified value, in units of sup|target|.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Distance:
    """A bracket of the normalized distance of a network to a reference classifier."""

    target: str
    """Name of the target: "F" or "F^(p)"."""
    lower: float
    """Searched lower bound, in units of `supremum`."""
    upper: float
    """Certified upper bound, in units of `supremum`."""
    bound: str
    """The bound behind `upper`: "B1" to "B7" (theory D9), or "trivial" (c = 0)."""
    log_c: float
    """log of a factor c at which a search finds no more than `lower`, up to 5e-4 of it; -inf for
    c = 0."""
    log_c_least_squares: float
    """log of Σ_k f(μ_k) F(μ_k) / Σ_k f(μ_k)²; -inf unless that is positive."""
    value_at_least_squares: float
    """Searched lower bound on sup |c f - F| at that factor, in units of `supremum`."""
    supremum: float
    """sup |target| over the unit sphere."""
    witness: Float[np.ndarray, " D"]
    """A unit vector at which |c f - target| >= `lower` · `supremum`, c = e^{log_c}."""

    @property
    def c(self) -> float:
        """The factor e^{log_c}; inf beyond the largest float."""
        return _exp(self.log_c)

    @property
    def c_least_squares(self) -> float:
        """The factor e^{log_c_least_squares}; inf beyond the largest float."""
        return _exp(self.log_c_least_squares)

    def __str__(self) -> str:
        return (
            f"Distance to {self.target}, in units of sup|{self.target}| = {self.supremum:.4g}\n"
            f"  searched           >= {self.lower:.4g}   at c = {self.c:.4g}\n"
            f"  certified          <= {self.upper:.4g}   by {self.bound}\n"
            f"  least-squares c    >= {self.value_at_least_squares:.4g}   "
            f"at c = {self.c_least_squares:.4g}"
        )


def distance(network: Network | Population, target: Target, seed: int) -> Distance:
    """Bracket inf_{c>0} sup_{‖x‖=1} |c f(x) - F(x)| / sup|F|.

    The lower bound is min_c max_i |c f(x_i) - F(x_i)| over the inputs of an exchange, exact for
    those inputs; the upper bound is the least certificate.

    **Arguments:**

    - `network`: f, of any power and scale; log-contributions far below -745 are welcome.  To hold
        one network against several targets, give its `Population`, which is folded once.
    - `target`: F or F^(p), with the orthonormal centers it is made of.
    - `seed`: of the random starts.

    **Returns:** a `Distance`.  A network that is zero has `lower` = `upper` = 1.

    **Raises:** `DataError` if a direction or contribution of the network is not a number.

    **Source:** theory section 7; Min and Vidal, ICML 2024, Conjecture 1.
    """
    size, rng = target.supremum, np.random.default_rng(seed)
    f, goal = population_of(network).distinct, Population.of(target.network).unscaled()

    # The search takes place in the span of all neurons and centers, and one dimension more, if
    # that is less than everything.
    gap, centers, space = Gap(f, goal), target.centers, None
    if len(f.u) + centers.K < centers.D:
        space = _spanned(np.concatenate([f.u, centers.mu]), rng)
        gap, centers = gap.within(space), replace(centers, mu=centers.mu @ space)
    worst = exchange(gap, centers, rng)
    witness = worst.inputs[np.abs(gap.at(worst.c).signed(worst.inputs)).argmax()]
    least = _least_squares(gap.f(centers.mu), gap.goal(centers.mu))

    upper, bound = certify_best(f, target, worst.c)
    return Distance(
        target=target.name,
        lower=min(worst.lower / size, 1.0),
        upper=min(upper / size + _ROUNDING, 1.0),
        bound=bound,
        log_c=_log(worst.c) - f.log_scale,
        log_c_least_squares=_log(least) - f.log_scale,
        value_at_least_squares=worst.highest(gap.at(least)) / size,
        supremum=size,
        witness=witness if space is None else space @ witness,
    )


def contrast(own: Target, cross: Target, seed: int) -> Distance:
    """Distance of the classifier `own` itself to the target `cross`.

    A network that has reached `own` is this far from `cross`: the scale for its cross distance.

    **Source:** theory section 7, reading.
    """
    return distance(own.network, cross, seed)


def _spanned(rows: Float[np.ndarray, "q D"], rng: np.random.Generator) -> Float[np.ndarray, "D d"]:
    """Orthonormal columns that span rows and one random vector, which stands for all that is
    orthogonal to the rows: the gap depends on an input by its products with the rows alone."""
    other = rng.standard_normal((1, rows.shape[1]))
    return np.linalg.qr(np.concatenate([rows, other]).T)[0]


def _least_squares(f: Float[np.ndarray, " K"], goal: Float[np.ndarray, " K"]) -> float:
    """Factor of f that fits the target best at the centers; 0 if f is zero or opposed there."""
    return max(float(f @ goal) / float(f @ f), 0.0) if f.any() else 0.0


def _log(c: float) -> float:
    return float(np.log(c)) if c > 0 else -np.inf


def _exp(log_c: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.exp(log_c))
