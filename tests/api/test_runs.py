"""A run as a person handles it: observed, stored, continued, looked at, compared."""

import jax.numpy as jnp
import numpy as np
import pytest
from own import Logistic, weights
from questions import GRID, SMALL

import gflow
from gflow.errors import RecordError, ScenarioError

RECORDED = 'record.groups=["neurons", "centers", "directions"]'


def question(*overrides):
    return gflow.parse_scenario(SMALL, overrides=[RECORDED, "flow.method=direct", *overrides])


def to_first_center(network):
    """cos(w_j, μ_1) of each neuron, μ_1 = e_1."""
    return network.u[:, 0]


def at_centers(network):
    """f(μ_k) of the three centers e_k."""
    return network(jnp.eye(3, 20))


OBSERVE = {"to_first": to_first_center, "at_centers": at_centers}


@pytest.fixture(scope="module")
def run():
    return gflow.simulate(
        question(),
        neurons=weights(h=8, size=1e-6),
        loss=Logistic(),
        observe=OBSERVE,
        progress=False,
    )


def test_what_is_observed_is_what_the_record_says_of_it(run):
    record = run.record

    assert record["to_first"].dims == ("time", "to_first_0")
    # Cosines are recorded in single precision.
    np.testing.assert_allclose(record["to_first"], record["cosine"][..., 0], atol=1e-7)
    np.testing.assert_allclose(record["at_centers"], record["center_output"], rtol=1e-9)
    np.testing.assert_array_equal(record["to_first"], record["direction"][..., 0])


def digest(scenario, **given):
    return gflow.simulate(scenario, progress=False, **given).scenario.digest()


@pytest.mark.slow
def test_what_is_given_makes_another_question():
    scenario, W = question("flow.end_time=1e-3"), weights(h=8, size=1e-6)
    other = (W[0] * (1 + 1e-12), W[1] * (1 + 1e-12))
    given = [
        {},
        {"neurons": W},
        {"neurons": other},
        {"neurons": W, "loss": Logistic()},
        {"neurons": W, "observe": {"a": to_first_center}},
        {"neurons": W, "observe": {"b": to_first_center}},
        {"neurons": W, "observe": {"a": lambda net: 2 * net.u[:, 0]}},
    ]

    digests = [digest(scenario, **one) for one in given]

    assert len(set(digests)) == len(given)
    # How a function is written does not count, but what it computes.
    assert digest(scenario, neurons=W, observe={"a": lambda net: net.u[:, 0]}) == digests[4]


def test_a_stored_run_is_loaded_and_continued_as_the_one_in_memory(run, tmp_path):
    stored = run.save(tmp_path / "run")

    loaded = gflow.load(stored.folder)

    assert loaded.scenario == run.scenario and loaded.record.identical(run.record)
    given = loaded.given.neurons
    np.testing.assert_array_equal(given.direction, run.given.neurons.direction)
    longer = gflow.continue_(run, 400.0, progress=False)
    again = gflow.continue_(loaded, 400.0, loss=Logistic(), observe=OBSERVE, progress=False)
    assert again.record.identical(longer.record) and longer.outcome.t == 400
    assert longer.folder is None and len(longer.record["to_first"]) > len(run.record["to_first"])


def test_what_a_stored_run_was_given_must_be_given_again(run, tmp_path):
    loaded = gflow.load(run.save(tmp_path / "run").folder)

    with pytest.raises(ScenarioError, match="`loss` and `observe` are missing"):
        gflow.continue_(loaded, 400.0, progress=False)
    with pytest.raises(ScenarioError, match="`observe` must be what the run was given"):
        wrong = {"to_first": at_centers, "at_centers": to_first_center}
        gflow.continue_(loaded, 400.0, loss=Logistic(), observe=wrong, progress=False)
    with pytest.raises(ScenarioError, match="`neurons` is missing"):
        gflow.simulate(loaded.scenario, loss=Logistic(), observe=OBSERVE, progress=False)


def test_a_run_is_stored_in_place_of_nothing_else(run, tmp_path):
    (tmp_path / "mine.txt").write_text("not gflow's")

    with pytest.raises(RecordError, match="must be new, empty or a run folder"):
        run.save(tmp_path)
    again = run.save(run.save(tmp_path / "new").folder)

    assert again.folder == tmp_path / "new" and (tmp_path / "mine.txt").exists()


def test_the_network_at_a_recorded_time_is_the_one_that_was_observed(run):
    times = run.record["time"].values
    middle = len(times) // 2

    snapshot = run.at(times[middle] * (1 + 1e-9))

    network, neurons = snapshot
    assert snapshot.t == times[middle]
    then = run.record.isel(time=middle)
    np.testing.assert_allclose(network(np.eye(3, 20)), then["center_output"], rtol=1e-9)
    np.testing.assert_array_equal(neurons.log_norm, then["log_norm"])
    np.testing.assert_array_equal(run.at(times[-1]).u, run.state.weights.direction)
    with pytest.raises(RecordError, match="`t` must lie within the record, 0 to 200, but is 201"):
        run.at(201.0)


def test_a_time_without_recorded_directions_names_the_group(run):
    bare = gflow.simulate(question('record.groups=["neurons"]', "flow.end_time=1"), progress=False)

    assert bare.at(1.0).t == 1.0
    with pytest.raises(RecordError, match=r"`record.groups` must have directions .*t = 0"):
        bare.at(0.0)


@pytest.mark.parametrize(
    ("observe", "message"),
    [
        ({"loss": to_first_center}, "a word that the record has not, but has 'loss'"),
        ({"two words": to_first_center}, "but has 'two words'"),
        ({"a": lambda net: np.linalg.svd(net.u)}, "functions that jax can trace, but 'a' raises"),
    ],
)
def test_what_cannot_be_observed_is_refused(observe, message):
    with pytest.raises(ScenarioError, match=message):
        gflow.simulate(question(), observe=observe, progress=False)


def test_a_comparison_names_exactly_what_differs(run):
    cheap = 'checks.predictions=["balancedness"]'
    a = gflow.simulate(question(cheap), progress=False)
    b = gflow.simulate(question(cheap, "seed=2", "flow.end_time=150"), progress=False)

    comparison = gflow.compare(a, b)

    assert {(one.what, one.a, one.b) for one in comparison.question} == {
        ("seed", 1, 2),
        ("flow.end_time", 200.0, 150.0),
    }
    answers = {one.what: (one.a, one.b) for one in comparison.answer}
    assert answers["t at the end"] == (200.0, 150.0) and "accuracy at the end" not in answers
    assert comparison.origin == () and comparison.recorded_alike is False
    same = gflow.compare(a, a)
    assert same.question == same.answer == same.origin == () and same.recorded_alike
    assert "equal to the bit" in repr(same) and "seed: 1 | 2" in repr(comparison)


def test_questions_are_compared_without_an_answer():
    comparison = gflow.compare(gflow.parse_scenario(SMALL), gflow.parse_scenario(GRID))

    assert [one.what for one in comparison.question] == ["network.power", "vary.network.power"]
    assert comparison.recorded_alike is None and comparison.answer == ()


def test_every_recorded_number_is_labeled(run):
    assert run.record["phase"].dims == ("time",)
    for name, values in run.record.variables.items():
        assert values.attrs["long_name"], name
        if name not in OBSERVE:
            numbers = values.dtype.kind == "f"
            assert "symbol" in values.attrs and ("units" in values.attrs or not numbers), name
    plain = run.record["loss"].plot()
    assert plain[0].axes.get_ylabel() == "training loss [1]"


def test_results_show_themselves_in_a_notebook(run):
    import matplotlib

    backend = matplotlib.get_backend()
    assert "<td" in run._repr_html_() and "Reached its end time" in run._repr_html_()
    assert "color:#15803d" in gflow.check(run, ["P1"])._repr_html_()  # HOLDS
    assert "network" in run.scenario._repr_html_()
    assert gflow.figures.fit(run)._repr_png_().startswith(b"\x89PNG")
    assert matplotlib.get_backend() == backend


@pytest.mark.slow
def test_run_does_what_the_command_does(tmp_path):
    study = gflow.run(gflow.parse_scenario(GRID), tmp_path, progress=False)

    assert {path.name for path in study.folder.iterdir()} >= {"figures", "table.csv", "study.json"}
    assert all((run.folder / "findings.json").is_file() for run in study.runs)
    assert list((study.folder / "figures").glob("*.png"))
    assert gflow.run(gflow.parse_scenario(GRID), tmp_path, progress=False).folder == study.folder
    assert "power=3" in study._repr_html_()


def test_progress_says_nothing_where_nobody_looks(capsys):
    gflow.simulate(question("flow.end_time=1.0"))

    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""


def test_a_function_is_told_of_every_step():
    steps = []

    run = gflow.simulate(question("flow.end_time=1.0"), progress=steps.append)

    # The start, and each accepted step.
    assert len(steps) == run.outcome.steps + 1 and steps[-1].t == run.outcome.t == 1.0
