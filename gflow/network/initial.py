"""Initializations, at any scale (theory section 3, Initialization).

One idea: a shape is drawn first, w_j0 and v_j0 of size O(1), and the scale ε enters only as
log ε.  So ε = 1e-300 is as good as 1e-2 in the polar chart.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from gflow.network.neurons import CartesianNeurons, PolarNeurons


def initial_weights(
    h: int,
    D: int,
    kind: Literal["gaussian", "sphere", "nudged", "averaged"],
    rng: np.random.Generator,
    centers: Float[np.ndarray, "K D"],
    average: Float[np.ndarray, "h D"],
    nudge: float,
) -> Float[np.ndarray, "h D"]:
    """Shape w_j0 of the hidden weights before scaling by ε.

    **Arguments:**

    - `h`, `D`: neurons, input dimension.
    - `kind`: "gaussian" draws every entry from N(0, 1), so ‖w_j0‖ ≈ √D; "sphere" draws uniform
        unit vectors; "nudged" moves uniform unit vectors toward a random center μ by
        w ← w + `nudge`·(μ - w) and normalizes (Min and Vidal, ICML 2025, figures 5 and 6);
        "averaged" moves them toward the class average of each in the same way.
    - `rng`: random stream.
    - `centers`: candidates for the nudge; unused otherwise.
    - `average`: class average of each neuron; unused but by "averaged".
    - `nudge`: in (0, 1]; unused by the first two kinds.
    """
    w = rng.standard_normal((h, D))
    if kind == "gaussian":
        return w
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    if kind == "sphere":
        return w
    aim = average if kind == "averaged" else centers[rng.integers(len(centers), size=h)]
    w += nudge * (aim - w)
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def balanced(
    w: Float[np.ndarray, "h D"], sign: Float[np.ndarray, " h"], log_eps: float
) -> PolarNeurons:
    """Neurons w_j(0) = ε w_j, v_j(0) = s_j ‖w_j(0)‖ in the polar chart.

    **Arguments:**

    - `w`: shape of the hidden weights.
    - `sign`: +1 or -1, the class each neuron belongs to for all time.
    - `log_eps`: log ε; any real number.

    **Source:** Min and Vidal, ICML 2025, Assumption 1.
    """
    norm = np.linalg.norm(w, axis=1)
    return PolarNeurons(
        jnp.asarray(w / norm[:, None]), jnp.asarray(log_eps + np.log(norm)), jnp.asarray(sign)
    )


def cartesian(
    w: Float[np.ndarray, "h D"], v: Float[np.ndarray, " h"], eps: float, degree: float = 1.0
) -> CartesianNeurons:
    """Neurons w_j(0) = ε w_j, v_j(0) = ε v_j, balanced or not.

    The published code of Min and Vidal (ICML 2024) draws both from N(0, 1) entries (theory T8).

    **Arguments:**

    - `w`, `v`: shapes of the weights.
    - `eps`: ε.
    - `degree`: of a neuron's output in ‖w_j‖; 1, or p without normalization.
    """
    return CartesianNeurons(jnp.asarray(eps * w), jnp.asarray(eps * v), degree)
