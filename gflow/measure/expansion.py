"""Bounds from Taylor's expansion of every neuron about its center, p >= 2 (theory D9, B6 and B7).

One idea: to first order a small tilt adds p σ(<μ_k, x>)^{p-1} <u_j - μ_k, x>, linear in the tilt,
so tilts about one center are averaged before they are measured; the second order is a remainder.
"""

import numpy as np
from jaxtyping import Float

from gflow.measure.assignment import Assigned, Bound, dual, missed, norm
from gflow.network.geometry import largest_singular

_GRID = 200


def split(near: Assigned) -> Bound:
    """B6, p >= 2: sharp to first order in the tilts, for any number of neurons per center.

    u_j - μ_k(j) is split into its parts inside and outside the span of the centers, an input into
    lengths cos φ and sin φ.  The bound is the largest over φ of

        max_k (γ_k cos^p φ + c p tilt_k(φ) cos^{p-1} φ)
            + c p(p-1)/2 ‖sec(φ)‖_q (cos φ + ‖d̄(φ)‖₂)^{p-2}

    plus the rest: E_mass, the mean tilt of every center to first order, and Taylor's remainder
    with sec_k = Σ_{N_k} m_j d_j², d_j(φ) how far neuron j is off.  Below p = 3 centers add up.
    """
    p = near.p
    phi = np.linspace(0, np.pi / 2, _GRID)
    cos, sin = np.cos(phi), np.sin(phi)

    # First order: the tilt of every center, and of all together, which counts below p = 3.
    inside, outside = _summed(near)
    tilt = np.outer(np.linalg.norm(inside, axis=1), cos)
    tilt = tilt + np.outer(np.linalg.norm(outside, axis=1), sin)
    joint = largest_singular(inside) * cos + largest_singular(outside) * sin
    spread = np.minimum(norm(tilt, dual(3, p)), joint)

    # Taylor's remainder: the second order of every center, on a slope that all may steepen.
    second, widest = _second_order(near, phi)
    power = (cos + np.linalg.norm(widest, axis=0)) ** (p - 2)
    remainder = p * (p - 1) / 2 * norm(second, dual(4, p)) * power

    # Masses enter by γ alone.  From p = 3 on an input feels one center most; below, all of them.
    def at(c: float) -> float:
        """The bound for c f."""
        gamma = np.abs(c * near.mass - near.goal)
        if p >= 3:
            first = (np.outer(gamma, cos**p) + c * p * tilt * cos ** (p - 1)).max(axis=0)
        else:
            first = gamma.max() * cos**p + c * p * cos ** (p - 1) * spread
        return float(missed(p) * (first + c * remainder).max() + c * near.rest)

    return Bound("B6", at)


def led(near: Assigned) -> Bound:
    """B7, p >= 3: B6 with the center that an input is closest to apart from the others.

    Let the largest <μ_k, x> be T cos φ, ε² = 1 - T², w = min(ε, √(K-1) T) the length of the other
    positive ones, l = min(T, ε) the largest of them.  The bound is the largest over φ, T and k of

        cos^p φ (γ_k T^p + max γ w² l^{p-2})
            + c p cos^p φ (T^{p-1} (A_kk T + A_k ε) + max A w² l^{p-3})
            + c p cos^{p-1} φ sin φ √(T^{2p-2} B_k² + 2 T^{p-1} w l^{p-2} b_k + s² w² l^{2p-4})
            + c p(p-1)/2 (sec_k (T cos φ + d̄_k)^{p-2} + ‖sec‖_q (w cos φ + ‖d̄‖₂)^{p-2})

    plus the rest: A and B are the sums of tilts inside and outside the span of the centers, A_kk
    the part along μ_k and A_k the remainder, b_k the norm of the inner products of B_k with the
    other B_l, s the largest singular value of B; sec and d̄ are those of B6.
    """
    fixed, by_gamma, by_worst = _terms_led(near)

    def at(c: float) -> float:
        """The bound for c f."""
        gamma = np.abs(c * near.mass - near.goal)
        total = c * fixed + gamma[:, None, None] * by_gamma + gamma.max() * by_worst
        return float(missed(near.p) ** 2 * total.max() + c * near.rest)

    return Bound("B7", at)


def _terms_led(
    near: Assigned,
) -> tuple[Float[np.ndarray, "K f t"], Float[np.ndarray, "f t"], Float[np.ndarray, "f t"]]:
    """What c, γ_k and max γ multiply in B7, over centers, φ and T; the latter two over φ and T."""
    # Inputs: φ out of the span of the centers, T on the closest of them, w and l on the others.
    p, K = near.p, len(near.mu)
    phi, T = np.linspace(0, np.pi / 2, _GRID), _leading(K)
    cos, sin = np.cos(phi)[:, None], np.sin(phi)[:, None]
    eps = np.sqrt(1 - T**2)
    w, second = np.minimum(eps, np.sqrt(K - 1) * T), np.minimum(T, eps)

    # Sums of tilts A inside the span, along their own center and across; B outside, by its Gram
    # matrix: of one center, of one with the others, of all together.
    inside, outside = _summed(near)
    along = np.abs((inside * np.eye(K)).sum(axis=1))
    across = np.linalg.norm(inside * (1 - np.eye(K)), axis=1)
    widest = np.linalg.norm(inside, axis=1).max()
    gram = outside @ outside.T
    own, mixed = np.diag(gram), np.linalg.norm(gram * (1 - np.eye(K)), axis=1)
    size = largest_singular(outside)

    # First order inside the span: the closest center, then the worst of the others.
    in_span = T ** (p - 1) * (np.outer(along, T) + np.outer(across, eps))
    in_span += widest * w**2 * second ** (p - 3)

    # First order outside: the length of a sum of vectors, squared term by term.
    others = w * second ** (p - 2)
    out_of_span = np.outer(own, T ** (2 * p - 2)) + 2 * np.outer(mixed, T ** (p - 1) * others)
    out_of_span = np.sqrt(out_of_span + (size * others) ** 2)

    # Both with their share of the input, and the second order.
    fixed = p * cos ** (p - 1) * (cos * in_span[:, None] + sin * out_of_span[:, None])
    fixed += p * (p - 1) / 2 * _remainder_led(near, phi, T, w)
    return fixed, (cos * T) ** p, cos**p * w**2 * second ** (p - 2)


def _leading(K: int) -> Float[np.ndarray, " t"]:
    """T on a grid of angles, and where the leading center is as long as all others or another."""
    angle = np.linspace(0, np.pi / 2, _GRID)
    return np.cos(np.union1d(angle, [np.pi / 4, np.arccos(1 / np.sqrt(K))]))


def _remainder_led(
    near: Assigned,
    phi: Float[np.ndarray, " f"],
    T: Float[np.ndarray, " t"],
    w: Float[np.ndarray, " t"],
) -> Float[np.ndarray, "K f t"]:
    """sec_k (T cos φ + d̄_k)^{p-2} + ‖sec‖_q (w cos φ + ‖d̄‖₂)^{p-2}, over centers, φ and T."""
    power, cos = near.p - 2, np.cos(phi)[:, None]
    second, widest = _second_order(near, phi)
    leading = second[:, :, None] * (cos * T + widest[:, :, None]) ** power
    total, spread = norm(second, dual(4, near.p)), np.linalg.norm(widest, axis=0)
    return leading + total[:, None] * (cos * w + spread[:, None]) ** power


def _summed(near: Assigned) -> tuple[Float[np.ndarray, "K K"], Float[np.ndarray, "K D"]]:
    """Σ_{N_k} m_j (u_j - μ_k) of every center: inside the span of the centers, and outside."""
    inside, outside = (near.member @ (near.m[:, None] * part) for part in near.parts)
    return inside, outside


def _second_order(
    near: Assigned, phi: Float[np.ndarray, " f"]
) -> tuple[Float[np.ndarray, "K f"], Float[np.ndarray, "K f"]]:
    """sec_k = Σ_{N_k} m_j d_j² and d̄_k = max_{N_k} d_j at every φ."""
    inside, outside = (np.linalg.norm(part, axis=1) for part in near.parts)
    offset = np.outer(inside, np.cos(phi)) + np.outer(outside, np.sin(phi))
    widest = np.array([offset[mine].max(axis=0, initial=0) for mine in near.member])
    return near.member @ (near.m[:, None] * offset**2), widest
