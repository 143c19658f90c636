"""One evaluation of the velocity: against a plain matrix product, and its exponents.

Prints operations per second of the two products (4·n·D·h an evaluation), the best rate of a plain
float32 product measured before and after, and exponents of the time fitted over n, D and h from
the quickstart's size upward.
"""

import jax
import numpy as np
from timing import product_rate, seconds

import gflow
from gflow.flow.field import FlowState
from gflow.runs.problem import prepare

SIZE = {"samples": 2000, "dimension": 1000, "width": 200}


def evaluation(power: int, samples: int, dimension: int, width: int):
    """A call that evaluates the velocity of a scenario once, and its operations."""
    scenario = gflow.parse_scenario(
        f"[data]\ndimension = {dimension}\nsubclasses = 10\npositive_subclasses = 6\n"
        f"noise = 0.1\nsamples = {samples}\ntest_samples = 0\n"
        f"[network]\nwidth = {width}\npower = {power}\ninit_scale = 1e-7\n"
        "[flow]\nend_time = 16000.0\n"
    )
    problem = prepare(scenario)
    state = FlowState.begin(problem.weights)
    velocity = jax.jit(lambda state, samples: problem.field(0.0, state, samples))
    return lambda: velocity(state, problem.samples), 4 * samples * dimension * width


def rates() -> None:
    print(f"{'p':>2} {'n':>6} {'h':>5} {'GFlop/s':>8} {'product':>8} {'ratio':>6}")
    with jax.enable_x64(True):
        for power in (1, 3):
            for samples, width in ((2000, 200), (20_000, 500), (20_000, 2000)):
                work, operations = evaluation(power, samples, 1000, width)
                before = product_rate()
                rate = operations / seconds(work)
                best = max(before, product_rate())
                print(
                    f"{power:>2} {samples:>6} {width:>5} {rate / 1e9:>8.0f} {best / 1e9:>8.0f} "
                    f"{rate / best:>6.2f}",
                    flush=True,
                )


def exponents() -> None:
    print("exponents of the time, p = 3:")
    for name in SIZE:
        sizes = [SIZE[name] * factor for factor in (1, 2, 4, 8)]
        with jax.enable_x64(True):
            times = [seconds(evaluation(3, **(SIZE | {name: size}))[0], 5) for size in sizes]
        slope = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        shown = ", ".join(f"{size}: {1e3 * t:.1f} ms" for size, t in zip(sizes, times, strict=True))
        print(f"  {name:<9} {slope:.2f}   ({shown})", flush=True)


def main() -> None:
    rates()
    exponents()
