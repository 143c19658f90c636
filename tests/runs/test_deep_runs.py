"""Runs of networks of layers: what they learn, store, conserve, and cannot do."""

import jax
import numpy as np
import pytest
from questions import DEEP, FINE

import gflow
from gflow.judges.conservation import ENERGY
from gflow.report import training_figures
from gflow.report.figure import NotDrawable
from gflow.robustness.attack import Attack
from gflow.robustness.norm import Norm
from gflow.runs import store
from gflow.runs.radii import attacked, read_witnesses, some_of_test
from gflow.runs.verdicts import judge
from gflow.scenario import RobustnessTable


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    with jax.enable_x64(True):
        run = gflow.simulate(gflow.parse_scenario(DEEP))
        return store.save(run, tmp_path_factory.mktemp("runs") / "deep")


def test_a_deep_run_learns_digits_and_says_so(stored):
    record = stored.record

    assert stored.effort.steps == 100 and stored.outcome.complete
    assert record["accuracy"].values[-1] > 0.6  # one in ten by chance
    assert record["layer_size"].shape == (len(record["time"]), 3)
    assert (record["stable_rank"].values >= 1 - 1e-6).all()
    assert record["cosine"].shape[1:] == (20, 12)
    mass = np.exp(record["log_norm"].values[-1] + record["log_output"].values[-1])
    closest = (mass * record["cosine"].values[-1, :, :10].max(axis=1)).sum() / mass.sum()
    average = (mass * record["cosine"].values[-1, :, 10:].max(axis=1)).sum() / mass.sum()
    assert f"{closest:.3f} and {average:.3f} at the end" in stored.card["cosines"]
    x = np.random.default_rng(0).standard_normal((3, 784))
    assert stored.network(x).shape == (3, 10)
    assert [(row.id, row.verdict) for row in judge(stored)[""]] == [("layer-balance", "OUTSIDE")]


@pytest.mark.parametrize("name", ["rates", "fitting_law", "sphere", "plane", "closed_forms"])
def test_laws_are_not_drawn_of_layers(stored, name):
    with pytest.raises(gflow.figures.NotDrawable, match="must have one hidden layer and one out"):
        getattr(gflow.figures, name)(stored)


def test_layers_are_drawn_without_centers(stored):
    assert len(gflow.figures.fit(stored).axes) == 2
    assert len(gflow.figures.training(stored).axes) == 3


def test_the_catalogue_says_nothing_of_layers(stored):
    assert gflow.check(stored, ["P17", "balancedness"]) == ()
    with pytest.raises(gflow.errors.ScenarioError, match="`ids` must be predictions, but 'P99' is"):
        gflow.check(stored, ["P99"])


def test_a_stored_deep_run_is_read_back(stored):
    again = store.load(stored.folder)

    x = np.random.default_rng(0).standard_normal((3, 784))
    np.testing.assert_array_equal(stored.network(x), again.network(x))
    assert again.test == stored.test


@pytest.mark.slow
def test_a_deep_run_is_attacked_with_witnesses(stored):
    run = attacked(stored, RobustnessTable(norms=("linf",), attacked=10))

    radii = run.evidence.robustness.radii[Norm.LINF]
    witness = read_witnesses(run.folder, Norm.LINF)
    wrong = radii.attacked == 0
    assert (radii.certified <= radii.attacked).all() and not wrong.all()
    assert (radii.certified[~wrong] > 0).all()
    assert (np.abs(witness.perturbation).max(axis=1)[~wrong] > 0).all()


@pytest.mark.slow
def test_one_output_of_two_layers_trains_on_the_mixture_and_on_parity():
    toml = DEEP.replace('outputs = "classes", ', "").replace("bias = true", "bias = false")
    mixture = toml.replace(
        'kind = "mnist", extract = true, samples = 300',
        "dimension = 20, subclasses = 4, positive_subclasses = 2, noise = 0.1, samples = 200",
    )

    for text in (toml, mixture):
        run = gflow.simulate(gflow.parse_scenario(text))
        assert run.record["accuracy"].values[-1] > 0.65  # one in two by chance
        assert np.asarray(run.network(np.zeros((2, run.centers.D)))).shape == (2,)


@pytest.mark.slow
def test_a_deep_flow_conserves_what_its_steps_do_not():
    toml = DEEP.replace('method = "adam", step_size = 3e-3, batch = 50', "").replace(
        "end_time = 0.3", 'end_time = 3.0, precision = "float64", tolerance = 1e-6'
    )
    run = gflow.simulate(gflow.parse_scenario(toml.replace("bias = true", "bias = false")))

    loss, spent = run.record["loss"].values, run.record["dissipated"].values
    np.testing.assert_allclose(loss[0] - loss, spent, atol=ENERGY * 1e-6 * loss[0])
    squares = run.record["layer_size"].values ** 2
    grown = squares - squares[0]
    allowed = 2 * run.effort.steps * 1e-6 * squares.max()
    np.testing.assert_allclose(grown, np.repeat(grown[:, :1], 3, axis=1), atol=allowed)


@pytest.mark.slow
def test_a_run_on_subclasses_is_about_classes(tmp_path):
    run = store.save(gflow.simulate(gflow.parse_scenario(FINE)), tmp_path / "run")
    again = store.load(run.folder)

    x = run.centers.mu
    outputs = np.asarray(again.network(x))
    assert outputs.shape == (4, 2)
    np.testing.assert_array_equal(outputs.argmax(axis=1), run.centers.label > 0)
    np.testing.assert_array_equal(outputs, run.network(x))
    assert run.state.weights.output.shape == (4, 40)
    assert run.record["accuracy"].values[-1] == 1 and run.test["accuracy"] > 0.9
    # Told apart, centers are √2 from each other: half of that is the most there is, up to a
    # deviation of α/√D of a sample along it, and a network that averages has 1/√4.
    radius = attacked(again, RobustnessTable(norms=("l2",))).evidence.robustness.median(Norm.L2)[1]
    assert 0.5 + 0.1 < radius < 1 / np.sqrt(2) + 3 * 0.1 / np.sqrt(20)


def test_time_is_scaled_by_the_weight_of_a_subclass():
    text = FINE.replace("60.0, end_loss = 0.05", "1.0")
    mean, total = (
        gflow.simulate(gflow.parse_scenario(text, overrides=[f'flow.convention="{name}"']))
        for name in ("mean", "sum")
    )

    # Four subclasses of 50 samples each, of weight 1/200 or 1.
    np.testing.assert_allclose(mean.evidence.pi, 1 / 4)
    np.testing.assert_allclose(total.evidence.pi, 50)


def test_some_of_a_mixture_stand_for_all_of_its_subclasses():
    # Test samples of a mixture come subclass by subclass.
    scenario = gflow.parse_scenario(FINE)
    subclass = np.repeat(np.arange(4), 10)

    for count in (4, 8, 12):
        some = subclass[some_of_test(scenario, 40, count)]
        np.testing.assert_array_equal(np.bincount(some), [count // 4] * 4)
    np.testing.assert_array_equal(some_of_test(scenario, 40, 0), np.arange(40))


def test_many_outputs_need_no_test_samples():
    text = FINE.replace("test_samples = 40", "test_samples = 0").replace("60.0", "0.5")

    run = gflow.simulate(gflow.parse_scenario(text))

    assert run.test == {} and run.card["test"] == "no test samples"


@pytest.mark.slow
def test_a_deep_run_that_was_attacked_is_drawn(stored, tmp_path):
    run = attacked(stored, RobustnessTable(norms=("linf",), attacked=10))

    written = gflow.figures.draw(run, tmp_path)

    names = {path.stem for path in written}
    assert names == {"training", "robust_accuracy", "radii", "adversarial"}
    assert all(path.stat().st_size > 1000 for path in written)


@pytest.mark.slow
def test_images_of_which_none_is_right_and_flipped_have_no_figure(stored, monkeypatch):
    held = Attack(np.array([0.0, np.inf]), np.zeros((2, 784)), None)
    monkeypatch.setattr(training_figures, "_measured", lambda run: [Norm.LINF])
    monkeypatch.setattr(training_figures, "read_witnesses", lambda folder, norm: held)

    with pytest.raises(NotDrawable, match="must be classified correctly and be flipped"):
        training_figures.adversarial(stored)


LATE = """
data = {{dimension = 20, subclasses = 4, positive_subclasses = 2, noise = 0.05, samples = 80, test_samples = 0}}
network = {{kind = "layers", width = 20, power = 2, init_scale = {scale}, hidden_layers = 2, input_normalized = true}}
flow = {{end_time = 1e6, end_loss = 0.5, tolerance = 1e-5, precision = "float64", loss = "logistic"}}
record = {{groups = []}}
"""  # noqa: E501


@pytest.mark.slow
def test_three_layers_leave_the_origin_after_a_time_of_order_of_one_over_the_scale():
    # dρ/dt = c ρ² from ε to 1 takes (1/ε - 1)/c; alignment adds a time of a slower order.
    times = [
        gflow.simulate(gflow.parse_scenario(LATE.format(scale=scale))).outcome.t
        for scale in (0.01, 0.005, 0.0025)
    ]

    slopes = np.diff(np.log(times)) / np.log(2)
    assert abs(slopes[1] - 1) < abs(slopes[0] - 1) < 0.1
