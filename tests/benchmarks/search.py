"""Radii of small trained networks: what they cost, and whether an attack that knows no neuron wins.

Ours: attacked and certified radii of 120 samples in three norms.  The other side attacks the
same samples by gradients and their neighbors alone; where its flip is shorter, ours was too long.
"""

from pathlib import Path

import numpy as np
from timing import once

import gflow
from gflow.robustness.bracket import measure_radii
from gflow.robustness.minimum_norm import minimum_norm, rivals
from gflow.robustness.model_margin import OutputMargin
from gflow.robustness.norm import NORMS

SCENARIO = Path(__file__).parents[2] / "scenarios" / "first-experiment-3.toml"
SMALL = [
    "data.dimension=30", "data.subclasses=6", "data.positive_subclasses=4", "data.noise=0.4",
    "data.samples=240", "data.test_samples=120", "network.width=40", "flow.end_time=1500",
    "robustness.norms=[]", "seed=0",
]  # fmt: skip
SHORTER = 1 - 1e-3


def main() -> None:
    for power, scale in ((1, 1e-4), (1.5, 1e-4), (2, 1.0), (3, 1e-4)):
        keys = [*SMALL, f"network.power={power}", f"network.init_scale={scale}"]
        run = gflow.simulate(gflow.load_scenario(SCENARIO, keys).points()[0].scenario)
        test = run.scenario.data.read_test(run.scenario.seed)
        assert test is not None
        x, y = test.x.astype(float), test.labels("sign").astype(float)
        ours, robustness = once(
            lambda f=run.network, x=x, y=y: measure_radii(f, x, y, list(NORMS.values()), seed=0)
        )
        print(f"p = {power}, init scale {scale:g}: radii in three norms {ours:.1f} s", flush=True)
        for norm in NORMS.values():
            theirs, other = once(lambda f=run.network, x=x, y=y, norm=norm: minimum_norm(
                OutputMargin(f), x, y, norm, toward=rivals(x, y, x, y),
            ))  # fmt: skip
            attacked = robustness.radii[norm].attacked
            ratio = other.radius[attacked > 0] / attacked[attacked > 0]
            print(f"  {norm:4}  without neurons {theirs:.1f} s: shorter by more than 1e-3 for "
                  f"{(ratio < SHORTER).sum()} of {len(ratio)}, at best {np.min(ratio):.4f}; longer "
                  f"for {(ratio > 2 - SHORTER).sum()}", flush=True)  # fmt: skip
