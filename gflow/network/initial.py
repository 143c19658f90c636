"""Initializations, at any scale (theory section 3, Initialization).

First the shape of the weights is drawn, w_j0 and v_j0 of size O(1); the scale ε then enters only as
log ε, so in the polar chart ε = 1e-300 works as well as 1e-2.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from gflow.network.lightcone import lightcone
from gflow.network.neurons import AbstractNeurons, CartesianNeurons, PolarNeurons
from gflow.network.weights import Task
from gflow.random import stream
from gflow.scenario.networks import NeuronsTable
from gflow.scenario.words import NEURON_INITS


class Draw(NamedTuple):
    """The ingredients of a shape of hidden weights."""

    signs: Float[np.ndarray, " h"]
    """Sign of v_j."""
    task: Task
    nudge: float
    """Fraction of the way to a center or average, in (0, 1]."""
    rng: np.random.Generator


def _gaussian(draw: Draw) -> Float[np.ndarray, "h D"]:
    """Every entry from N(0, 1), so that ‖w_j0‖ ≈ √D."""
    return draw.rng.standard_normal((len(draw.signs), draw.task.D))


def _sphere(draw: Draw) -> Float[np.ndarray, "h D"]:
    """Uniform unit vectors."""
    w = _gaussian(draw)
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def _nudged(draw: Draw) -> Float[np.ndarray, "h D"]:
    """Uniform unit vectors, each moved toward a random center, w ← w + nudge·(μ - w).

    **Source:** Min and Vidal, ICML 2025, figures 5 and 6.
    """
    w, centers = _sphere(draw), draw.task.centers
    return _moved(w, centers[draw.rng.integers(len(centers), size=len(w))], draw.nudge)


def _averaged(draw: Draw) -> Float[np.ndarray, "h D"]:
    """Uniform unit vectors, each moved in the same way toward the average of its class."""
    return _moved(_sphere(draw), draw.task.averages[np.where(draw.signs < 0, 1, 0)], draw.nudge)


def _moved(
    w: Float[np.ndarray, "h D"], goal: Float[np.ndarray, "h D"], nudge: float
) -> Float[np.ndarray, "h D"]:
    w = w + nudge * (goal - w)
    return w / np.linalg.norm(w, axis=1, keepdims=True)


SHAPES: dict[str, Callable[[Draw], Float[np.ndarray, "h D"]]] = {}
"""Shapes w_j0 of hidden weights, before scaling by ε, by the words of scenario files."""


def register_initialization(name: str, shape: Callable[[Draw], Float[np.ndarray, "h D"]]) -> None:
    """Make a shape of hidden weights available as a value of `network.init`.

    **Raises:** `ValueError` if another shape has this name.
    """
    NEURON_INITS.register(SHAPES, name, shape)


for _name, _shape in {
    "gaussian": _gaussian, "sphere": _sphere, "nudged": _nudged, "averaged": _averaged,
}.items():  # fmt: skip
    register_initialization(_name, _shape)


def start_neurons(chart: str, table: NeuronsTable, task: Task) -> AbstractNeurons:
    """The initial neurons of a scenario, in a chart.

    Output weights and hidden weights are drawn from separate streams.  A mirrored start draws half
    of the neurons; the other half are their mirror images, in the same order.
    """
    drawn = table.width // 2 if table.mirrored else table.width
    v = stream(task.seed, "output").standard_normal(drawn)
    sign = np.where(v < 0, -1.0, 1.0)
    w = SHAPES[table.init](Draw(sign, task, table.nudge, stream(task.seed, "hidden")))
    if table.mirrored:
        w, v, sign = (np.concatenate([a, -a]) for a in (w, v, sign))
    log_eps = float(np.log(table.init_scale))
    if chart == "polar":
        return balanced(w, sign, log_eps)
    v = sign * np.linalg.norm(w, axis=1) if table.balanced else table.output_scale * v
    if chart == "lightcone":
        return lightcone(w, v, log_eps)
    return cartesian(w, v, table.init_scale, table.degree)


def balanced(
    w: Float[np.ndarray, "h D"], sign: Float[np.ndarray, " h"], log_eps: float
) -> PolarNeurons:
    """Neurons w_j(0) = ε w_j, v_j(0) = s_j ‖w_j(0)‖ in the polar chart.

    **Arguments:**

    - `w`: shape of the hidden weights.
    - `sign`: +1 or -1, the sign of v_j, which never changes.
    - `log_eps`: log ε; any real number.

    **Source:** Min and Vidal, ICML 2025, Assumption 1.
    """
    norm = np.linalg.norm(w, axis=1)
    return PolarNeurons(*jax.device_put((w / norm[:, None], log_eps + np.log(norm), sign)))


def cartesian(
    w: Float[np.ndarray, "h D"], v: Float[np.ndarray, " h"], eps: float, degree: float = 1.0
) -> CartesianNeurons:
    """Neurons w_j(0) = ε w_j, v_j(0) = ε v_j, balanced or not.

    The published code of Min and Vidal (ICML 2024) draws both from N(0, 1) entries (theory T8).

    **Arguments:**

    - `w`, `v`: shapes of the weights.
    - `eps`: ε.
    - `degree`: degree of a neuron's output in ‖w_j‖; 1, or p without normalization.
    """
    return CartesianNeurons(jax.device_put(eps * w), jax.device_put(eps * v), degree)
