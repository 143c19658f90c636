"""Distances of errors off the samples' span, beside lines of the slope of their law."""

import numpy as np
import pytest
from questions import SMALL

from gflow.report import off_manifold_figures
from gflow.report.figure import NotDrawable
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

PAIR = [
    "data.noise=0", "data.dimension=12", "data.subclasses=2", "data.positive_subclasses=1",
    "network.width=6", "network.power=3", 'record.groups=["neurons", "centers", "directions"]',
    "flow.end_time=200", "seed=3",
]  # fmt: skip


def run_of(*overrides):
    return simulate(parse_scenario(SMALL, overrides=[*PAIR, *overrides]))


def test_distances_are_drawn_beside_lines_of_their_slope():
    # From seed 3 no neuron is void, so that the law is a power ε^-3 of both classes.
    scales = (1e-10, 1e-8)
    runs = [(f"init_scale={eps}", run_of(f"network.init_scale={eps}")) for eps in scales]

    axes = off_manifold_figures.off_manifold(runs).axes

    (ax,) = axes
    assert ax.get_title() == "no void neuron"
    lines = [line.get_xydata() for line in ax.get_lines()]
    laws, marks = lines[::2], lines[1::2]
    assert len(laws) == len(marks) == 2
    for law, mark in zip(laws, marks, strict=True):
        np.testing.assert_allclose(law[:, 0], [10, 8])
        assert (law[0, 1] - law[1, 1]) / 2 == pytest.approx(3)
        # What was found lies above the line through the mean by half of a bracket, less than 10.
        assert (mark[:, 1] >= law[:, 1] - 0.01).all() and (mark[:, 1] < law[:, 1] + 1).all()


def test_runs_without_directions_or_without_room_are_not_drawn():
    with pytest.raises(NotDrawable, match="directions"):
        off_manifold_figures.off_manifold(run_of('record.groups=["neurons", "centers"]'))
    with pytest.raises(NotDrawable, match="leave out some dimensions"):
        off_manifold_figures.off_manifold(run_of("data.noise=0.5", "data.samples=60"))
