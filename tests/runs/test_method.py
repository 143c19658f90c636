"""How a flow is integrated: by few exact velocities, or directly where these do not suffice."""

import numpy as np
import pytest
from questions import OF_A_FILE

from gflow.cost import minutes
from gflow.errors import DataError
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario


@pytest.fixture
def always_worth_it(monkeypatch):
    monkeypatch.setattr(minutes, "WORTH", -np.inf)


def question(folder, subclass, method):
    """Two classes in 20 dimensions, two far-off clusters each, with a given division of them."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(4), 15)
    x = np.eye(4, 20)[cluster] + 0.02 * rng.standard_normal((60, 20))
    y = np.where(cluster < 2, 1, -1)
    centers = np.stack([x[subclass(cluster) == k].mean(0) for k in np.unique(subclass(cluster))])
    np.savez(folder / "samples.npz", X=x, y=y, subclass=subclass(cluster), centers=centers)
    scenario = parse_scenario(OF_A_FILE, folder=folder)
    flow = scenario.flow.model_copy(update={"method": method})
    return scenario.model_copy(update={"flow": flow})


def test_own_samples_of_known_subclasses_take_few_velocities(tmp_path, always_worth_it):
    run = simulate(question(tmp_path, lambda cluster: cluster, "auto"))

    assert run.outcome.complete and run.effort.fine > 0
    assert "method" not in run.card


def test_where_subclasses_say_little_the_flow_is_the_direct_one(tmp_path, always_worth_it):
    # One subclass per class, each of two clusters at right angles: no blurred point.
    few = simulate(question(tmp_path, lambda cluster: cluster // 2, "auto"))
    direct = simulate(question(tmp_path, lambda cluster: cluster // 2, "direct"))

    assert few.effort == direct.effort and few.effort.fine == 0
    np.testing.assert_array_equal(few.state.weights.direction, direct.state.weights.direction)
    assert few.card["method"].startswith("direct from t = 0 on")
    assert "method" not in direct.card


def test_few_velocities_need_subclasses(tmp_path):
    scenario = question(tmp_path, lambda cluster: cluster, "multirate")
    with np.load(tmp_path / "samples.npz") as arrays:
        rest = {name: arrays[name] for name in ("X", "y")}
    np.savez(tmp_path / "samples.npz", **rest)

    with pytest.raises(DataError, match=r"`flow\.method` must be"):
        simulate(scenario)
