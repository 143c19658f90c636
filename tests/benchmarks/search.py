"""Radii of small trained networks: what walks in balls gain, and whether they are short enough.

Ours: attacked and certified radii of 120 samples in three norms, beside the same without walks in
balls.  The other side attacks the same samples by gradients and their neighbors alone; where its
flip is shorter, ours was too long.
"""

from pathlib import Path
from unittest import mock

import numpy as np
from timing import once

import gflow
from gflow.robustness import refinement
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

        def measured(f=run.network, x=x, y=y):
            return measure_radii(f, x, y, list(NORMS.values()), seed=0)

        ours, robustness = once(measured)
        with mock.patch.object(refinement, "in_balls", lambda _, known, steps: known[None]):
            fewer, without = once(measured)
        print(f"p = {power}, init scale {scale:g}: radii in three norms {ours:.1f} s, "
              f"without walks in balls {fewer:.1f} s", flush=True)  # fmt: skip
        for norm in NORMS.values():
            theirs, other = once(lambda f=run.network, x=x, y=y, norm=norm: minimum_norm(
                OutputMargin(f), x, y, norm, toward=rivals(x, y, x, y),
            ))  # fmt: skip
            attacked = robustness.radii[norm].attacked
            print(f"  {norm:4}  walks in balls", compared(attacked, without.radii[norm].attacked))
            print(f"        without neurons {theirs:.1f} s:", compared(other.radius, attacked),
                  flush=True)  # fmt: skip


def compared(radius: np.ndarray, reference: np.ndarray) -> str:
    ratio = radius[reference > 0] / reference[reference > 0]
    return (f"shorter by more than 1e-3 for {(ratio < SHORTER).sum()} of {len(ratio)}, at best "
            f"{np.min(ratio):.4f}; longer for {(ratio > 2 - SHORTER).sum()}")  # fmt: skip
