"""Networks of any depth: their formula by hand, what homogeneity conserves, and runs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import logsumexp

import gflow
from gflow.flow.losses import CrossEntropy
from gflow.judges.conservation import ENERGY
from gflow.measure.stable_rank import stable_rank
from gflow.network.deep import deep_network
from gflow.network.weights import Task
from gflow.report import training_figures
from gflow.report.figure import NotDrawable
from gflow.robustness.attack import Attack
from gflow.robustness.norm import Norm
from gflow.runs import store
from gflow.runs.radii import attacked, read_witnesses, some_of_test
from gflow.runs.verdicts import judge
from gflow.scenario import LayersTable, RobustnessTable
from gflow.scenario.rules import SMALLEST_OUTPUT

EPS = np.finfo(np.float64).eps


def random_network(p, widths=(6, 5, 5), C=3, seed=0, scale=1.0, class_of=None, **rest):
    D, width, *others = widths
    options = dict(hidden_layers=1 + len(others), input_normalized=True) | rest
    table = LayersTable(width=width, power=p, init_scale=scale, **options)
    return deep_network(table, Task(np.eye(2, D), np.eye(2, D), C, class_of, seed))


def by_hand(network, x):
    """σ(<w, z>)^p / (‖w‖‖z‖)^{p-1} sample by sample and neuron by neuron."""
    outputs = []
    for z in x:
        for layer, w in enumerate(map(np.asarray, network.hidden)):
            if layer and network.layer_norm:
                z = (z - z.mean()) / z.std()
            size = np.linalg.norm(w, axis=1) * (
                np.linalg.norm(z) if network.input_normalized else 1
            )
            new = np.maximum(w @ z, 0) ** network.p / size ** (network.p - 1)
            z = z + new if layer and network.skip else new
        bias = 0 if network.bias is None else np.asarray(network.bias)
        outputs.append(np.asarray(network.output) @ z + bias)
    return np.array(outputs)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize(
    "options",
    [{}, dict(input_normalized=False), dict(skip=True), dict(layer_norm=True), dict(bias=True)],
)
def test_outputs_are_the_formula(p, options):
    network = random_network(p, **options)
    if network.bias is not None:
        network = eqx.tree_at(lambda n: n.bias, network, jnp.array([0.3, -0.2, 0.1]))
    x = np.random.default_rng(1).standard_normal((7, 6))

    np.testing.assert_allclose(network(x), by_hand(network, x), rtol=1e-10, atol=1e-12)


def test_one_output_is_a_number_a_sample():
    network = random_network(3.0, C=1)
    x = np.random.default_rng(1).standard_normal((7, 6))

    np.testing.assert_allclose(network(x), by_hand(network, x)[:, 0], rtol=1e-10)


def test_normalized_by_its_inputs_it_is_homogeneous_in_inputs_and_in_every_layer():
    network = random_network(3.0, widths=(6, 5, 5, 5))
    x = np.random.default_rng(1).standard_normal((7, 6))

    np.testing.assert_allclose(network(2.5 * x), 2.5 * np.asarray(network(x)), rtol=1e-10)
    for i in range(3):
        scaled = eqx.tree_at(lambda n, i=i: n.hidden[i], network, 3 * network.hidden[i])
        np.testing.assert_allclose(scaled(x), 3 * np.asarray(network(x)), rtol=1e-10)


def test_kaiming_starts_keep_the_size_of_relu_features():
    # E z² is kept by every ReLU layer with entries N(0, 2/fan-in).
    network = random_network(1.0, widths=(400, 2000, 2000), C=1)
    x = np.random.default_rng(1).standard_normal((40, 400))

    z = np.asarray(network.features(x))

    # A mean over 80,000 dependent entries: some 1/√2000 twice.
    assert (z**2).mean() == pytest.approx((x**2).mean(), rel=0.1)


@pytest.mark.parametrize(
    ("init", "hidden", "output"),
    [
        ("gaussian", 2 / 300, 2 / 400),
        ("kaiming_uniform", 2 / 300, 2 / 400),
        ("glorot", 2 / 700, 2 / 420),
        ("published", 6 / 400 / 3, 1 / 400 / 3),  # a²/3 of a uniform number in ±a
    ],
)
def test_every_initialization_has_its_variance(init, hidden, output):
    network = random_network(3.0, widths=(300, 400), C=20, scale=0.5, init=init)

    for w, variance in ((network.hidden[0], hidden), (network.output, output)):
        entries = np.asarray(w).ravel() / 0.5
        # Mean squares of N entries scatter by at most √(2/N); five of that.
        assert (entries**2).mean() == pytest.approx(variance, rel=5 * np.sqrt(2 / entries.size))
        assert abs(entries.mean()) < 5 * np.sqrt(variance / entries.size)
        if init in ("kaiming_uniform", "published"):
            assert np.sqrt(3 * variance) * 0.99 < np.abs(entries).max() <= np.sqrt(3 * variance)


def test_the_class_that_is_read_off_is_that_of_the_largest_output():
    class_of = (0, 1, 1, 0, 2)
    network = random_network(3.0, C=5, class_of=class_of)
    x = np.random.default_rng(1).standard_normal((50, 6))

    outputs = np.asarray(network.function(3.0)(x))

    f = np.asarray(network(x))
    assert outputs.shape == (50, 3) and set(outputs.argmax(axis=1)) == {0, 1}
    np.testing.assert_array_equal(outputs.argmax(axis=1), np.take(class_of, f.argmax(axis=1)))
    np.testing.assert_array_equal(outputs[:, 0], np.maximum(f[:, 0], f[:, 3]))


def test_cross_entropy_is_that_of_a_softmax():
    rng = np.random.default_rng(3)
    f, y = rng.standard_normal((9, 4)) * 5, rng.integers(4, size=9)
    expected = logsumexp(f, axis=1) - f[np.arange(9), y]

    loss, at, label = CrossEntropy(), jnp.asarray(f), jnp.asarray(y, float)

    np.testing.assert_allclose(loss.value(label, at), expected, rtol=1e-12)
    slope = jax.grad(lambda f: loss.value(label, f).sum())(at)
    np.testing.assert_allclose(loss.force(label, at), -slope, atol=100 * EPS)


class Line(eqx.Module):
    """a x + b, with a function and an integer beside the arrays."""

    a: jax.Array
    b: jax.Array
    shape: object = jnp.tanh
    count: int = 3

    def __call__(self, x):
        return x[:, 0] * self.a + self.b


def test_any_module_flows_and_a_linear_one_in_closed_form():
    x, y = np.array([[1.0], [-1.0]]), np.array([3.0, -1.0])
    line = Line(jnp.zeros(()), jnp.zeros(()))

    flow = gflow.flow_of(line, lambda f, y: (f - y) ** 2 / 2, (x, y), [0.5, 1.0], tolerance=1e-9)

    # Slope and offset decay toward 2 and 1 as 1 - e^{-t}.
    for t, module in zip(flow.times, flow.modules, strict=True):
        assert float(module.a) == pytest.approx(2 * (1 - np.exp(-t)), abs=1e-7)
        assert float(module.b) == pytest.approx(1 - np.exp(-t), abs=1e-7)
        assert module.count == 3 and module.shape is jnp.tanh
    np.testing.assert_allclose(flow.times, [0, 0.5, 1])


@pytest.mark.parametrize(
    ("p", "hidden", "options", "degree"),
    [
        (2.5, 1, dict(input_normalized=False), 2),
        (3.0, 3, {}, 4),
        (4.0, 2, dict(layer_norm=True), 2),
        (4.0, 2, dict(input_normalized=False), 1 + (1 + 4)),
        (3.0, 3, dict(input_normalized=False), 1 + (1 + 3 * (1 + 3))),
    ],
)
def test_slopes_survive_small_scales_in_single_precision(p, hidden, options, degree):
    # The smallest scale that a scenario takes: outputs, of degree 1 in each layer, are of 1e-30.
    scale = SMALLEST_OUTPUT["float32"] ** (1 / degree)
    network = random_network(p, widths=(6, *[5] * hidden), scale=scale, **options)
    x = np.random.default_rng(1).standard_normal((7, 6)) + 0.5

    def slopes(dtype):
        one = jax.tree.map(lambda w: w.astype(dtype), network)
        return jax.tree.leaves(jax.grad(lambda n: n(x.astype(dtype)).sum())(one))

    # Sums of some forty products of single precision, through powers of p in every layer.
    for single, double in zip(slopes(jnp.float32), slopes(jnp.float64), strict=True):
        assert (double != 0).any()
        allowed = 40 * (1 + hidden) * p * np.finfo(np.float32).eps * np.abs(double).max()
        np.testing.assert_allclose(single, double, atol=allowed)


def test_slopes_scale_with_the_weights_as_homogeneity_says():
    # By p-homogeneity of a layer in nothing but its weights, of degree 1: slopes in ε² here.
    network = random_network(3.0, widths=(6, 5, 5))
    x = np.random.default_rng(1).standard_normal((7, 6))
    at = [jax.tree.map(lambda w, s=s: s * w, network) for s in (1.0, 1e-60)]

    whole, small = (jax.tree.leaves(jax.grad(lambda n: n(x).sum())(n)) for n in at)

    for a, b in zip(whole, small, strict=True):
        np.testing.assert_allclose(1e120 * b, a, rtol=1e-9, atol=1e-12)


def test_a_module_sees_no_rows_but_those_of_the_data():
    # Filling a block with zeros would divide 0 by 0 here: 1001 samples are two blocks of 501.
    class Directed(eqx.Module):
        a: jax.Array

        def __call__(self, x):
            return x @ self.a / jnp.linalg.norm(x, axis=1)

    x = np.random.default_rng(0).standard_normal((1001, 2))
    flow = gflow.flow_of(
        Directed(jnp.zeros(2)), lambda f, y: (f - y) ** 2, (x, np.ones(1001)), [0.1]
    )

    assert flow.outcome.complete and np.isfinite(flow.loss).all()


def test_labels_stay_integers_where_they_are():
    class Table(eqx.Module):
        a: jax.Array

        def __call__(self, x):
            return x @ self.a

    x, y = np.eye(3), np.array([2, 0, 1])
    loss = optax.softmax_cross_entropy_with_integer_labels

    flow = gflow.flow_of(Table(jnp.zeros((3, 3))), loss, (x, y), [100.0])

    np.testing.assert_array_equal(np.asarray(flow.modules[-1].a).argmax(axis=1), y)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e9])
def test_stable_ranks_have_no_scale(scale, dtype):
    q = np.linalg.qr(np.random.default_rng(6).standard_normal((30, 3)))[0]

    rank = float(stable_rank(jnp.asarray(scale * q, dtype)))

    assert rank == pytest.approx(3, rel=100 * float(jnp.finfo(dtype).eps))


def test_stable_ranks_of_known_features():
    rng = np.random.default_rng(6)
    q = np.linalg.qr(rng.standard_normal((30, 5)))[0]

    assert float(stable_rank(jnp.asarray(q))) == pytest.approx(5)
    assert float(stable_rank(jnp.asarray(np.outer(q[:, 0], [1, 2, 3])))) == pytest.approx(1)
    half = q * np.array([2.0, 1, 1, 1, 1])  # (4 + 4)/4
    assert float(stable_rank(jnp.asarray(half))) == pytest.approx(2, rel=1e-9)
    assert float(stable_rank(jnp.zeros((4, 3)))) == 0


DEEP = """
name = "deep"
data = {kind = "mnist", extract = true, samples = 300, test_samples = 100}
network = {kind = "layers", width = 20, power = 3, init_scale = 1.0, outputs = "classes", hidden_layers = 2, input_normalized = true, bias = true}
flow = {end_time = 0.3}
train = {method = "adam", step_size = 3e-3, batch = 50}
robustness = {norms = ["linf"], attacked = 10}
"""  # noqa: E501


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
    assert judge(stored) == {"": ()}


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
    assert (radii.certified == 0).all() and not wrong.all()
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


FINE = """
data = {dimension = 20, subclasses = 4, positive_subclasses = 2, noise = 0.1, samples = 200, test_samples = 40}
network = {kind = "layers", width = 40, power = 1, init_scale = 1.0, outputs = "subclasses"}
flow = {end_time = 60.0, end_loss = 0.05}
"""  # noqa: E501


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


@pytest.mark.parametrize(
    ("text", "old", "new", "words"),
    [
        (FINE, "= 60.0", '= 60.0, chart = "lightcone"', "`flow.chart` must be left out"),
        (FINE, "= 60.0", '= 60.0, loss = "square"', "`flow.loss` must be left out for"),
        (FINE, "width = 40", "width = 40, balanced = false",
         '`network.balanced` must be left out unless network.kind = "neurons", but'),
        (FINE, "= 1.0", "= 1e-16", "`network.init_scale` must be >= 1e-15 in pl"),
        (FINE, "= 1.0", "= 1e-9, hidden_layers = 3", "must be >= 3.2e-08 in plain"),
        (FINE, "power = 1, init_scale = 1.0",
         "power = 3, init_scale = 1e-3, hidden_layers = 3", "must be >= 0.0072 in plain"),
        (DEEP, "power = 3", "power = 3, normalized = false",
         "`network.normalized` must be left out un"),
        (DEEP, "power = 3", 'power = 3, init = "sphere"',
         "`network.init` must match network.kind, but"),
        (DEEP, "attacked = 10", "attacked = 10, published = true",
         "`robustness.published` must be"),
        (DEEP, 'kind = "mnist", extract = true, samples = 300, test_samples = 100',
         'kind = "file", path = "a.npz"', '`network.outputs` must be "sign" for data.kind'),
    ],
)  # fmt: skip
def test_what_layers_cannot_do_is_refused(text, old, new, words):
    with pytest.raises(gflow.errors.ScenarioError) as caught:
        gflow.parse_scenario(text.replace(old, new))

    assert words in str(caught.value)


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


def test_every_key_of_layers_tells_runs_apart():
    plain = gflow.parse_scenario(DEEP)

    more = gflow.parse_scenario(DEEP, overrides=["network.skip=true"])

    assert plain.digest() != more.digest()


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
