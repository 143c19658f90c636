"""What sliding along kinks costs at p = 1: the default treatment against two smoothings.

The default takes a low order and a smallest step. The other side smooths the activation at each
neuron's kink, σ_δ(z) = (z + √(z² + (δ‖x‖)²))/2 at z = <u, x>, which keeps positive homogeneity
and so every conservation law, at two δ; their difference says how far δ = 0 still is. Printed at
the quickstart's size: steps, seconds, and against the smaller δ the largest difference of a
contributing neuron's cosine at a scheduled time and of |f(μ_k)| at the end, relative.
"""

from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from timing import once

import gflow
from gflow.flow.field import AbstractField, FlowState
from gflow.flow.integrate import integrate
from gflow.flow.losses import AbstractScalarLoss
from gflow.flow.observer import Observer
from gflow.flow.polar_field import PolarField
from gflow.flow.pull import tangent
from gflow.flow.samples import Samples
from gflow.flow.stepper import Controls
from gflow.measure.alignment import contributing
from gflow.runs.problem import Problem, prepare

QUICKSTART = Path(__file__).parents[2] / "scenarios" / "quickstart.toml"
DELTAS = (2e-3, 1e-3)
"""In units of 1; the noise α/√D of one coordinate is 3e-3."""


class SmoothField(AbstractField):
    """The flow at p = 1 with smoothed kinks, in polar coordinates (final)."""

    loss: AbstractScalarLoss
    p: float = eqx.field(static=True)
    delta: float

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        neurons = state.weights.projected()
        u, mass = neurons.direction, jnp.exp(2 * neurons.log_norm)
        x = args.x.reshape(-1, u.shape[1]).astype(u.dtype)
        y, omega = args.y.reshape(-1), args.omega.reshape(-1)
        z = x @ u.T
        soft = jnp.sqrt(z**2 + self.delta**2 * jnp.sum(x**2, axis=1, keepdims=True))
        value, gate = (z + soft) / 2, (1 + z / soft) / 2
        weight = omega * self.loss.force(y, value @ (neurons.sign * mass))
        pull = (gate * weight[:, None]).T @ x
        return PolarField(self.loss, 1.0).velocity(neurons, tangent(pull, u), weight @ value)

    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        return PolarField(self.loss, 1.0).error_norm(error, state, gain)


class Course(NamedTuple):
    """What a flow did, as far as it is compared."""

    cosine: np.ndarray
    output: np.ndarray
    strong: np.ndarray
    steps: int


def follow(problem: Problem, field: AbstractField, controls: Controls) -> Course:
    references, mu = problem.centers.references, jnp.asarray(problem.centers.mu)
    observer = Observer(
        lambda t, state: {
            "cosine": state.weights.direction @ jnp.asarray(references).T,
            "output": state.weights.network(1.0)(mu),
        }
    )
    trajectory = integrate(
        field, problem.weights, problem.samples, problem.schedule,
        controls=controls, observer=observer,
    )  # fmt: skip
    strong = contributing(2 * np.asarray(trajectory.state.weights.log_norm))
    records, steps = trajectory.observations, trajectory.outcome.steps
    return Course(records["cosine"][trajectory.scheduled], records["output"][-1], strong, steps)


def main() -> None:
    options = ["network.power=1", "data.test_samples=0"]
    with jax.enable_x64(True):
        problem = prepare(gflow.load_scenario(QUICKSTART, options))
        smooth = Controls(solver="tsit5", rtol=0.0, atol=1e-4, min_step=0.0, max_steps=100_000)
        sides = {"default": (problem.field, problem.controls)} | {
            f"δ = {d:g}": (SmoothField(problem.field.loss, 1.0, d), smooth) for d in DELTAS
        }
        timed = {name: once(lambda s=side: follow(problem, *s)) for name, side in sides.items()}
    best = timed[f"δ = {DELTAS[-1]:g}"][1]
    print(f"{'side':<10} {'steps':>6} {'seconds':>8} {'on the way':>11} {'output':>8}")
    for name, (seconds, path) in timed.items():
        way = np.abs(path.cosine - best.cosine)[:, best.strong].max()
        end = np.abs(path.output / best.output - 1).max()
        print(f"{name:<10} {path.steps:>6} {seconds:>8.1f} {way:>11.1e} {end:>8.1e}")
