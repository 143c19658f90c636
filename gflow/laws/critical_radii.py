"""How robust the reference classifiers are, exactly (theory D6): radii and robust accuracies.

One idea: F, F^(p) and networks of one neuron per subclass depend on an input only through its inner
products with the centers, so the smallest perturbation that flips the sign is a small problem with
a closed form.  Unless a norm is given everything is in l2, in units of the norm of a center.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtr

from gflow.data.centers import Centers
from gflow.data.checks import check_not_negative, check_samples, check_signs
from gflow.measure.assignment import dual
from gflow.robustness.norm import Norm


def critical_radii(
    m: Float[np.ndarray, " K"], label: Int[np.ndarray, " K"], p: float
) -> Float[np.ndarray, " K"]:
    """Distance of each center μ_k to the nearest sign change of Σ_k y_k m_k σ(<x, μ_k>)^p.

        R*_k = 1/√(1 + (M/m_k)^{2/p}) ,   M = max_{l opp} m_l (p >= 2),
        M = (Σ_{l opp} m_l^{2/(2-p)})^{(2-p)/2} (p < 2)

    **Arguments:**

    - `m`: contributions m_k >= 0, in any unit; 0 where a subclass has no neuron (radius 0).
    - `label`: signs y_k; if all are equal nothing opposes, and the radius is 1.
    - `p`: power, >= 1.

    **Returns:** R*_k, in units of ‖μ_k‖ = 1.

    **Source:** theory D6.
    """
    check_not_negative(m=m)
    check_signs(label=label)
    against = np.array([np.linalg.norm(m[label != s], ord=dual(2, p)) for s in label])
    with np.errstate(divide="ignore"):
        return 1 / np.hypot(1, (against / m) ** (1 / p))


def learned_radius(norm: Norm, p: float, K1: int, K2: int) -> tuple[float, float]:
    """Radius of positive and of negative centers under what theory says is learned.

    Neurons at the class averages for p < 2, at centers on the axes for p >= 2, of equal outputs.
    The former fall at 1/√K in l2, at 1/K in l∞, at 1 in l1; the latter at 1/√2 in l2, or 1 where
    no class opposes, at 1/(1 + K_o^{1/p}) in l∞, at 1 in l1.

    **Arguments:**

    - `norm`: of perturbations.
    - `p`: power, >= 1.
    - `K1`, `K2`: subclasses of either class; that of a class without any means nothing.

    **Source:** theory D6.
    """
    K = K1 + K2
    if p < 2:
        one = {Norm.L1: 1.0, Norm.L2: K**-0.5, Norm.LINF: 1 / K}[norm]
        return one, one
    if norm == Norm.LINF:
        return 1 / (1 + K2 ** (1 / p)), 1 / (1 + K1 ** (1 / p))
    if norm == Norm.L1:
        return 1.0, 1.0
    return (1 + min(K2, 1)) ** -0.5, (1 + min(K1, 1)) ** -0.5


def two_neuron_radii(plus: float, minus: float, K1: int, K2: int) -> tuple[float, float]:
    """Distance of the centers of either class to {f = 0}, f = c₊σ(<x, μ̄₊>) - c₋σ(<x, μ̄₋>).

        R*_± = c_±/(√K_± √(c₊² + c₋²)) ,   1/√K for F itself

    **Arguments:**

    - `plus`, `minus`: contributions c_± > 0, in any unit.
    - `K1`, `K2`: subclasses of either class.

    **Source:** theory D6.
    """
    check_not_negative(plus=plus, minus=minus)
    both = np.hypot(plus, minus)
    return float(plus / (K1**0.5 * both)), float(minus / (K2**0.5 * both))


def average_accuracy(R: Float[np.ndarray, "*B"], K: int, tau: float) -> Float[np.ndarray, "*B"]:
    """Robust accuracy of F at radius R on noisy samples: Φ((1/√K - R)/τ).

    **Arguments:**

    - `R`: attack radii.
    - `K`: subclasses.
    - `tau`: noise τ = α/√D > 0 per coordinate.

    **Source:** theory D6.
    """
    return ndtr((K**-0.5 - np.asarray(R)) / tau)


def subclass_accuracy(
    R: Float[np.ndarray, "*B"], K1: int, K2: int, tau: float, *, nodes: int = 40
) -> Float[np.ndarray, "*B"]:
    """Robust accuracy of F^(p), p > 2, at radius R on noisy samples with τ ≪ 1.

    A sample of subclass k falls where min_l (x_k - x_l) <= √2 R over opposite l:

        Σ_classes (K_own/K) E Φ(G + (1 - √2 R)/τ)^{K_opp} ,   G normal, by Gauss-Hermite nodes.

    **Arguments:**

    - `R`: attack radii.
    - `K1`, `K2`: subclasses of either class.
    - `tau`: noise τ = α/√D > 0 per coordinate.
    - `nodes`: of the quadrature.

    **Source:** theory D6.
    """
    node, weight = np.polynomial.hermite_e.hermegauss(nodes)
    survives = ndtr(node + ((1 - np.sqrt(2) * np.asarray(R)) / tau)[..., None])
    law = [own * survives**other @ weight for own, other in ((K1, K2), (K2, K1))]
    return sum(law) / ((K1 + K2) * weight.sum())


def average_distance(
    x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], centers: Centers
) -> Float[np.ndarray, " n"]:
    """Distance of samples to {y F <= 0}; 0 where F is wrong already.

    With a = <x, μ_own>, b = <x, μ_opp> (sums over a class): min(a/√K_own, (a - b)/√K).

    **Arguments:**

    - `x`, `y`: samples and their labels ±1.
    - `centers`: orthonormal.

    **Source:** theory D6.
    """
    check_samples(x, y)
    plus, minus = (x @ centers.mu[centers.label == s].sum(axis=0) for s in (1, -1))
    own, other = np.where(y > 0, (plus, minus), (minus, plus))
    size = np.where(y > 0, centers.K1, centers.K2)
    return np.maximum(np.minimum(own / np.sqrt(size), (own - other) / np.sqrt(centers.K)), 0)


def quadratic_distance(
    x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], centers: Centers
) -> Float[np.ndarray, " n"]:
    """Distance of samples to {y F^(2) <= 0}, whose boundary is a cone; 0 where it is wrong already.

    (‖[x_own]₊‖ - ‖[x_opp]₊‖)/√2 over the coordinates <x, μ_k>. Where no opposite coordinate is
    positive, (‖[x_own]₊‖ - max_{l opp} x_l)/√2, and at most ‖[x_own]₊‖.

    **Arguments:** as for `average_distance`.

    **Source:** theory D6.
    """
    check_samples(x, y)
    z = x @ centers.mu.T
    mine = np.equal.outer(y > 0, centers.label > 0)
    own = np.linalg.norm(np.where(mine, np.maximum(z, 0), 0), axis=1)
    against = np.linalg.norm(np.where(mine, 0, np.maximum(z, 0)), axis=1)
    closest = np.where(mine, -np.inf, z).max(axis=1)
    asleep = np.minimum((own - closest) / np.sqrt(2), own)
    return np.maximum(np.where(against > 0, (own - against) / np.sqrt(2), asleep), 0)
