"""Record times of one's own are in the record, whatever else is recorded."""

import numpy as np
import pytest
from questions import SMALL

import gflow
from gflow.runs.problem import prepare


def schedule(*overrides):
    return prepare(gflow.parse_scenario(SMALL, overrides=overrides)).schedule.times


@pytest.mark.parametrize("end", [200, 1e12])
def test_own_times_are_scheduled_exactly_among_the_others(end):
    before = schedule(f"flow.end_time={end}")
    own = sorted([1e-3, 0.5, float(before[3]) * (1 + 1e-12), 150.0])

    after = schedule(f"flow.end_time={end}", f"record.times={own}")

    assert set(own) <= set(after.tolist())
    assert len(after) == len(before) + 3  # one of them was there already, up to rounding
    assert (np.diff(after) > 1e-9 * after[:-1]).all() and after[-1] == end


@pytest.mark.slow
def test_a_flow_and_descent_are_recorded_at_own_times():
    own = [3.3, 77.7]
    flow, descent = (
        gflow.simulate(gflow.parse_scenario(SMALL, overrides=[f"record.times={own}", *more]))
        for more in ((), ("train.method=sgd", "train.step_size=0.2", "train.batch=10"))
    )

    for t in own:
        at = flow.record["time"].values == t
        assert at.sum() == 1 and flow.record["scheduled"].values[at].all()
        # Descent is recorded at the closest step.
        assert np.abs(descent.record["time"].values - t).min() <= 0.1 + 1e-9
