"""How wrong recorded directions are on the way, at the quickstart's size.

    python tests/benchmarks/direction_error.py [small] [LOSS ...]

prints, for each loss (by default all that have laws), power and tolerance, the steps taken, the
largest error of a contributing neuron's cosine to any center or class average at any scheduled
time, and the largest relative error of |f(μ_k)| at the end, both against a run at a tolerance 1000
times tighter than the default (p < 2: 100 times, and 10 times for the square loss at p = 1, where
sliding along kinks makes tighter ones slow).  With `small` an evaluation costs a two-hundredth, and
flows end when outputs have fitted.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import gflow

QUICKSTART = Path(__file__).parents[2] / "scenarios" / "quickstart.toml"
SMALL = ["data.dimension=100", "data.samples=400", "data.test_samples=0", "network.width=50"]
SMALL += ["flow.end_time=600"]
TIGHT = {1: 1e-5, 1.5: 1e-5, 2: 1e-6, 3: 1e-6}
TOLERANCES = (1e-2, 1e-3, 3e-4)


def solve(loss: str, p: float, tolerance: float, size: Sequence[str] = ()) -> gflow.Run:
    overrides = [f'flow.loss="{loss}"', f"network.power={p}", f"flow.tolerance={tolerance}"]
    return gflow.simulate(gflow.load_scenario(QUICKSTART, [*overrides, *size]))


def errors(run: gflow.Run, exact: gflow.Run) -> tuple[float, float]:
    """Largest cosine error on the way, and largest relative error of |f(μ_k)| at the end."""
    own, tight = (r.record.isel(time=np.flatnonzero(r.record["scheduled"])) for r in (run, exact))
    gap = np.abs(own["cosine"].values - tight["cosine"].values)[:, exact.evidence.contributing]
    ratio = own["center_output"].values[-1] / tight["center_output"].values[-1]
    return float(gap.max()), float(np.abs(ratio - 1).max())


def main() -> None:
    size = SMALL if "small" in sys.argv else []
    losses = [word for word in sys.argv[1:] if word != "small"]
    head = f"{'p':>3} {'tolerance':>9} {'steps':>6} {'forced':>6} {'on the way':>11} {'output':>9}"
    print(f"{'loss':>12} {head}")
    for loss in losses or ["exponential", "logistic", "square"]:
        for p, tight in TIGHT.items():
            tight = 1e-4 if (loss, p) == ("square", 1) else tight
            exact = solve(loss, p, tight, size)
            for tolerance in TOLERANCES:
                run = solve(loss, p, tolerance, size)
                way, end = errors(run, exact)
                effort = run.effort
                print(
                    f"{loss:>12} {p:>3} {tolerance:>9.0e} {effort.steps:>6} {effort.forced:>6} "
                    f"{way:>11.1e} {end:>9.1e}"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
