"""One perturbation for a whole class: how long it must be against what theory says is learned.

One idea: on the span of orthonormal centers a network with one neuron per subclass, or per class,
loses its lead at every center of a class by the same few numbers, so that one vector for all of
them is as small a problem as one for each.  Everything is in l2, in units of the norm of a center.
"""

import numpy as np
from jaxtyping import Float, Int

from gflow.data.checks import check_not_negative, check_signs


def contrast(label: Int[np.ndarray, " K"], sign: int) -> Float[np.ndarray, " K"]:
    """Unit coordinates of d0 = -y (μ₊ - μ₋)/√K, μ± the sums over a class, for the class of a sign.

    **Source:** Frei et al., NeurIPS 2023; theory D26.
    """
    check_signs(label=label)
    return -sign * label / np.sqrt(len(label))


def contrast_radii(
    m: Float[np.ndarray, " K"], label: Int[np.ndarray, " K"], p: float, sign: int
) -> Float[np.ndarray, " K_own"]:
    """Distance along d0 at which each center of a class is misclassified.

        R_k = √K/(1 + (Σ_{l opp} m_l/m_k)^{1/p})

    for Σ_k y_k m_k σ(<x, μ_k>)^p; √K/(1 + K_o^{1/p}) for equal m.

    **Arguments:**

    - `m`: contributions m_k > 0, in any unit.
    - `label`: signs of the subclasses.
    - `p`: power, >= 1.
    - `sign`: of the class that is to be misclassified.

    **Source:** theory D26.
    """
    own, other = _sides(m, label, sign)
    return np.sqrt(len(m)) / (1 + (other.sum() / own) ** (1 / p))


def contrast_radius_of_averages(own: float, opposite: float, K_own: int, K_opp: int) -> float:
    """Distance along d0 at which the centers of a class fall, with one neuron per class.

        R = √K q/(K_own q + K_opp q')

    for outputs q of the class and q' of the opposite one at its centers; 1/√K if they are equal.

    **Arguments:**

    - `own`, `opposite`: outputs q > 0 of the class itself and q' >= 0 of the opposite class.
    - `K_own`, `K_opp`: subclasses of either.

    **Source:** theory D26.
    """
    check_not_negative(own=own, opposite=opposite)
    return float(np.sqrt(K_own + K_opp) * own / (K_own * own + K_opp * opposite))


def universal_vector(
    m: Float[np.ndarray, " K"], label: Int[np.ndarray, " K"], p: float, sign: int
) -> Float[np.ndarray, " K"]:
    """Coordinates of the shortest vector by which all centers of a class are misclassified at once.

    Of Σ_k y_k m_k σ(<x, μ_k>)^p. With g_k = m_k^{1/p} of the n own centers and G the largest
    (Σ_{l opp} m_l b_l^p)^{1/p} over unit b, own coordinates fall by (1 - t/g_k)₊ and opposite ones
    rise by t/G, with the t that makes δ shortest. If every own coordinate falls,

        ‖δ‖² = n - (Σ 1/g_k)²/(Σ 1/g_k² + 1/G²) ,      n/(n + 1) for equal m and p >= 2.

    **Arguments:** as for `contrast_radii`; m_l > 0 for an opposite center at least.

    **Source:** theory D26.
    """
    own, other = _sides(m, label, sign)
    # Of opposite coordinates b of length 1 these have the largest Σ m_l b_l^p, by Hölder.
    if p >= 2:
        rise = np.eye(len(other))[other.argmax()]
    else:
        rise = other ** (1 / (2 - p))
        rise = rise / np.linalg.norm(rise)
    G, g = float((other @ rise**p) ** (1 / p)), own ** (1 / p)
    falls, t = np.ones(len(g), bool), 0.0
    for _ in g:  # an own center that is weak enough already need not fall, so that t grows
        t = (1 / g[falls]).sum() / ((1 / g[falls] ** 2).sum() + 1 / G**2)
        falls = g > t
    delta = np.zeros(len(m))
    delta[label == sign] = -np.maximum(1 - t / g, 0)
    delta[label != sign] = t / G * rise
    return delta


def _sides(
    m: Float[np.ndarray, " K"], label: Int[np.ndarray, " K"], sign: int
) -> tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"]]:
    check_not_negative(m=m)
    check_signs(label=label)
    return m[label == sign], m[label != sign]
