"""Runs whose labels are real numbers: against closed forms, and through every verb."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import call
from scipy.integrate import solve_ivp

import gflow
from gflow.errors import DataError
from gflow.judges.catalogue import ALL, ANY_LABELS
from gflow.judges.finding import Verdict
from gflow.measure.premise import look
from gflow.report import figures
from gflow.scenario import parse_scenario

TEACHER = """
name = "regression"
[data]
kind = "teacher"
dimension = 3
samples = 30
test_samples = 10
label_noise = 0.1
[network]
width = 6
power = 1
init_scale = 1e-3
[flow]
loss = "half_square"
end_time = 20.0
"""

NETWORK_OF_TEACHERS = TEACHER.replace(
    "dimension = 3",
    'dimension = 3\nteacher = "network"\nteacher_neurons = 3\nteacher_outputs = [1, 1, -1]',
)

OF_A_FILE = TEACHER.replace(
    TEACHER[TEACHER.index("[data]") : TEACHER.index("[network]")],
    '[data]\nkind = "file"\npath = "samples.npz"\nlabels = "real"\n',
)

KINDS = {
    "linear": TEACHER,
    "network": NETWORK_OF_TEACHERS.replace("power = 1\n", "power = 3\n"),
    "lightcone": TEACHER.replace("[flow]", 'balanced = false\n[flow]\nchart = "lightcone"'),
    "layers": TEACHER.replace("width", 'kind = "layers"\nwidth').replace("1e-3", "1.0"),
    "vector": TEACHER.replace("width", 'kind = "vector"\nwidth'),
    "sgd": TEACHER + '[train]\nmethod = "sgd"\nstep_size = 0.05\nbatch = 0\n',
    "file": OF_A_FILE,
    "grid": TEACHER + '[vary]\n"network.power" = [1, 3]\n',
}


def stored(folder, kind):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 3))
    np.savez(
        folder / "samples.npz", X=x, y=np.abs(x[:, 0]) - x[:, 1], X_test=x[:5], y_test=x[:5, 0]
    )
    (folder / "mine.toml").write_text(KINDS[kind])
    return folder / "mine.toml"


@pytest.fixture(scope="module", params=list(KINDS))
def answered(request, tmp_path_factory):
    """The folder of a run or study, and what `gflow run` printed."""
    folder = tmp_path_factory.mktemp(request.param)
    result = call("run", stored(folder, request.param), "--out", folder / "runs")
    (run,) = (folder / "runs").iterdir()
    return run, result


@pytest.mark.slow
def test_every_verb_answers_without_margins_and_without_a_mistake(answered):
    folder, ran = answered
    texts = [ran]
    for verb in ("check --all", "report", "plot", "status"):
        name, *options = verb.split()
        texts.append(call(name, folder, *options))

    for result in texts:
        assert result.exit_code == 0, result.output
        for foreign in ("Traceback", "mistake in gflow", "smallest margin", "accuracy 0", "nan"):
            assert foreign not in result.output
    assert "R²" in ran.output
    refused = call("attack", folder)
    assert refused.exit_code != 0 and "must have classes to be attacked" in refused.output


@pytest.mark.slow
def test_predictions_about_classes_are_outside_and_those_about_numerics_are_judged(answered):
    folder, _ = answered

    result = gflow.load(folder)
    for run in (run for _, run in result.entries):
        for finding in gflow.check(run, [one.id for one in ALL]):
            number = next(one.number for one in ALL if one.id == finding.id)
            if number in ANY_LABELS:
                assert finding.verdict is not Verdict.FAILS
            else:
                assert finding.verdict is Verdict.OUTSIDE
                assert "here labels are real numbers" in finding.opinion.reason


@pytest.mark.slow
def test_every_figure_is_drawn_or_says_what_it_needs(answered):
    result = gflow.load(answered[0])

    for kind in figures.known().values():
        try:
            kind.draw(result)
        except figures.NotDrawable as reason:
            assert str(reason).endswith(".")


@pytest.mark.slow
def test_a_record_has_residuals_and_no_margins(answered):
    for run in (run for _, run in gflow.load(answered[0]).entries):
        last = run.record.isel(time=-1)
        split = run.scenario.data.training(run.scenario.seed)
        y, f = split.train.labels("sign"), np.asarray(run.network(split.train.x)).reshape(-1)

        # Recorded products are of single precision.
        mean_square = float(((y - f) ** 2).mean())
        assert float(last["residual_rms"]) == pytest.approx(np.sqrt(mean_square), rel=1e-4)
        assert float(last["loss"]) == pytest.approx(mean_square / 2, rel=1e-4)
        assert float(last["r_squared"]) == pytest.approx(1 - mean_square / y.var(), abs=1e-4)
        assert not {"margin_min", "margin_mean", "accuracy"} & set(run.record)
        assert set(run.test) == {"loss", "residual_rms", "r_squared"}
        assert run.evidence.phases is None


def test_the_table_of_a_study_has_the_columns_of_its_labels():
    scenario = parse_scenario(TEACHER + '[vary]\n"network.power" = [1, 3]\n')
    from gflow.runs.study_table import tabulate

    table = tabulate(scenario, {}, {})

    assert {"residual_rms", "r_squared", "test_r_squared"} <= set(table)
    assert not {"margin_min", "accuracy", "test_accuracy"} & set(table)


@pytest.mark.parametrize("label", [2.5, -0.3])
def test_one_neuron_on_one_sample_fits_a_real_label_along_a_logistic_curve(label, tmp_path):
    # x, w of length 1 and along each other: z = |f| has dz/dt = 2 z (|y| - z).
    np.savez(tmp_path / "samples.npz", X=np.array([[0.6, 0.8]]), y=np.array([label]))
    scenario = parse_scenario(
        OF_A_FILE,
        folder=tmp_path,
        overrides=["flow.tolerance=1e-9", "flow.precision=float64", "flow.end_time=3"],
    )
    run = gflow.simulate(
        scenario, neurons=(np.array([[0.06, 0.08]]), np.array([np.sign(label) * 0.1])),
        progress=False,
    )  # fmt: skip

    t, y = run.record["time"].values, abs(label)
    z = y / (1 + (y / 0.01 - 1) * np.exp(-2 * y * t))
    assert np.abs(run.record["residual_rms"].values - (y - z)).max() < 1e-6
    assert "r_squared" in run.record and np.isnan(run.record["r_squared"].values).all()
    assert "R²" not in run.card["fit"]


@pytest.mark.slow
@pytest.mark.parametrize("power", [2, 3])
def test_a_flow_on_real_labels_is_that_of_the_plain_equations(power):
    # (W, v) with DOP853: f = Σ v_j ‖w_j‖^(1-p) σ(<w_j, x>)^p, and the half square loss.
    scenario = parse_scenario(
        NETWORK_OF_TEACHERS.replace("power = 1\n", f"power = {power}\n"),
        overrides=["flow.tolerance=1e-7", "flow.precision=float64", "flow.end_time=3"],
    )
    rng = np.random.default_rng(1)
    W = 0.3 * rng.standard_normal((6, 3))
    v = np.linalg.norm(W, axis=1) * np.array([1, -1, 1, 1, -1, -1])
    run = gflow.simulate(scenario, neurons=(W, v), progress=False)
    train = scenario.data.read(scenario.seed).train
    x, y = train.x, train.labels("sign")

    def velocity(_, theta):
        w, out = theta[:18].reshape(6, 3), theta[18:]
        rho, z = np.linalg.norm(w, axis=1), np.maximum(x @ w.T, 0)
        value = rho ** (1 - power) * z**power
        g = (y - value @ out) / len(y)
        gate = z ** (power - 1)
        radial = ((1 - power) * rho**-2 * (g @ value))[:, None] * w
        dw = out[:, None] * (radial + power * (rho ** (1 - power) * g[:, None] * gate).T @ x)
        return np.concatenate([dw.ravel(), g @ value])

    start = np.concatenate([W.ravel(), v])
    end = solve_ivp(velocity, (0, 3), start, "DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
    w, out = end[:18].reshape(6, 3), end[18:]
    expected = (np.linalg.norm(w, axis=1) ** (1 - power) * np.maximum(x @ w.T, 0) ** power) @ out
    # Errors of 1e-7 per step, over some hundred steps; labels and outputs are of order 1.
    assert np.abs(np.asarray(run.network(x)) - expected).max() < 1e-4


def test_the_premise_of_real_labels_is_refused():
    data = parse_scenario(TEACHER).data.read(0).train

    with pytest.raises(DataError, match="must have classes to look for subclasses in"):
        look(data, "sign", 0)


def test_an_answer_for_programs_says_residuals(tmp_path):
    path: Path = stored(tmp_path, "linear")

    answer = json.loads(call("run", path, "--out", tmp_path / "runs", "--json").stdout)

    (point,) = answer["headline"]["points"]
    assert set(point["fit"]) == {"loss", "r_squared", "test_r_squared"}
    assert point["place"] == "" and point["conjecture"] == ""
