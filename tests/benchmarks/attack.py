"""The whole curve of robust accuracy at the published size against the published procedure, p = 3.

Ours: the radius of every one of 20,000 test samples, attacked and certified, in l2.  The published
side runs 2000 iterations of the full network in float32 at each of 15 radii; its cost is that of 20
iterations, times 1500.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from timing import once

import gflow
from gflow.robustness.bracket import measure_radii
from gflow.robustness.norm import Norm
from gflow.robustness.published_search import ATTACK_STEP, FLOOR, ITERATIONS, PUBLISHED_RADII

SCENARIO = Path(__file__).parents[2] / "scenarios" / "paper-5.1-robustness.toml"
TIMED = 20


def network() -> gflow.Run:
    keys = ["network.power=3", "seed=0", "robustness.norms=[]", "robustness.published=false"]
    return gflow.simulate(gflow.load_scenario(SCENARIO, keys).points()[0].scenario)


def published(run: gflow.Run, x: np.ndarray, y: np.ndarray) -> float:
    """Seconds of the whole published procedure on the full network, from `TIMED` iterations."""
    f = run.network
    u = jnp.asarray(f.direction, "float32")
    c = jnp.asarray(np.asarray(f.sign) * np.exp(np.asarray(f.log_mass)), "float32")
    at, label = jnp.asarray(x, "float32"), jnp.asarray(y, "float32")

    def loss(delta):
        return jnp.mean(jnp.exp(-label * (jnp.maximum((at + delta) @ u.T, 0) ** 3 @ c)))

    def step(_, delta):
        g = -jax.grad(loss)(delta)
        delta -= ATTACK_STEP * -g / (jnp.linalg.norm(g, axis=1, keepdims=True) + FLOOR)
        size = jnp.linalg.norm(delta, axis=1, keepdims=True)
        return delta * jnp.minimum(1.0, 0.75 / jnp.maximum(size, 1e-30))

    walk = jax.jit(lambda delta: jax.lax.fori_loop(0, TIMED, step, delta))
    walk(jnp.zeros_like(at)).block_until_ready()
    seconds, _ = once(lambda: walk(jnp.zeros_like(at)).block_until_ready())
    return seconds / TIMED * ITERATIONS * len(PUBLISHED_RADII)


def main() -> None:
    run = network()
    test = run.scenario.data.read_test(run.scenario.seed)
    assert test is not None
    ours, robustness = once(lambda: measure_radii(
        run.network, test.x, test.labels("sign"), [Norm.L2],
        seed=0,
    ))  # fmt: skip
    low, high = robustness.median(Norm.L2)
    print(f"ours      {ours:.0f} s, median radius in [{low:.4f}, {high:.4f}], "
          f"worst ratio {robustness.worst_ratio(Norm.L2):.4f}", flush=True)  # fmt: skip
    theirs = published(run, test.x, test.labels("sign"))
    print(f"published {theirs:.0f} s, extrapolated from {TIMED} iterations", flush=True)
    print(f"ratio     {theirs / ours:.0f}")
