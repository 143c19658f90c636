"""ε, p, sizes of inputs and times over their whole range: a flow that is judged, or a refusal."""

import numpy as np
import pytest
from questions import OF_A_FILE, SMALL, samples

import gflow
from gflow.errors import DataError, GflowError, ScenarioError
from gflow.runs.problem import prepare

SWEEP = {
    "network.init_scale": (1e-300, 1e-150, 1e-20, 1.0, 1e3, 1e4),
    "network.power": (1, 1.0001, 1.5, 2, 10, 100, 101, 1e300),
    "flow.end_time": (5e-324, 1e-300, 1e-100, 1e-5, 1e15, 1e100, 1e300),
    "data.noise": (0, 5e-324, 1e-30, 1.0, 1e3, 1e10, 1e100, 1e200, 1e308),
    "flow.min_step": (0, 1e-300, 1e300),
    "flow.end_margin": (-1e300, 1e300),
}


def sized(folder, factor, *overrides):
    """The problem of samples of norm about `factor`."""
    arrays = samples()
    scaled = {name: arrays[name] * factor for name in ("X", "centers")}
    np.savez(folder / "samples.npz", **(arrays | scaled))
    return gflow.parse_scenario(OF_A_FILE, folder=folder, overrides=overrides)


@pytest.mark.slow
@pytest.mark.parametrize("key", SWEEP)
def test_every_value_of_a_key_gives_a_flow_that_is_judged_or_a_refusal(key):
    for value in SWEEP[key]:
        overrides = (f"{key}={value!r}", "flow.max_steps=2000")
        try:
            run = gflow.simulate(gflow.parse_scenario(SMALL, overrides=overrides))
        except GflowError as refusal:
            assert "must be" in str(refusal) and ("try" in str(refusal) or "divide" in str(refusal))
            continue
        assert run.outcome.text
        findings = gflow.check(run)
        if not run.outcome.complete or not np.isfinite(run.record["loss"].values).all():
            assert not any(finding.verdict == "FAILS" for finding in findings)


@pytest.mark.parametrize(
    ("factor", "precision", "longest"),
    [(1e200, "float32", "1e200"), (1e11, "float32", "1e11"), (1e-60, "float64", None),
     (1e-90, "float64", "1e-90"), (1e9, "float32", None), (1e-11, "float32", "1e-11")],
)  # fmt: skip
def test_inputs_whose_forces_leave_the_range_of_their_precision_are_refused(
    tmp_path, factor, precision, longest
):
    # At p = 3 a force is ‖x‖³: 1e±30 in single and 1e±250 in double precision are in range.
    scenario = sized(tmp_path, factor, f"flow.precision={precision}")

    if longest is None:
        assert prepare(scenario).train.n == 60
    else:
        with pytest.raises(DataError, match=f"but the longest is {longest}; divide all by"):
            prepare(scenario)


def test_a_power_whose_laws_overflow_is_refused():
    with pytest.raises(ScenarioError, match=r"`network.power` must be a number >= 1 and <= 100"):
        gflow.parse_scenario(SMALL, overrides=["network.power=1e300"])
