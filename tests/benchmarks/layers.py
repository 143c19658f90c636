"""How loose certified radii of networks of layers are, by depth and power.

Networks on packaged digits, ten classes, trained by Adam; 100 digits in three norms.  Both ends are
medians, and the share is that of certified over attacked.
"""

from pathlib import Path

import numpy as np
from timing import once

import gflow
from gflow.robustness.bracket import measure_radii
from gflow.robustness.layers_bound import certified_of_layers
from gflow.robustness.norm import NORMS

SCENARIO = Path(__file__).parents[2] / "scenarios" / "mnist-parity-small.toml"
KEYS = ["data.classes=10", "robustness.norms=[]"]
COUNT = 100


def main() -> None:
    for depth in (1, 2, 3):
        for power in (1, 3):
            keys = [*KEYS, f"network.hidden_layers={depth}", f"network.power={power}"]
            run = gflow.simulate(gflow.load_scenario(SCENARIO, keys).points()[0].scenario)
            test = run.scenario.data.read_test(run.scenario.seed)
            assert test is not None
            x, y = test.x[:COUNT].astype(float), test.labels("classes")[:COUNT].astype(float)
            both, robustness = once(
                lambda f=run.network, x=x, y=y: measure_radii(f, x, y, list(NORMS.values()), seed=0)
            )
            print(f"{depth} hidden, p = {power}: both ends {both:.1f} s", flush=True)
            for norm, radii in robustness.radii.items():
                lower, _ = once(lambda f=run.network, x=x, y=y, norm=norm, radii=radii: (
                    certified_of_layers(f.on_host, x, y, radii.attacked, norm=norm)
                ))  # fmt: skip
                right = radii.attacked > 0
                share = np.median(radii.certified[right] / radii.attacked[right])
                low, high = robustness.median(norm)
                print(f"  {norm:4} [{low:.4f}, {high:.4f}], share {share:.3f}, "
                      f"lower ends in {lower:.1f} s", flush=True)  # fmt: skip
