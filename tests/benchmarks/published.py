"""One flow at the published size against the published training procedure.

The procedure (Min and Vidal, ICML 2024, section 5.1) is SGD with batches of 100 and step 0.2 for
401 epochs of 200 steps, written here with optax as one jitted scan in float32; 200 steps are timed
and multiplied by 401.  Errors of the flow at a loose tolerance are printed against that at the
default tolerance, all compilation included.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from plain import weights
from timing import once, product_rate, seconds

import gflow
from gflow.runs.problem import prepare

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NAMES = {1: "paper-5.1-relu.toml", 3: "paper-5.1-prelu.toml"}
EPOCH, BATCH, STEP, EPOCHS = 200, 100, 0.2, 401
QUICK = ["flow.tolerance=1e-2", "record.linear=8", "record.geometric=8"]


def epoch_of(question: gflow.Scenario):
    """A call that trains for one epoch, and its operations."""
    problem = prepare(question)
    x = jnp.asarray(problem.train.x, "float32")
    y = jnp.asarray(problem.train.labels("sign"), "float32")
    theta = weights(problem.weights)
    power, sgd = question.network.power, optax.sgd(STEP)

    def loss(theta, x, y):
        w, v = theta
        z = jnp.maximum(x @ w.T, 0) ** power
        return jnp.mean(jnp.exp(-y * (z @ (v / jnp.linalg.norm(w, axis=1) ** (power - 1)))))

    def step(carry, rows):
        theta, state = carry
        updates, state = sgd.update(jax.grad(loss)(theta, x[rows], y[rows]), state)
        return (optax.apply_updates(theta, updates), state), None

    order = jax.random.permutation(jax.random.key(0), len(y)).reshape(EPOCH, BATCH)
    epoch = jax.jit(lambda theta: jax.lax.scan(step, (theta, sgd.init(theta)), order)[0])
    return lambda: epoch(theta), 4 * EPOCH * BATCH * x.shape[1] * len(theta[1])


def difference(run: gflow.Run, exact: gflow.Run) -> tuple[float, float]:
    """Largest relative difference of |f(μ_k)| and largest angle of a contributing neuron."""
    last, other = (r.record["center_output"].values[-1] for r in (run, exact))
    u, v = (np.asarray(r.network.direction)[exact.evidence.contributing] for r in (run, exact))
    chord = np.linalg.norm(u - v, axis=1)
    return float(np.abs(last / other - 1).max()), float(2 * np.arcsin(chord / 2).max())


def main() -> None:
    for power, name in NAMES.items():
        work, operations = epoch_of(gflow.load_scenario(SCENARIOS / name))
        best = product_rate()
        epoch = seconds(work, repeats=2)
        sgd = EPOCHS * epoch
        print(
            f"p = {power}: SGD {1e3 * epoch / EPOCH:.1f} ms a step, "
            f"{operations / epoch / best:.0%} of the product's rate; {sgd:.0f} s in all",
            flush=True,
        )
        exact: gflow.Run | None = None
        for label, options in (("default", []), ("quick", QUICK)):
            question = gflow.load_scenario(SCENARIOS / name, options)
            spent, run = once(lambda q=question: gflow.simulate(q))
            exact = exact or run
            output, angle = difference(run, exact)
            print(
                f"p = {power}: {label:<8} {spent:>6.1f} s, {sgd / spent:>5.1f}x less than SGD; "
                f"outputs {output:.1e}, angles {angle:.1e}; {run.effort}",
                flush=True,
            )
