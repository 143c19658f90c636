"""Escape times of deep networks are drawn beside the law of their small layers."""

import numpy as np
import pytest

from gflow.judges.bottleneck import bottlenecks
from gflow.report import bottleneck_figures
from gflow.report.figure import NotDrawable
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

TWO_LAYERS = """
[data]
dimension = 5
subclasses = 2
positive_subclasses = 1
noise = 0.1
samples = 20
test_samples = 0
[network]
kind = "layers"
width = 6
power = 2
init_scale = 1.0
[flow]
end_time = 60.0
end_loss = 0.8
tolerance = 1e-5
"""


def run_of(override):
    return override, simulate(parse_scenario(TWO_LAYERS, overrides=[override]))


def test_every_set_of_small_layers_is_a_line_over_its_law():
    runs = [run_of(f"network.init_scale={eps}") for eps in (0.01, 0.003)]
    runs += [run_of(f"network.layer_scales=[{eps}, 1.0]") for eps in (0.01, 0.003)]

    ax = bottleneck_figures.bottleneck(runs).axes[0]

    # One layer of degree 1: the law is constant.  Two: it grows by log 1/ε.
    lines = [line.get_xydata() for line in ax.get_lines()]
    one_law, one, two_law, two = lines
    np.testing.assert_allclose(one[:, 0], [0.01, 0.003])
    assert one_law[0, 1] == one_law[1, 1] == one[1, 1]
    assert two_law[0, 1] / two_law[1, 1] == pytest.approx(np.log(0.01) / np.log(0.003))
    assert two_law[1, 1] == two[1, 1]
    parts = bottlenecks([run.evidence for _, run in runs])
    assert sorted(part.which for part in parts) == [(1,), (1, 2)]
    for line, (_, run) in zip((two, one), (runs[0], runs[2]), strict=True):
        # The escape lies where the loss crosses .9 L(0).
        loss, t = run.record["loss"].values, run.evidence.times
        crossed = int((loss <= 0.9 * loss[0]).argmax())
        assert t[crossed - 1] <= line[0, 1] <= t[crossed]


def test_layers_at_one_scale_are_not_drawn():
    with pytest.raises(NotDrawable, match="of layers must vary"):
        bottleneck_figures.bottleneck([run_of("seed=1")])
