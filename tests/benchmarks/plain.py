"""A flow at n = 2000, h = 200 against a plain diffrax solve of the same question.

The plain side is what one writes first: a pytree of weights, `jax.grad` of the loss, Tsit5 with
rtol = 1e-3 and atol = 1e-10, float32.  Both sides compile within their time.  Errors are the
largest relative error of |f(μ_k)| at the end and the largest angle of a contributing neuron there,
against a flow in float64 at full width whose tolerance is a thousand (p = 1: a hundred) times
tighter.
"""

from pathlib import Path
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from timing import once

import gflow
from gflow.network.neurons import PolarNeurons
from gflow.runs.problem import prepare

QUICKSTART = Path(__file__).parents[2] / "scenarios" / "quickstart.toml"
TIGHT = {1: 1e-5, 3: 1e-6}


class Answer(NamedTuple):
    """A network at the end."""

    u: np.ndarray
    center_output: np.ndarray
    steps: int


def scenario(power: int, **keys: object) -> gflow.Scenario:
    given = {"network.power": power} | {f"flow.{key}": value for key, value in keys.items()}
    options = [f"{k}={v!r}".replace("'", '"') for k, v in given.items()]
    return gflow.load_scenario(QUICKSTART, options)


def ours(question: gflow.Scenario) -> tuple[Answer, np.ndarray]:
    run = gflow.simulate(question)
    output = run.record["center_output"].values[-1]
    answer = Answer(np.asarray(run.network.direction), output, run.effort.steps)
    return answer, run.evidence.contributing


def weights(neurons: PolarNeurons) -> tuple[jax.Array, jax.Array]:
    """Balanced neurons as plain weights W and v, float32."""
    norm = np.exp(np.asarray(neurons.log_norm))
    w, v = np.asarray(neurons.direction) * norm[:, None], np.asarray(neurons.sign) * norm
    return jnp.asarray(w, "float32"), jnp.asarray(v, "float32")


def plain(question: gflow.Scenario, power: int) -> Answer:
    problem = prepare(question)
    x = jnp.asarray(problem.train.x, "float32")
    y = jnp.asarray(problem.train.labels("sign"), "float32")
    theta = weights(problem.weights)

    def output(theta, x):
        w, v = theta
        z = jnp.maximum(x @ w.T, 0) ** power
        return z @ (v / jnp.linalg.norm(w, axis=1) ** (power - 1))

    def velocity(t, theta, args):
        gradient = jax.grad(lambda theta: jnp.mean(jnp.exp(-y * output(theta, x))))(theta)
        return jax.tree.map(jnp.negative, gradient)

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity), diffrax.Tsit5(), 0.0, question.flow.end_time, None, theta,
        stepsize_controller=diffrax.PIDController(rtol=1e-3, atol=1e-10), max_steps=200_000,
        saveat=diffrax.SaveAt(t1=True), throw=False,
    )  # fmt: skip
    w, v = (a[-1] for a in solution.ys)
    centers = jnp.asarray(problem.centers.mu, "float32")
    u = np.asarray(w) / np.linalg.norm(w, axis=1, keepdims=True)
    return Answer(u, np.asarray(output((w, v), centers)), int(solution.stats["num_steps"]))


def errors(answer: Answer, exact: Answer, contributing: np.ndarray) -> tuple[float, float]:
    """Largest relative error of |f(μ_k)|, and largest angle of a contributing neuron."""
    output = np.abs(answer.center_output / exact.center_output - 1).max()
    chord = np.linalg.norm((answer.u - exact.u)[contributing], axis=1)
    return float(output), float(2 * np.arcsin(np.minimum(chord / 2, 1)).max())


def main() -> None:
    print(f"{'p':>2} {'side':<6} {'seconds':>8} {'steps':>6} {'output':>8} {'angle':>8}")
    for power, tight in TIGHT.items():
        reference = scenario(power, tolerance=tight, method="direct", precision="float64")
        exact, contributing = ours(reference)
        seconds = {}
        for side, solve in (
            ("gflow", lambda p=power: ours(scenario(p))[0]),
            ("plain", lambda p=power: plain(scenario(p), p)),
        ):
            seconds[side], answer = once(solve)
            output, angle = errors(answer, exact, contributing)
            print(
                f"{power:>2} {side:<6} {seconds[side]:>8.1f} {answer.steps:>6} {output:>8.1e} "
                f"{angle:>8.1e}",
                flush=True,
            )
        print(f"{power:>2} ratio  {seconds['plain'] / seconds['gflow']:>8.1f}", flush=True)
