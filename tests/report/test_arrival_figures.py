"""The figure of neurons on their way: recorded shares beside the laws they are judged by."""

import numpy as np
import pytest
from questions import SMALL

from gflow.report.arrival_figures import arrivals
from gflow.report.figure import NotDrawable
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario


def test_shares_are_drawn_with_a_tail_of_the_power_of_theory():
    run = simulate(parse_scenario(SMALL, overrides=["network.power=4", "data.noise=0"]))

    ax = arrivals([("", run)]).axes[0]

    alone = [line.get_xydata() for line in ax.get_lines() if line.get_linestyle() == "--"]
    assert len(alone) == 2  # K1 = 2, K2 = 1
    for x, y in (line.T for line in alone):
        slope = np.diff(np.log(y))[-1] / np.diff(np.log(x))[-1]
        # -1/(p - 2), up to the second term of the time, of order log(t)/t at t = 100.
        assert slope == pytest.approx(-1 / 2, abs=0.1)
    points = [line.get_xydata() for line in ax.get_lines() if line.get_marker() == "."]
    assert len(points) == 2
    assert all((np.diff(share) <= 0).all() for _, share in (line.T for line in points))


def test_a_power_without_cells_has_no_such_figure():
    run = simulate(parse_scenario(SMALL, overrides=["network.power=1"]))

    with pytest.raises(NotDrawable, match="a power above 2"):
        arrivals([("", run)])
