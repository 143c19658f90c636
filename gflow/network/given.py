"""Neurons that a caller gives, in logarithms, so that no scale underflows.

Whatever they come as, (W, v) in any precision, a `Population` or the neurons of a run, they are
checked whole, once, and become one `GivenNeurons`, which any chart can start from.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Float

from gflow.errors import DataError
from gflow.network.lightcone import lightcone_of_logs
from gflow.network.neurons import AbstractNeurons, CartesianNeurons, PolarNeurons
from gflow.network.population import Population

SCALES = (1e-300, 1e3)
"""Smallest and largest root mean square of ‖w_j‖, the `network.init_scale` of given neurons."""

_FORMS = "(W, v) with W of shape (h, D) and v of shape (h,), a Population, or the neurons of a run"
_STEPS = (
    "must be numbers, but are traced by jax (vmap, jit or grad), and a flow is steps on the host; "
    "vary a key in [vary], or give `gflow.flow_of` a module under vmap."
)


class GivenNeurons(eqx.Module):
    """Neurons of any balance and scale, as directions and logarithms on the host (final)."""

    direction: Float[np.ndarray, "h D"]
    """Unit vectors u_j = w_j/‖w_j‖."""
    log_norm: Float[np.ndarray, " h"]
    """log ‖w_j‖."""
    log_output: Float[np.ndarray, " h"]
    """log |v_j|; -inf for v_j = 0, and `log_norm` for a neuron that is balanced up to rounding."""
    sign: Float[np.ndarray, " h"]
    """+1 or -1: sign of v_j."""

    @property
    def width(self) -> int:
        """h."""
        return len(self.sign)

    @property
    def balanced(self) -> bool:
        """Whether |v_j| = ‖w_j‖ for every neuron, up to the rounding of what was given."""
        return bool((self.log_output == self.log_norm).all())

    @property
    def scale(self) -> float:
        """Root mean square of ‖w_j‖."""
        return float(np.exp(np.logaddexp.reduce(2 * self.log_norm) / 2 - np.log(self.width) / 2))

    @property
    def checksum(self) -> str:
        """Sixteen hexadecimal digits that identify these neurons."""
        digest = hashlib.sha256()
        for array in self.arrays().values():
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store, by name."""
        return {name: getattr(self, name) for name in _STORED}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "GivenNeurons":
        """The neurons stored by `arrays`."""
        return cls(**{name: arrays[name] for name in _STORED})

    def refuse_underflow(self, smallest: float) -> None:
        """Refuse neurons of which plain weights keep too little.

        **Raises:** `DataError` if a norm is below `smallest`.
        """
        norm = float(np.exp(self.log_norm.min()))
        if norm < smallest:
            raise DataError(
                f"`neurons` must have norms >= {smallest:.0e} as plain weights, whose squares "
                f"underflow, but the smallest is {norm:.1e}; set flow.chart = "
                '"lightcone".'
            )

    def in_chart(self, chart: str, degree: float) -> AbstractNeurons:
        """The neurons in a chart that their balance and scale allow.

        **Arguments:**

        - `chart`: "polar" for balanced ones, "lightcone", or "cartesian".
        - `degree`: degree of a neuron's output in ‖w_j‖.
        """
        if chart == "polar":
            return PolarNeurons(*jax.device_put((self.direction, self.log_norm, self.sign)))
        if chart == "lightcone":
            return lightcone_of_logs(self.direction, self.log_norm, self.log_output, self.sign)
        w = np.exp(self.log_norm)[:, None] * self.direction
        v = self.sign * np.exp(self.log_output)
        return CartesianNeurons(jnp.asarray(w), jnp.asarray(v), degree)


_STORED = ("direction", "log_norm", "log_output", "sign")


def given_neurons(neurons: Any, D: int, p: float) -> GivenNeurons:
    """Neurons as a caller gave them, checked.

    **Arguments:**

    - `neurons`: (W, v), W (h, D) and v (h,), arrays that numpy can read, of any precision; a
        `Population`, whose neurons are balanced; or neurons of a run, such as `run.at(0).neurons`.
        The last two have logarithms of norms, for weights that no float can hold.
    - `D`: dimension of the inputs.
    - `p`: power of the activation, which a `Population` must have, too.

    **Raises:** `DataError` that names what is wrong and where.
    """
    with jax.enable_x64(True):
        given = _read(neurons, D, p)
    if given.direction.shape[1] != D:
        raise DataError(
            f"`neurons` must have as many inputs as the data, D = {D}, but have "
            f"{given.direction.shape[1]}; give vectors of R^D."
        )
    if not SCALES[0] <= given.scale <= SCALES[1]:
        raise DataError(
            f"`neurons` must have ‖w_j‖ of root mean square within {SCALES[0]:g} and "
            f"{SCALES[1]:g}, but it is {given.scale:.3g}; scale them."
        )
    return given


def _read(neurons: Any, D: int, p: float) -> GivenNeurons:
    if isinstance(neurons, GivenNeurons):
        return neurons
    if isinstance(neurons, Population):
        return _of_population(neurons, p)
    return _of_neurons(neurons) if isinstance(neurons, AbstractNeurons) else _of_weights(neurons, D)


def _of_population(population: Population, p: float) -> GivenNeurons:
    """Balanced neurons of given contributions, ‖w_j‖ = |v_j| = √m_j."""
    if population.p != p:
        raise DataError(
            f"`neurons` must have the power of the scenario, network.power = {p:g}, but the "
            f"population has p = {population.p:g}; change one of them."
        )
    _refuse_rows(population.m == 0, "`neurons` must contribute, but m_j = 0 for")
    _refuse_rows(~population.u.any(axis=1), "`neurons` must have directions, but u_j = 0 for")
    log_norm = (np.log(population.m) + population.log_scale) / 2
    return GivenNeurons(_unit(population.u)[0], log_norm, log_norm, population.s.astype(float))


def _of_neurons(neurons: AbstractNeurons) -> GivenNeurons:
    log_norm, log_output = (
        np.asarray(a, np.float64) for a in (neurons.log_norm, neurons.log_output)
    )
    u, sign = (np.asarray(a, np.float64) for a in (neurons.direction, neurons.sign))
    _refuse_rows(~(np.isfinite(u).all(axis=1) & np.isfinite(log_norm)),
                 "`neurons` must have directions and norms, but have none for")  # fmt: skip
    is_unit = np.allclose(np.linalg.norm(u, axis=1), 1, rtol=1e-12, atol=0)
    return GivenNeurons(u if is_unit else _unit(u)[0], log_norm, log_output, sign)


def _of_weights(neurons: Any, D: int) -> GivenNeurons:
    try:
        W, v = neurons
    except (TypeError, ValueError):
        raise DataError(
            f"`neurons` must be {_FORMS}, but is {type(neurons).__name__}; try neurons=(W, v)."
        ) from None
    (w, coarse), (v, coarse_v) = _numbers("W", W), _numbers("v", v)
    if w.ndim != 2 or (w.shape[1] != D and w.shape[0] == D):
        cure = "W.T" if w.ndim == 2 else "one row per neuron"
        raise DataError(f"`W` must have shape (h, D), D = {D}, but has {w.shape}; try {cure}.")
    if v.shape != (len(w),):
        cure = "v.reshape(-1)" if v.size == len(w) else "one output weight per neuron"
        raise DataError(f"`v` must have shape ({len(w)},), but has {v.shape}; try {cure}.")
    if not len(w):
        raise DataError("`W` must have a row, but has none; give one row per neuron.")
    _refuse_rows(~np.isfinite(w).all(axis=1), "`W` must be finite, but is not in")
    _refuse_rows(~np.isfinite(v), "`v` must be finite, but is not in")
    _refuse_rows(~w.any(axis=1), "`W` must have no row of zeros, which has no direction and does "
                 "not move, but has in")  # fmt: skip
    u, log_norm = _unit(w)
    with np.errstate(divide="ignore"):
        log_output = np.log(np.abs(v))
    # A norm of D rounded numbers is off by up to about √D roundings.
    rounding = 4 * np.sqrt(D) * max(coarse, coarse_v)
    near = np.abs(log_output - log_norm) <= rounding
    return GivenNeurons(
        u, log_norm, np.where(near, log_norm, log_output), np.where(v < 0, -1.0, 1.0)
    )


class _Numbers(NamedTuple):
    values: Float[np.ndarray, "..."]
    rounding: float
    """Relative rounding of the precision they came in."""


def _numbers(name: str, array: Any) -> _Numbers:
    """An array of a caller in double precision, whatever holds it."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(array)):
        raise DataError(f"`neurons` {_STEPS}")
    try:
        values = np.asarray(array)
    # Whatever a library raises for an array that is on another device or has a gradient.
    except Exception as error:
        raise DataError(
            f"`{name}` must be an array that numpy can read, but is not ({error}); try "
            f"{name}.detach().cpu().numpy() for a tensor."
        ) from None
    if jnp.issubdtype(values.dtype, jnp.integer):
        values = values.astype(np.float64)
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise DataError(
            f"`{name}` must be real numbers, but is {values.dtype}; give an array of floats."
        )
    return _Numbers(values.astype(np.float64), float(jnp.finfo(values.dtype).eps))


def _unit(w: Float[np.ndarray, "h D"]) -> tuple[Float[np.ndarray, "h D"], Float[np.ndarray, " h"]]:
    """Directions and log-norms of rows, whose squares may underflow or overflow."""
    largest = np.abs(w).max(axis=1)
    scaled = w / largest[:, None]
    norm = np.linalg.norm(scaled, axis=1)
    return scaled / norm[:, None], np.log(largest) + np.log(norm)


def _refuse_rows(wrong: Any, what: str) -> None:
    if len(rows := np.flatnonzero(wrong)):
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        raise DataError(f"{what} row {rows[0]}{more}; drop or repair it.")
