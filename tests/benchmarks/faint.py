"""Where the noise-free flow is right: escapes against the flow in logarithms, down to ε = 1e-200.

The other side integrates the logarithm of every coordinate by scipy (`tests/decoupled_flow.py`), so
that no coordinate is too faint. Printed for powers, imbalances and scales: the largest relative
difference of an escape time, how many subclasses escape on either side, and whether soundness
(trap T18) reports the run. D = 20, h = 20, K1 = 3, K2 = 2, half square loss, default tolerance.
"""

import sys
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from decoupled_flow import escapes

from gflow.flow.losses import HalfSquare
from gflow.judges.held_coordinates import holds_coordinates
from gflow.measure.phases import escape_times
from gflow.runs.experiment import simulate
from gflow.runs.problem import prepare
from gflow.scenario import parse_scenario

POWERS, IMBALANCES, SCALES = (1, 1.5, 2, 2.5, 3), (1.0, 4.0), (1e-5, 1e-20, 1e-60, 1e-200)

QUESTION = """
question = "When do subclasses escape?"
data = {dimension = 20, subclasses = 5, positive_subclasses = 3, noise = 0.0, samples = 200}
network = {width = 20, power = %g, init_scale = %r}
flow = {loss = "half_square", end_time = %r}
record = {geometric = 200}
"""


def main() -> None:
    print(f"{'p':>4} {'imbalance':>9} {'ε':>6} {'difference':>11} {'escaped':>9}  reported")
    for p in POWERS:
        for imbalance in IMBALANCES:
            for eps in SCALES:
                print_row(p, imbalance, eps)


def print_row(p: float, imbalance: float, eps: float) -> None:
    # Light subclasses escape last, at log(1/ε)/π_k at p >= 2.
    end = float(np.log(1 / eps) * (7 if imbalance == 1 else 14) + 150)
    options = ["data.test_samples=0", f"data.imbalance={imbalance}"]
    scenario = parse_scenario(QUESTION % (p, eps, end), overrides=options)
    evidence = simulate(scenario).evidence
    with jax.enable_x64(True):
        problem = prepare(scenario)
    start, centers, record = problem.weights, problem.centers, evidence.record
    law = escapes(
        np.asarray(start.direction) @ centers.mu.T, np.asarray(start.log_norm),
        np.asarray(start.sign), centers.label.astype(float), problem.pi, p, end,
    )  # fmt: skip
    flow = escape_times(record["time"].values, record["center_output"].values, HalfSquare().slowing)
    both = np.isfinite(flow) & np.isfinite(law)
    worst = np.abs(flow / law - 1)[both].max()
    counts = f"{np.isfinite(flow).sum()} of {np.isfinite(law).sum()}"
    answer = holds_coordinates(evidence)
    told = "" if answer is None or answer.met else answer.measured
    print(f"{p:>4g} {imbalance:>9g} {eps:>6.0e} {worst:>11.1e} {counts:>9}  {told}", flush=True)


if __name__ == "__main__":
    main()
