"""Were coordinates held until they were fitted?  Against the flow in logarithms (trap T18)."""

import jax
import numpy as np
import pytest
from decoupled_flow import escapes
from evidences import altered, evidence_of

from gflow.flow.losses import HalfSquare
from gflow.judges.held_coordinates import holds_coordinates
from gflow.laws.faint_coordinates import faintest, smallest_start, weight_ratio
from gflow.measure.phases import escape_times
from gflow.runs.problem import prepare

QUESTION = """
question = "Are light subclasses fitted when they should be?"

[data]
dimension = 20
subclasses = 5
positive_subclasses = 3
noise = 0.0
samples = 200
test_samples = 0
imbalance = 4.0

[network]
width = 20
power = 2
init_scale = 1e-10

[flow]
loss = "half_square"
end_time = 330

[record]
geometric = 100
"""


def flow_and_law(power, eps, end):
    """The evidence of a flow, its escapes, and those of the flow in logarithms."""
    evidence = evidence_of(
        QUESTION, network__power=power, network__init_scale=eps, flow__end_time=end
    )
    with jax.enable_x64(True):
        problem = prepare(evidence.scenario)
    start, centers = problem.weights, problem.centers
    law = escapes(
        np.asarray(start.direction) @ centers.mu.T, np.asarray(start.log_norm),
        np.asarray(start.sign), centers.label.astype(float), problem.pi, power, end,
    )  # fmt: skip
    record = evidence.record
    flow = escape_times(record["time"].values, record["center_output"].values, HalfSquare().slowing)
    return evidence, flow, law


def test_subclasses_that_rest_on_resolved_coordinates_escape_when_the_law_says():
    evidence, flow, law = flow_and_law(2, 1e-10, 330)

    # The least coordinate is 1e-14. One tolerance of 1e-3 of a logarithm is .001·K/2 in time.
    assert holds_coordinates(evidence).met is True
    assert np.isfinite(law).all()
    assert np.abs(flow - law).max() < 1e-3 * law.max()


@pytest.mark.slow
@pytest.mark.parametrize(("power", "eps", "end"), [(2, 1e-20, 700), (2, 1e-60, 2000)])
def test_subclasses_that_rest_on_lost_coordinates_are_reported(power, eps, end):
    evidence, flow, law = flow_and_law(power, eps, end)
    answer = holds_coordinates(evidence)

    assert np.isfinite(law).all()
    assert not np.abs(flow - law).max() < 1e-3 * law.max()  # one may be nan
    assert answer.met is False and "network.init_scale" in answer.cure


@pytest.mark.slow
def test_coordinates_that_wake_are_reported():
    evidence, flow, law = flow_and_law(1.5, 1e-60, 450)
    answer = holds_coordinates(evidence)

    assert np.abs(flow - law).max() > 1e-3 * law.max()
    assert answer.met is False and "woke" in answer.measured


@pytest.mark.slow
@pytest.mark.parametrize(("power", "end"), [(1, 1400), (2.5, 5500), (3, 5500)])
def test_other_powers_are_right_at_any_scale(power, end):
    evidence, flow, law = flow_and_law(power, 1e-200, end)

    assert holds_coordinates(evidence).met is True
    assert (np.isfinite(flow) == np.isfinite(law)).all()
    # At p = 1 steps across kinks err by 1e-2 in a logarithm.
    np.testing.assert_allclose(flow, law, rtol=1e-4)


def test_a_coordinate_that_woke_is_named():
    evidence, _, _ = flow_and_law(2, 1e-3, 60)

    def wake(u):
        awake = u.copy()
        awake[-1][u[0] <= 0] = 0.5
        return awake

    assert holds_coordinates(evidence).met is True
    assert "woke" in holds_coordinates(altered(evidence, cosine=wake)).measured


def test_noise_seeds_coordinates_so_that_nothing_is_lost():
    evidence = evidence_of(QUESTION, data__noise=0.1, flow__end_time=60)

    assert holds_coordinates(evidence) is None


def test_the_smallest_start_is_where_the_faintest_coordinate_is_resolved():
    assert faintest(1e-20, 0.25) == pytest.approx(1e-30)
    assert faintest(smallest_start(0.25), 0.25) == pytest.approx(1e-16)
    assert smallest_start(1.0) == 0
    pi, label = np.array([0.4, 0.2, 0.3, 0.1]), np.array([1, 1, -1, -1])
    assert weight_ratio(pi, label) == pytest.approx(1 / 3)
