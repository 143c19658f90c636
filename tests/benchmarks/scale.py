"""How a flow's cost depends on the initialization scale: 1e-100 and 1e-300 against 1e-7.

The quickstart's size; the end time grows with the escape time, log(1/ε) times K for p = 3 and
K/√K1 for p = 1, so that all flows end equally long after it.
"""

import math
from pathlib import Path

from timing import once

import gflow

QUICKSTART = Path(__file__).parents[2] / "scenarios" / "quickstart.toml"
DELAY = {1: 10 / math.sqrt(6), 3: 10.0}
"""Flow time by which escape is later for each factor e of ε (theory D7)."""


def solve(power: int, eps: float) -> gflow.Run:
    end = 16_000 + DELAY[power] * math.log(1e-7 / eps)
    keys = {"network.power": power, "network.init_scale": eps, "flow.end_time": end}
    options = [f"{key}={value}" for key, value in keys.items()]
    return gflow.simulate(gflow.load_scenario(QUICKSTART, options))


def main() -> None:
    for power in DELAY:
        seconds = {}
        for eps in (1e-7, 1e-100, 1e-300):
            solve(power, eps)  # compiles
            seconds[eps], run = once(lambda p=power, e=eps: solve(p, e))
            print(f"p = {power}, eps = {eps:g}: {seconds[eps]:.1f} s, {run.effort}", flush=True)
        ratios = ", ".join(f"{seconds[eps] / seconds[1e-7]:.2f}" for eps in (1e-100, 1e-300))
        print(f"p = {power}: ratios {ratios}", flush=True)
