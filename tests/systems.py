"""Small systems whose flow is known in closed form, and the closed forms.

Written from theory D1 to D8 with numpy and scipy alone, so they share no line with gflow.
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad

from gflow.flow.charts import field_of
from gflow.flow.field import AbstractField, FlowState
from gflow.flow.integrate import integrate
from gflow.flow.losses import LOSSES, AbstractNamedLoss, CrossEntropy
from gflow.flow.observer import Observer
from gflow.flow.records import AbstractCheckpoint
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.trajectory import Trajectory
from gflow.network.neurons import PolarNeurons
from gflow.network.weights import AbstractWeights

ALL_LOSSES = LOSSES | {"cross_entropy": CrossEntropy()}


class MemoryCheckpoint(AbstractCheckpoint):
    """A checkpoint in memory, saved when it is due for the given time."""

    def __init__(self, at=0, arrays=None):
        self.arrays, self.at, self.count = arrays, at, 0

    def load(self):
        return self.arrays

    def due(self):
        self.count += 1
        return self.count == self.at

    def save(self, arrays):
        self.arrays = {name: np.array(value) for name, value in arrays.items()}

    def leg(self, name):
        return MemoryCheckpoint()


class Quartic(AbstractNamedLoss):
    """ℓ = (1 - y f)⁴/4, for which no law has a closed form (final)."""

    name: ClassVar[str] = "quartic"
    kappa: ClassVar[float] = 1.0
    saturates: ClassVar[bool] = True

    def value(self, y, f):
        return (1 - y * f) ** 4 / 4

    def force(self, y, f):
        return y * (1 - y * f) ** 3

    def force_change(self, y, f):
        z = y * f
        return y * z * (-3 + 3 * z - z**2)


class System(NamedTuple):
    """A flow ready to be integrated."""

    field: AbstractField
    weights: AbstractWeights
    samples: Samples

    def velocity(self) -> FlowState:
        """dθ/dt at the start."""
        return self.field(jnp.zeros(()), FlowState.begin(self.weights), self.samples)

    def follow(self, times, tolerance=1e-9, solver="tsit5", **rest) -> Trajectory:
        """Integrate and observe every state; absolute tolerance scaled to the neurons."""
        scale = float(self.weights.scale)
        plain = self.weights.chart in ("cartesian", "module")
        controls = Controls(
            solver=solver,
            rtol=tolerance if plain else 0.0,
            atol=tolerance * min(scale, 1.0) * 1e-6 if plain else tolerance,
            min_step=rest.pop("min_step", 0.0),
            max_steps=rest.pop("max_steps", 20_000),
            largest_forced=rest.pop("largest_forced", np.inf),
        )
        looks = {name: rest.pop(name) for name in Observer._fields if name in rest}
        return integrate(
            self.field,
            self.weights,
            self.samples,
            Schedule(np.asarray(times, float)),
            controls=controls,
            observer=Observer(**{"probe": lambda t, state: state} | looks),
            **rest,
        )


def random_problem(h=7, D=5, n=23, seed=0, size=0.8):
    """Samples, hidden weights and signs of output weights without any structure."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, D)), rng.choice([-1.0, 1.0], n)
    w, sign = size * rng.standard_normal((h, D)), rng.choice([-1.0, 1.0], h)
    return x, y, w, sign, rng


def system(neurons, x, y, p, loss="exponential", omega=None, rows=1000, dtype="float64") -> System:
    """A flow on plain arrays; weights 1/n unless given."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    omega = np.full(len(y), 1 / len(y)) if omega is None else np.asarray(omega, float)
    samples = Samples.blocked(x, y, omega, rows, dtype=dtype)
    return System(field_of(neurons, ALL_LOSSES[loss], float(p)), neurons, samples)


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


def mixture(p, h=64, D=20, per=10, alpha=0.1, log_eps=-16.0, loss="exponential", seed=0):
    """Four subclasses, three of them positive, and a random start."""
    rng = np.random.default_rng(seed)
    x = np.repeat(np.eye(4, D), per, axis=0)
    x = x + alpha / np.sqrt(D) * rng.standard_normal(x.shape)
    y = np.repeat([1.0, 1.0, 1.0, -1.0], per)
    neurons = polar(rng.standard_normal((h, D)), log_eps, rng.choice([-1.0, 1.0], h))
    return system(neurons, x, y, p, loss)


def plain_loss(layers, bias, x, y, omega, *, p, loss, normalized=True, input_normalized=False):
    """L of a network in plain weights, the first layer first, as written in the papers."""
    z = x
    for w in layers[:-1]:
        grown = z @ w.T
        power = jnp.where(grown > 0, jnp.where(grown > 0, grown, 1.0) ** p, 0.0)
        size = jnp.linalg.norm(w, axis=1)[None] if normalized else 1.0
        if input_normalized:
            size = size * jnp.linalg.norm(z, axis=1)[:, None]
        z = power / size ** (p - 1)
    f = z @ layers[-1].T + bias
    return jnp.sum(
        omega * ALL_LOSSES[loss].value(jnp.asarray(y), f[:, 0] if f.shape[1] == 1 else f)
    )


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
