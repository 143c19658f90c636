"""Small systems whose flow is known in closed form, and the closed forms.

Written from theory D1 to D8 with numpy and scipy alone, so they share no line with gflow.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad

from gflow.flow.charts import field_of
from gflow.flow.field import AbstractField, Samples
from gflow.flow.integrate import integrate
from gflow.flow.losses import LOSSES
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.trajectory import Trajectory
from gflow.network.neurons import AbstractNeurons, CartesianNeurons, PolarNeurons


class System(NamedTuple):
    """A flow ready to be integrated."""

    field: AbstractField
    neurons: AbstractNeurons
    samples: Samples

    def follow(self, times, tolerance=1e-9, solver="tsit5", **rest) -> Trajectory:
        """Integrate and observe every state; absolute tolerance scaled to the neurons."""
        scale = float(self.field.scale(self.neurons))
        plain = isinstance(self.neurons, CartesianNeurons)
        controls = Controls(
            solver=solver,
            rtol=tolerance if plain else 0.0,
            atol=tolerance * min(scale, 1.0) * 1e-6 if plain else tolerance,
            min_step=rest.pop("min_step", 0.0),
            max_steps=rest.pop("max_steps", 20_000),
        )
        return integrate(
            self.field,
            self.neurons,
            self.samples,
            Schedule(np.asarray(times, float)),
            controls,
            rest.pop("probe", lambda t, state: state),
            rest.pop("stop", lambda seen: None),
            rest.pop("notable", lambda before, now: False),
            rest.pop("watch", lambda t, seen: None),
            **rest,
        )


def system(neurons, x, y, p, loss="exponential", omega=None, rows=1000, dtype="float64") -> System:
    """A flow on plain arrays; weights 1/n unless given."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    omega = np.full(len(y), 1 / len(y)) if omega is None else np.asarray(omega, float)
    samples = Samples.blocked(x, y, omega, rows, dtype)
    return System(field_of(neurons, LOSSES[loss], float(p)), neurons, samples)


def polar(u, log_norm, sign) -> PolarNeurons:
    u = np.asarray(u, float)
    return PolarNeurons(
        jnp.asarray(u / np.linalg.norm(u, axis=1, keepdims=True)),
        jnp.asarray(np.broadcast_to(np.asarray(log_norm, float), len(u))),
        jnp.asarray(np.asarray(sign, float)),
    )


def centers_only(u, sign, y, p, log_eps, loss="exponential") -> System:
    """Noise-free data: the samples are the K centers e_1..e_K themselves, weight 1/K each."""
    u = np.asarray(u, float)
    return system(polar(u, log_eps, sign), np.eye(len(y), u.shape[1]), y, p, loss)


def linearized(u0, y, p, chi):
    """ξ_k(χ) of theory D3 for a positive neuron; |ξ(0)| = 1, coordinates decoupled."""
    u0, y = np.asarray(u0, float), np.asarray(y, float)
    xi = u0.copy()
    on = u0 > 0
    if p == 1:
        xi[on] = np.maximum(u0[on] + y[on] * chi, np.where(y[on] > 0, -np.inf, 0))
    elif p == 2:
        xi[on] = u0[on] * np.exp(y[on] * chi)
    else:
        bracket = u0[on] ** (2 - p) - (p - 2) * y[on] * chi
        xi[on] = np.where(bracket > 0, np.maximum(bracket, 1e-300) ** (-1 / (p - 2)), 0)
    return xi


def alignment_time(u0, y, perp, p, chi):
    """t̂(χ) = ∫₀^χ |ξ|^{p-2} dχ', with |ξ|² = Σ ξ_k² + perp²."""

    def length(x):
        return np.sqrt((linearized(u0, y, p, x) ** 2).sum() + perp**2) ** (p - 2)

    return quad(length, 0, chi, limit=200, epsabs=1e-13, epsrel=1e-12)[0]
