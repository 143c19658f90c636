"""Populations of any balance at any scale: the light-cone chart (theory D1, T8).

One idea: with ρ_j = ‖w_j‖, the flow only stretches P_j = ρ_j + v_j and shrinks M_j = ρ_j - v_j,

    P_j(t) = P_j(0) e^{I_j} ,   M_j(t) = M_j(0) e^{-I_j} ,   dI_j/dt = Φ_j ,

so P_j M_j = ρ_j² - v_j² is conserved by construction, whatever its sign, and the state is a
direction and the number I_j.  Only logarithms of P and M are stored, so no scale underflows, and a
balanced neuron is the case in which one of the two is zero.

Norms are never computed as sums of P and M: with d = log|P/M| every quantity is tanh, log1p or
expm1 of d, which are accurate to rounding even where P and M nearly cancel.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from gflow.network.neurons import AbstractNeurons
from gflow.network.weights import named_arrays
from gflow.scenario.networks import AbstractNetworkTable

_STORED = ("direction", "boost", "log_plus", "log_minus", "sign_plus", "sign_minus")


class LightconeNeurons(AbstractNeurons):
    """Neurons of any balance: directions, boosts and constants log|P_j(0)|, log|M_j(0)| (final)."""

    chart = "lightcone"
    degree = 1.0
    scale = 1.0

    direction: Float[Array, "h D"]
    """Unit vectors u_j = w_j/‖w_j‖."""
    boost: Float[Array, " h"]
    """I_j = ∫₀ᵗ Φ_j dt; 0 at the start."""
    log_plus: Float[Array, " h"]
    """log|P_j(0)|, P = ‖w‖ + v; any finite number where P_j = 0.  Constant."""
    log_minus: Float[Array, " h"]
    """log|M_j(0)|, M = ‖w‖ - v; any finite number where M_j = 0.  Constant."""
    sign_plus: Float[Array, " h"]
    """Sign of P_j: +1, -1 or 0.  Constant."""
    sign_minus: Float[Array, " h"]
    """Sign of M_j: +1, -1 or 0.  Constant."""

    def __init__(
        self,
        direction: Float[Array, "h D"],
        boost: Float[Array, " h"],
        log_plus: Float[Array, " h"],
        log_minus: Float[Array, " h"],
        *,
        sign_plus: Float[Array, " h"],
        sign_minus: Float[Array, " h"],
    ):
        self.direction = direction
        self.boost = boost
        self.log_plus = log_plus
        self.log_minus = log_minus
        self.sign_plus = sign_plus
        self.sign_minus = sign_minus

    def __check_init__(self):
        h = self.direction.shape[0]
        rest = (self.boost, self.log_plus, self.log_minus, self.sign_plus, self.sign_minus)
        if any(values.shape != (h,) for values in rest):
            raise ValueError(
                f"`boost`, `log_plus`, `log_minus`, `sign_plus` and `sign_minus` must have one "
                f"entry per row of `direction` (h = {h}), but have shapes "
                f"{', '.join(str(values.shape) for values in rest)}."
            )

    @property
    def log_ratio(self) -> Float[Array, " h"]:
        """Current d_j = log|P_j/M_j|; ±∞ for a balanced neuron, 0 where v_j (or ‖w_j‖) is 0."""
        # Subtract the constants first: if v_j(0) = 0 they cancel exactly, at any scale.
        d = 2 * self.boost + (self.log_plus - self.log_minus)
        return jnp.where(self.sign_minus == 0, jnp.inf, jnp.where(self.sign_plus == 0, -jnp.inf, d))

    @property
    def steep(self) -> Bool[Array, " h"]:
        """Whether |v_j| > ‖w_j‖: P and M have opposite signs, and ‖w_j‖ may reach zero."""
        return self.sign_plus * self.sign_minus < 0

    @property
    def log_norm(self) -> Float[Array, " h"]:
        """log ‖w_j‖; nan once it has reached zero."""
        d = self.log_ratio
        log_sum = jnp.where(self.steep, _log_difference(d), _log_sum(d))
        return jnp.where(self._vanished, jnp.nan, self._log_half_larger + log_sum)

    @property
    def log_output(self) -> Float[Array, " h"]:
        """log |v_j|; -inf at the moment v_j changes sign."""
        d = self.log_ratio
        return self._log_half_larger + jnp.where(self.steep, _log_sum(d), _log_difference(d))

    @property
    def sign(self) -> Float[Array, " h"]:
        """+1 or -1: current sign of v_j; it may change if |v_j| < ‖w_j‖."""
        return jnp.where(self.log_ratio < 0, -1.0, 1.0).astype(self.boost.dtype)

    @property
    def slope(self) -> Float[Array, " h"]:
        """v_j/‖w_j‖ (dimensionless); nan once ‖w_j‖ has reached zero."""
        tanh = jnp.tanh(self.log_ratio / 2)
        return jnp.where(self._vanished, jnp.nan, jnp.where(self.steep, 1 / tanh, tanh))

    @property
    def _vanished(self) -> Bool[Array, " h"]:
        """Whether ‖w_j‖ has reached zero: d_j has changed sign."""
        return self.steep & (self.sign_plus * self.log_ratio <= 0)

    @property
    def _log_half_larger(self) -> Float[Array, " h"]:
        """log of half the larger of the current |P_j| and |M_j|."""
        plus = jnp.where(self.sign_plus == 0, -jnp.inf, self.log_plus + self.boost)
        minus = jnp.where(self.sign_minus == 0, -jnp.inf, self.log_minus - self.boost)
        return jnp.maximum(plus, minus) - math.log(2)

    def arrays(self) -> dict[str, np.ndarray]:
        return named_arrays(**{name: getattr(self, name) for name in _STORED})

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], table: AbstractNetworkTable
    ) -> "LightconeNeurons":
        return cls(**{name: jnp.asarray(arrays[name]) for name in _STORED})

    @property
    def vectors(self) -> Float[Array, "h D"]:
        return self.direction

    def with_vectors(self, vectors: Float[Array, "h d"]) -> "LightconeNeurons":
        return replace(self, direction=vectors)

    def projected(self) -> "LightconeNeurons":
        norm = jnp.linalg.norm(self.direction, axis=1, keepdims=True)
        return eqx.tree_at(lambda neurons: neurons.direction, self, self.direction / norm)


def _log_sum(d: Float[Array, " h"]) -> Float[Array, " h"]:
    """log(1 + e^{-|d|})."""
    return jnp.log1p(jnp.exp(-jnp.abs(d)))


def _log_difference(d: Float[Array, " h"]) -> Float[Array, " h"]:
    """log(1 - e^{-|d|})."""
    return jnp.log(-jnp.expm1(-jnp.abs(d)))


def lightcone(
    w: Float[np.ndarray, "h D"],
    v: Float[np.ndarray, " h"],
    log_eps: float,
    delta: Float[np.ndarray, " h"] | None = None,
) -> LightconeNeurons:
    """Neurons w_j(0) = ε w_j, v_j(0) = ε v_j in the light-cone chart, balanced or not.

    The larger of P = ‖w‖ + v and M = ‖w‖ - v is a sum of two positive numbers; the smaller one is
    `delta` divided by it, which avoids cancellation.

    **Arguments:**

    - `w`, `v`: shape of the weights, of size O(1).
    - `log_eps`: log ε; any real number.
    - `delta`: ‖w_j‖² - v_j², if it is known more accurately than from `w` and `v` (nearly balanced
        neurons); 0 for exactly balanced ones.

    **Source:** theory D1, light-cone form.
    """
    norm = np.linalg.norm(w, axis=1)
    larger = norm + np.abs(v)
    smaller = norm - np.abs(v) if delta is None else delta / larger
    plus, minus = np.where(v < 0, smaller, larger), np.where(v < 0, larger, smaller)
    return LightconeNeurons(
        jnp.asarray(w / norm[:, None]),
        jnp.zeros(len(norm)),
        _log_of_size(plus, log_eps),
        _log_of_size(minus, log_eps),
        sign_plus=jnp.asarray(np.sign(plus)),
        sign_minus=jnp.asarray(np.sign(minus)),
    )


def lightcone_of_logs(
    direction: Float[np.ndarray, "h D"],
    log_norm: Float[np.ndarray, " h"],
    log_output: Float[np.ndarray, " h"],
    sign: Float[np.ndarray, " h"],
) -> LightconeNeurons:
    """Neurons of given logarithms, each at a scale of its own, in the light-cone chart.

    **Arguments:**

    - `direction`: unit vectors u_j.
    - `log_norm`, `log_output`: log ‖w_j‖ and log |v_j|, equal for a balanced neuron.
    - `sign`: sign of v_j.
    """
    larger = np.logaddexp(log_norm, log_output)
    gap = log_norm - log_output
    with np.errstate(divide="ignore"):
        smaller = np.maximum(log_norm, log_output) + np.log(-np.expm1(-np.abs(gap)))
    smaller = np.where(gap == 0, 0.0, smaller)
    positive, one = sign > 0, np.ones_like(sign)
    return LightconeNeurons(
        jnp.asarray(direction),
        jnp.zeros(len(sign)),
        jnp.asarray(np.where(positive, larger, smaller)),
        jnp.asarray(np.where(positive, smaller, larger)),
        sign_plus=jnp.asarray(np.where(positive, one, np.sign(gap))),
        sign_minus=jnp.asarray(np.where(positive, np.sign(gap), one)),
    )


def _log_of_size(values: Float[np.ndarray, " h"], log_eps: float) -> Float[Array, " h"]:
    """log(ε|values|), with 0 in place of log 0, from which solvers would make nan."""
    return jnp.asarray(np.where(values == 0, 0.0, log_eps + np.log(np.abs(values) + (values == 0))))
