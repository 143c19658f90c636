"""The steps of theory lie behind the loss of every run, on one scale of time."""

import numpy as np
import pytest
from questions import SMALL

from gflow.report import step_figures
from gflow.report.figure import NotDrawable
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario


def run_of(*overrides):
    return simulate(parse_scenario(SMALL, overrides=["data.noise=0", *overrides]))


def test_the_loss_is_drawn_over_the_steps_of_its_law():
    # p = 3, three subclasses of weight 1/3: one step of 1/2, at 1/(κ π) = 3.
    runs = [
        (f"init_scale={eps}", run_of(f"network.init_scale={eps}", 'flow.loss="half_square"'))
        for eps in (1e-9, 1e-6)  # in the order of a series
    ]

    ax = step_figures.loss_steps(runs).axes[0]

    (steps,) = ax.patches
    values, edges = steps.get_data()[:2]
    assert values == pytest.approx([0.5, 0]) and edges[1] == pytest.approx(3)
    losses = [line.get_xydata() for line in ax.get_lines()]
    for (_, run), line in zip(runs, losses, strict=True):
        folds = -np.log(run.scenario.network.init_scale)
        np.testing.assert_allclose(line[:, 0] * folds, run.evidence.times)
        np.testing.assert_array_equal(line[:, 1], run.record["loss"].values)


def test_a_loss_without_steps_is_not_drawn():
    with pytest.raises(NotDrawable, match="must be a square one"):
        step_figures.loss_steps(run_of())
