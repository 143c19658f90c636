"""The sizes of a class beside one neuron are drawn over ε, with what neurons alone would leave."""

import numpy as np
import pytest
from questions import POLYNOMIAL, SMALL

from gflow.report.figure import NotDrawable
from gflow.report.rank_one_figures import rank_one
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario


def run_of(text, *overrides):
    return simulate(parse_scenario(text, overrides=overrides))


@pytest.mark.slow
def test_points_and_lines_have_the_exponents_of_the_law():
    runs = [
        (f"init_scale={eps}", run_of(POLYNOMIAL, f"network.init_scale={eps}"))
        for eps in (1e-4, 1e-3)
    ]

    lines = [line.get_xydata() for line in rank_one(runs).axes[0].get_lines()]

    # Per class and size a law, then what was read; p = 3, so 4, 2 and 1, and r = (ε/ρ)² left out.
    slopes = [np.diff(np.log(xy), axis=0)[0] for xy in lines]
    slopes = np.array([dy / dx for dx, dy in slopes])
    assert len(slopes) in (6, 12)
    assert slopes == pytest.approx(np.tile([4, 4, 2, 2, 1, 1], len(slopes) // 6), abs=0.02)
    for law, measured in zip(lines[::2], lines[1::2], strict=True):
        np.testing.assert_allclose(measured, law, rtol=0.02)


def test_normalized_neurons_are_not_drawn():
    with pytest.raises(NotDrawable, match="without normalization or noise"):
        rank_one(run_of(SMALL))
