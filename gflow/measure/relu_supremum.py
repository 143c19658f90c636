"""The largest difference of two ReLU networks on the sphere, exactly (theory D9, bound B5).

The difference is linear on each cone that the neurons cut, so its supremum is the best of finitely
many projections.  Their number doubles with every neuron: a wide network is folded first.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls

from gflow.data.checks import check_numbers
from gflow.network.folded import folded
from gflow.network.population import Population

# (angle, rest_share) of ever coarser folding, until the hyperplanes can be enumerated.
_COARSER = ((1e-6, 1e-9), (1e-4, 1e-7), (1e-3, 1e-5), (1e-2, 1e-3), (0.03, 3e-3), (0.1, 1e-2))
_MOST_HYPERPLANES = 13
_SWEEPS = 4


def enumerable(f: Population, others: int) -> tuple[Population, float] | None:
    """The least folded `f` that can be afforded beside `others` neurons of the target.

    **Returns:** the folded population and an upper bound on sup |f - f_folded| in units of
    e^{log_scale}; None if even coarse folding leaves too many neurons, where the bound would
    be worthless.
    """
    error = 0.0
    for angle, rest_share in _COARSER:
        fewer = folded(f, angle, rest_share)
        f, error = fewer.population, error + fewer.error
        if len(f.m) + others <= _MOST_HYPERPLANES:
            return f, error
    return None


def relu_supremum(
    f: Population, goal: Population, c: float
) -> tuple[float, Float[np.ndarray, " D"]]:
    """sup_{‖x‖=1} |c f - goal| of two ReLU networks of few neurons, exactly, and where.

    The difference is linear on each of the 2^q cones {A x >= 0} that q neurons cut, A having rows
    ±u_j.  On a cone with gradient g the largest ±<g, x> is the norm of the projection of ±g
    onto it, g + Aᵀλ with λ = argmin_{λ>=0} ‖g + Aᵀλ‖ (nonnegative least squares).

    **Arguments:**

    - `f`, `goal`: populations with p = 1, each in its own units; the time doubles with every
        neuron: 1 ms for 4 of both, 0.3 s for 12.
    - `c`: factor of f.

    **Returns:** the supremum, and a unit vector at which it is attained.

    **Source:** theory D9, bound B5.
    """
    check_numbers(c=c)
    # Everything happens in the span of the neurons.
    rows = np.concatenate([f.u, goal.u])
    weight = np.concatenate([c * f.s * f.m, -goal.s * goal.m])
    basis = np.linalg.qr(rows.T)[0]
    rows = rows @ basis

    # Every set of awake neurons is a cone with its gradient; both signs of the difference count.
    active = np.indices((2,) * len(rows)).reshape(len(rows), -1).T
    slopes = (active * weight) @ rows
    slopes, sides = np.concatenate([slopes, -slopes]), np.tile(2 * active - 1, (2, 1))

    # In the order of cheap upper bounds, until none of those left can be the largest.
    reach = _reach(slopes, sides, rows)
    best, where = 0.0, basis[:, 0]
    for i in np.argsort(-reach):
        if reach[i] <= best:
            break
        onto = _projected(slopes[i], sides[i][:, None] * rows)
        size = float(np.linalg.norm(onto))
        if size > best:
            best, where = size, basis @ (onto / size)
    return best, where


def _reach(
    slopes: Float[np.ndarray, "s d"], sides: Int[np.ndarray, "s q"], rows: Float[np.ndarray, "q d"]
) -> Float[np.ndarray, " s"]:
    """Upper bounds ‖g + Aᵀλ‖ on the projections of slopes g onto their cones; any λ >= 0 gives one.

    A few sweeps of coordinate descent in λ, all cones at once, leave few for the exact solver.
    """
    rest, multiplier = slopes.copy(), np.zeros(sides.shape)
    for k in np.tile(np.arange(len(rows)), _SWEEPS):
        new = np.maximum(multiplier[:, k] - sides[:, k] * (rest @ rows[k]), 0)
        rest += np.outer((new - multiplier[:, k]) * sides[:, k], rows[k])
        multiplier[:, k] = new
    # The allowance for rounding leaves in a cone that may be the best up to it.
    return np.linalg.norm(rest, axis=1) + 1e-12 * np.linalg.norm(slopes, axis=1)


def _projected(
    g: Float[np.ndarray, " d"], cone: Float[np.ndarray, "q d"]
) -> Float[np.ndarray, " d"]:
    """Projection of g onto {cone x >= 0}; g itself, which is longer, should the solver give up."""
    try:
        return g + cone.T @ nnls(cone.T, -g)[0]
    except RuntimeError:
        return g
