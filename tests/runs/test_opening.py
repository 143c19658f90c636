"""A population start in a scenario: recorded like a flow, refused with the reason."""

import numpy as np
import pytest
from questions import SMALL

from gflow.errors import PrecisionError, ScenarioError
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

# Quiet long enough for alignment in expectation, and many enough samples for it to be near.
QUIET = ("network.init_scale=1e-12", "data.samples=3000")


def scenario(*overrides):
    return parse_scenario(SMALL, overrides=[*QUIET, *overrides])


@pytest.fixture(scope="module")
def pair():
    return [simulate(scenario(f"flow.start={start}")) for start in ("sample", "population")]


@pytest.mark.slow
def test_a_population_start_ends_at_the_same_network(pair):
    exact, quick = pair

    assert "start" in quick.manifest and "population to t" in repr(quick)
    a, b = (np.abs(run.record["center_output"].values[-1]) for run in pair)
    # Both follow the sample to the end; times differ by the clock's error, which dies like 1/t.
    assert np.allclose(a, b, rtol=1e-3)
    strong = exact.evidence.contributing
    u, v = (np.asarray(run.network.direction)[strong] for run in pair)
    assert np.linalg.norm(u - v, axis=1).max() < 1e-3


@pytest.mark.slow
def test_the_record_goes_through_the_switch_without_a_gap(pair):
    quick = pair[1].record

    assert (np.diff(quick["time"]) > 0).all()
    assert np.isfinite(quick["cosine"]).all() and np.isfinite(quick["center_output"]).all()
    scheduled = [run.record["time"].values[run.record["scheduled"].values] for run in pair]
    assert set(scheduled[0]) <= set(scheduled[1])
    known = np.isfinite(quick["margin_min"].values)
    assert not known[0] and known[-1] and (np.diff(known.astype(int)) >= 0).all()
    loss = quick["loss"].values
    assert loss[0] == pytest.approx(1, rel=1e-12) and (np.diff(loss) <= 1e-6).all()


@pytest.mark.slow
def test_a_start_that_is_not_near_enough_is_refused_with_the_reason():
    small = ("data.noise=0.3", "data.samples=60", "flow.start_error=1e-6")

    with pytest.raises(PrecisionError, match=r'must be "sample" here.*expected error'):
        simulate(scenario("flow.start=population", *small))


def test_other_charts_have_no_population_start():
    with pytest.raises(ScenarioError, match=r"flow.start"):
        scenario("flow.start=population", "flow.chart=lightcone")
