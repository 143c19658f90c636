"""How close certified radii are to attacked ones, with the bound by tangent planes and without it.

Random networks of two to twelve neurons, as the tests search them densely: the mean share of
certified in attacked radii.  Then networks that started large (D = 100, h = 200, ε = 1), whose
neurons have not come together: the share at the median of 60 test samples.
"""

import sys
from pathlib import Path
from unittest import mock

import numpy as np

import gflow
from gflow.network.population import Population, population_of
from gflow.robustness import radius
from gflow.robustness.norm import NORMS

TESTS = Path(__file__).parents[1]
SCENARIO = TESTS.parent / "scenarios" / "quickstart.toml"
LARGE = ["network.init_scale=1.0", "network.width=200", "data.dimension=100", "flow.end_time=2000"]
NETWORKS, SAMPLES = 40, 60


def main() -> None:
    sys.path.append(str(TESTS))
    from dense_search import example

    for start, p in enumerate((1, 1.5, 2, 3)):
        some = [example(seed) for seed in range(start, 4 * NETWORKS, 4)]
        print(f"{NETWORKS} random networks, p = {p}", flush=True)
        for norm in NORMS.values():
            ends = [both(Population(f.u, f.m, f.s, f.p, 0.0), f.x, f.y, norm) for f in some]
            print(f"  {norm:4} {text(np.concatenate(ends, axis=1), np.mean)}", flush=True)
    for p in (1, 2, 3):
        run = gflow.simulate(gflow.load_scenario(SCENARIO, [*LARGE, f"network.power={p}"]))
        test = run.scenario.data.read_test(run.scenario.seed)
        assert test is not None
        x, y = test.x[:SAMPLES].astype(float), test.labels("sign")[:SAMPLES].astype(float)
        print(f"from ε = 1, p = {p}", flush=True)
        for norm in NORMS.values():
            ends = both(population_of(run.network), x, y, norm)
            print(f"  {norm:4} {text(ends, np.median)}", flush=True)


def both(f, x, y, norm) -> np.ndarray:
    """Shares of certified in attacked radii, without tangent planes and with them."""
    shares = []
    for bound in (lambda _, x, *args, **options: np.zeros(len(x)), radius.relaxed_radii):
        with mock.patch.object(radius, "relaxed_radii", bound):
            ends = radius.radii(f, x, y, 0, norm=norm)
        shares.append(ends.certified[ends.attacked > 0] / ends.attacked[ends.attacked > 0])
    return np.array(shares)


def text(ends: np.ndarray, average) -> str:
    without, by_planes = (float(average(one)) for one in ends)
    return f"certified over attacked {without:.2f}, with tangent planes {by_planes:.2f}"
