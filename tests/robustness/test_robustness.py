"""Radii of test samples: stored beside a run, judged, printed and drawn; the Bayes classifier."""

import json
from dataclasses import replace

import numpy as np
import pytest
from evidences import as_if
from networks import axes, noisy
from questions import SMALL
from scipy.optimize import brentq
from typer.testing import CliRunner

import gflow
from gflow.cli import app
from gflow.errors import DataError, GflowWarning, RecordError
from gflow.judges.catalogue import CATALOGUE
from gflow.judges.robust_accuracy import accuracy_law, judge_robustness_over_scale
from gflow.laws.bayes import bayes_margin, bayes_radii
from gflow.laws.critical_radii import learned_radius
from gflow.network.population import Population
from gflow.report import figures, radii_table
from gflow.report.panels import NotDrawable
from gflow.report.radii_table import published_lines
from gflow.robustness.attack import share_beyond
from gflow.robustness.bracket import Robustness
from gflow.robustness.norm import Norm, norm_named
from gflow.robustness.radius import Radii
from gflow.runs import study
from gflow.runs.radii import ARRAYS, read_robustness, read_witnesses
from gflow.scenario import RobustnessTable

TABLE = '\n[robustness]\nnorms = ["l2", "linf"]\n'
L2 = RobustnessTable(norms=("l2",))
MANY = (
    SMALL.replace("test_samples = 30", "test_samples = 5000")
    .replace("dimension = 20", "dimension = 100")
    .replace("samples = 60", "samples = 300", 1)
    .replace("end_time = 200", "end_time = 4000")
    .replace("width = 12", "width = 40")
)
"""A flow that is late and aligned, and enough test samples for a law."""


def silent(label, scenario):
    return lambda progress: None


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    scenario = gflow.parse_scenario(SMALL + TABLE)
    return study.answer(scenario, tmp_path_factory.mktemp("runs"), False, silent)


@pytest.fixture(scope="module")
def late():
    return gflow.attack(gflow.simulate(gflow.parse_scenario(MANY)), L2)


def verdict(run, id):
    (finding,) = gflow.check(run, [id])
    return finding


# --- beside a run


def test_radii_are_read_back_as_they_were_measured(stored):
    again = gflow.load(stored.folder).evidence.robustness

    assert set(again.radii) == {Norm.L2, Norm.LINF}
    fresh = gflow.attack(replace(stored, folder=None), stored.scenario.robustness)
    for norm, radii in fresh.evidence.robustness.radii.items():
        np.testing.assert_array_equal(again.radii[norm].certified, radii.certified)
        np.testing.assert_array_equal(again.radii[norm].attacked, radii.attacked)


@pytest.mark.parametrize("norm", [Norm.L2, Norm.LINF])
def test_stored_perturbations_flip_the_stored_network(stored, norm):
    test = stored.scenario.data.read_test(stored.scenario.seed)
    x, y = test.x, test.labels("sign")
    witness = read_witnesses(stored.folder, norm)

    margin = y * Population.of(stored.network)(x + witness.perturbation * (1 + 1e-9))

    # The boundary is bisected to rounding; f is at most 1 in these units.
    assert (margin <= 1e-9).all()
    np.testing.assert_allclose(norm.size(witness.perturbation), witness.radius, rtol=1e-12)


def test_the_question_of_robustness_does_not_move_the_folder():
    plain, asking = (gflow.parse_scenario(text) for text in (SMALL, SMALL + TABLE))

    assert plain.digest() == asking.digest()


def test_what_is_there_is_not_measured_again_and_what_is_not_is(stored):
    before = (stored.folder / ARRAYS).stat().st_mtime_ns

    gflow.attack(gflow.load(stored.folder), L2)
    assert (stored.folder / ARRAYS).stat().st_mtime_ns == before
    gflow.attack(gflow.load(stored.folder), RobustnessTable(norms=("l2", "linf"), attacked=10))

    assert (stored.folder / ARRAYS).stat().st_mtime_ns > before
    assert gflow.load(stored.folder).evidence.robustness.n == 10
    gflow.attack(gflow.load(stored.folder), stored.scenario.robustness)


def test_another_norm_is_measured_beside_those_that_are_there(tmp_path):
    run = study.answer(gflow.parse_scenario(SMALL), tmp_path, False, silent)
    gflow.attack(run, L2)

    gflow.attack(run, RobustnessTable(norms=("l1",)))

    assert set(gflow.load(run.folder).evidence.robustness.radii) == {Norm.L1, Norm.L2}


def test_altered_radii_are_not_used(stored):
    path = stored.folder / ARRAYS
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    with pytest.warns(GflowWarning, match=r"robustness\.nc.* measured anew"):
        assert gflow.load(stored.folder).evidence.robustness is None
        with pytest.raises(RecordError, match="gflow attack"):
            read_witnesses(stored.folder, Norm.L2)
        gflow.attack(gflow.load(stored.folder), stored.scenario.robustness)
    assert read_robustness(stored.folder) is not None


def test_constrained_attacks_are_stored_beside_the_others(tmp_path):
    # SMALL has more samples than dimensions, so there is nothing off their span.
    run = study.answer(gflow.parse_scenario(SMALL), tmp_path, False, silent)
    run = gflow.attack(run, RobustnessTable(norms=("l2",), attacked=12))
    table = RobustnessTable(
        norms=("l2",), within=("off_samples", "class_difference"), universal=0.9, attacked=12
    )

    fresh = gflow.attack(run, table).evidence.robustness
    again = gflow.load(run.folder).evidence.robustness

    assert list(again.radii) == ["l2", "l2_off_samples", "l2_class_difference"]
    assert again.radii["l2_off_samples"].dimension == 0
    right = again.radii["l2"].attacked > 0
    assert np.isinf(again.radii["l2_off_samples"].certified[right]).all()
    for name in again.radii:
        assert (again.radii[name].attacked == fresh.radii[name].attacked).all()
    for one, other in zip(again.universal, fresh.universal, strict=True):
        assert (one.label, one.certified, one.attacked) == (
            other.label, other.certified, other.attacked,
        )  # fmt: skip
        assert np.isclose(np.linalg.norm(one.vector), one.attacked, rtol=1e-12)

    # The witness along the difference of the classes is a multiple of it.
    centers = run.evidence.centers
    way = centers.label @ centers.mu
    witness = read_witnesses(run.folder, norm_named("l2_class_difference"))
    delta = witness.perturbation[np.isfinite(witness.radius)]
    along = np.abs(delta @ way) / np.linalg.norm(way)
    assert len(delta) and np.abs(along - np.linalg.norm(delta, axis=1)).max() < 1e-9

    # What is there already is not measured again, and another request keeps it.
    assert read_robustness(run.folder, table) is not None
    more = gflow.attack(gflow.load(run.folder), RobustnessTable(norms=("linf",), attacked=12))
    assert set(again.radii) < set(more.evidence.robustness.radii)
    assert len(more.evidence.robustness.universal) == 2

    # The tables say what no bracket does.
    lines = "\n".join(radii_table.lines_below([("", more)]))
    assert "off_samples: of dimension 0" in lines and "one l2 vector for 0.9 of a class" in lines
    rows = {str(row.norm): row.to_json() for row in radii_table.rows_of([("", more)])}
    assert rows["l2_off_samples"]["dimension"] == 0
    assert [one["class"] for one in rows["l2"]["universal"]] == [-1, 1]
    assert "l2 within class_difference" in radii_table.markdown(radii_table.rows_of([("", more)]))


def test_a_norm_that_was_not_attacked_has_no_witness(stored):
    with pytest.raises(RecordError, match="in l1"):
        read_witnesses(stored.folder, Norm.L1)


def test_without_test_samples_there_is_nothing_to_attack():
    run = gflow.simulate(
        gflow.parse_scenario(SMALL.replace("test_samples = 30", "test_samples = 0"))
    )

    with pytest.raises(DataError, match="test_samples"):
        gflow.attack(run, L2)


def test_the_published_curve_is_stored_beside_ours(tmp_path):
    text = SMALL + '\n[robustness]\nnorms = ["l2"]\npublished = true\nattacked = 5\n'
    run = study.answer(gflow.parse_scenario(text), tmp_path, False, silent)

    published = gflow.load(run.folder).evidence.robustness.published

    assert published[0] == 1.0 and published[-1] < 1.0 and len(published) == 15


# --- the Bayes classifier


def test_the_bayes_margin_is_the_log_odds_of_the_densities():
    centers = axes(5, 3, 8)
    x, y = noisy(centers, 3.0, 50, seed=0)
    tau = 3.0 / 8**0.5
    # Densities written out: exp(-|x - μ_k|²/(2τ²)).
    away = ((x[:, None] - centers.mu) ** 2).sum(axis=2)
    density = np.exp(-away / (2 * tau**2))
    plus, minus = (density[:, centers.label == s].sum(axis=1) for s in (1, -1))

    margin = bayes_margin(x, y, centers, tau)

    np.testing.assert_allclose(margin, y * tau**2 * np.log(plus / minus), rtol=1e-9, atol=1e-12)


def test_with_two_subclasses_the_bayes_radius_is_the_distance_to_a_plane():
    centers = axes(2, 1, 6)
    x, y = noisy(centers, 0.5, 100, seed=0)

    certified, attacked = bayes_radii(x, y, centers, 0.5 / 6**0.5)[:2]

    exact = np.maximum(y * (x[:, 0] - x[:, 1]) / 2**0.5, 0)
    np.testing.assert_allclose(certified, exact, rtol=1e-9)
    np.testing.assert_allclose(attacked, exact, rtol=1e-9)


def test_the_attacked_bayes_radius_is_the_first_error_towards_an_opposite_center():
    centers = axes(5, 3, 8)
    x, y = noisy(centers, 1.5, 60, seed=2)
    tau = 1.5 / 8**0.5
    attacked = bayes_radii(x, y, centers, tau).attacked

    # The margin falls along each way, so its sign changes once, where brentq finds it.
    for xi, yi, R in zip(x, y, attacked, strict=True):

        def margin(t, way, xi=xi, yi=yi):
            return float(bayes_margin((xi + t * way)[None], np.array([yi]), centers, tau)[0])

        own = centers.mu[centers.label == yi]
        ways = [(mu - own[(own @ xi).argmax()]) / 2**0.5 for mu in centers.mu[centers.label != yi]]
        wrong = margin(0, ways[0]) <= 0
        errs = [
            brentq(margin, 0, 2, (way,), xtol=1e-14)
            for way in ways
            if not wrong and margin(2, way) <= 0
        ]
        expected = 0 if wrong else min(errs, default=np.inf)
        assert pytest.approx(expected, rel=1e-11) == R
    assert (attacked == 0).any() and (attacked > 0).any()


def test_no_input_of_the_wrong_sign_is_inside_a_certified_bayes_radius():
    centers = axes(5, 3, 5)
    x, y = noisy(centers, 1.0, 40, seed=0)
    tau = 1.0 / 5**0.5
    certified, attacked = bayes_radii(x, y, centers, tau)[:2]
    ways = np.random.default_rng(1).standard_normal((3000, 5))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)

    assert (certified <= attacked).all()
    for xi, yi, R in zip(x, y, certified, strict=True):
        if R > 0:
            assert (bayes_margin(xi + R * ways, np.full(3000, yi), centers, tau) > 0).all()


def test_bayes_is_judged_on_the_samples_alone(late):
    finding = verdict(late, "bayes")

    assert finding.verdict == "HOLDS"
    assert "does not depend on the network" in finding.opinion.reason
    plain = gflow.simulate(gflow.parse_scenario(SMALL.replace("noise = 0.05", "noise = 0")))
    assert verdict(plain, "bayes").verdict == "OUTSIDE"


# --- verdicts


def test_robust_accuracies_of_a_late_network_follow_the_law(late):
    finding = verdict(late, "robust-accuracy")

    assert finding.verdict == "HOLDS", finding.opinion.measured


def test_too_few_samples_say_nothing_about_a_law(stored):
    finding = verdict(gflow.load(stored.folder), "robust-accuracy")

    assert finding.verdict == "OUTSIDE"
    assert "5000 test samples, and here there are 30" in finding.opinion.reason


def scaled(evidence, certified, attacked):
    low, high, neurons = evidence.robustness.radii[Norm.L2][:3]
    radii = {Norm.L2: Radii(low * certified, high * attacked, neurons)}
    return replace(evidence, robustness=Robustness(evidence.robustness.y, radii))


def test_more_robust_than_any_classifier_can_be_is_a_mistake_of_the_attack(late):
    # All samples robust at √2/2, where 1 - min(K1, K2)/K = 2/3 may be (theory G1).
    strong = scaled(late.evidence, 1.1, 1.1)

    assert CATALOGUE["robust-accuracy"](strong).verdict == "FAILS"


def test_a_bracket_around_the_median_of_the_law_does_not_decide(late):
    wide = scaled(late.evidence, 0.9, 1.0)

    assert CATALOGUE["robust-accuracy"](wide).verdict == "UNDECIDED"


def over_scale(late, *ends):
    runs = []
    for eps, (low, high) in zip((1e-6, 1e-3, 1e-1), ends, strict=True):
        runs.append(as_if(scaled(late.evidence, low, high), "network", init_scale=eps))
    return judge_robustness_over_scale(runs)


def test_robustness_over_scale_falls_rises_or_is_not_told(late):
    assert over_scale(late, (1, 1), (0.99, 1), (0.5, 0.6)).verdict == "HOLDS"
    assert over_scale(late, (0.5, 0.6), (0.8, 0.9), (0.4, 0.4)).verdict == "FAILS"
    assert over_scale(late, (0.5, 1), (0.4, 0.9), (0.3, 0.8)).verdict == "UNDECIDED"


def test_the_law_of_the_picture_is_that_of_the_test_samples(late):
    # p = 3, K1 = 2, K2 = 1 at √2/2: (1/K)(K1/(K2 + 1) + K2/(K1 + 1)) = (1 + 1/3)/3.
    law = accuracy_law(late.evidence, np.array([0.5**0.5]))

    np.testing.assert_allclose(law, (1 + 1 / 3) / 3, rtol=1e-6)
    certified, attacked = late.evidence.robustness.radii[Norm.L2].accuracy(np.array([0.0, 0.5]))
    np.testing.assert_array_equal(certified, 1.0)
    np.testing.assert_array_equal(attacked, 1.0)


def test_laws_of_what_is_learned():
    assert learned_radius(Norm.L2, 1.5, 6, 4) == pytest.approx((10**-0.5, 10**-0.5))
    assert learned_radius(Norm.LINF, 3.0, 8, 1) == pytest.approx((1 / 2, 1 / 3))
    assert learned_radius(Norm.L1, 1.0, 6, 4) == (1.0, 1.0)


def test_share_beyond_counts_ties_as_fallen():
    shares = share_beyond(np.array([0.0, 0.5, 0.5, np.inf]), np.array([0.0, 0.4, 0.5, 9.0]))

    np.testing.assert_allclose(shares, [0.75, 0.75, 0.25, 0.25])


# --- for the user


def command(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_attack_prints_a_table_and_draws(stored):
    result = command("attack", stored.folder)

    assert result.exit_code == 0, result.output
    assert "radii in l2, [certified, attacked]" in result.output
    assert "law at centers" in result.output and "0.707" in result.output
    assert (stored.folder / "figures" / "robust_accuracy.png").is_file()
    assert (stored.folder / "figures" / "radii.png").is_file()


def test_attack_answers_in_json_and_in_markdown(stored):
    row = json.loads(command("attack", stored.folder, "--json").stdout)[0]

    robustness = gflow.load(stored.folder).evidence.robustness
    assert row["norm"] == "l2" and tuple(row["median"]) == robustness.median(Norm.L2)
    assert [at["radius"] for at in row["accuracy"]] == pytest.approx([3**-0.5, 0.5, 0.5**0.5])
    assert "| l2 | law at centers |" in command("attack", stored.folder, "--markdown").stdout


def test_a_norm_that_is_none_is_refused(stored):
    result = command("attack", stored.folder, "--norm", "l3")

    assert result.exit_code == 2
    assert "`--norm` must be l1, l2 or linf, but is l3" in result.stderr


def test_figures_of_radii_are_left_out_without_radii(late):
    plain = replace(late, evidence=replace(late.evidence, robustness=None))

    with pytest.raises(NotDrawable, match=r"robustness\.norms"):
        figures.robust_accuracy(plain)
    assert "robust_accuracy" not in [kind.name for kind in figures.default(plain)]
    assert "robust_accuracy" in [kind.name for kind in figures.default(late)]


def test_curves_of_a_figure_are_the_brackets(late):
    # Both ends coincide on so few samples; certificates that are a tenth shorter do not.
    measured = late.evidence.robustness
    radii = measured.radii[Norm.L2]
    loose = radii._replace(certified=0.9 * radii.certified)
    evidence = replace(late.evidence, robustness=replace(measured, radii={Norm.L2: loose}))

    figure = figures.robust_accuracy(replace(late, evidence=evidence))

    (ax,) = figure.axes
    low, high, law = ax.get_lines()[:3]
    R = low.get_xdata()
    certified, attacked = loose.accuracy(R)
    np.testing.assert_array_equal(low.get_ydata(), certified)
    np.testing.assert_array_equal(high.get_ydata(), attacked)
    np.testing.assert_array_equal(law.get_ydata(), accuracy_law(late.evidence, R))


def test_where_nothing_is_certified_the_range_over_seeds_is_drawn(late):
    def felled(radius):
        robustness = Robustness(np.ones(4), {Norm.LINF: Radii(np.zeros(4), np.full(4, radius), 0)})
        return replace(late, evidence=replace(late.evidence, robustness=robustness))

    figure = figures.robust_accuracy([("seed=0", felled(0.1)), ("seed=1", felled(0.3))])

    low, high = figure.axes[0].lines
    np.testing.assert_array_equal(low.get_ydata(), low.get_xdata() < 0.1)
    np.testing.assert_array_equal(high.get_ydata(), high.get_xdata() < 0.3)


def test_a_radius_is_drawn_over_the_power_of_a_study(late):
    runs = {
        f"power={p:g}": replace(late, evidence=as_if(late.evidence, "network", power=p))
        for p in (1.0, 2.5, 3.0)
    }

    figure = figures.critical_radius(runs)

    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "trained" and any("F^{(p)}" in label for label in labels)
    with pytest.raises(NotDrawable, match="three values"):
        figures.critical_radius(late)


def test_the_published_attack_is_told_beside_ours_where_either_leaves_something(late):
    attacked = np.array([0.3, 0.5])
    published = np.where(np.arange(15) < 4, 1.0, 0.0)
    robustness = Robustness(np.ones(2), {Norm.L2: Radii(attacked, attacked, 1)}, published)
    run = replace(late, evidence=replace(late.evidence, robustness=robustness))

    # Radii are multiples of 1.5/14: at 0.321 one of two has fallen, at 0.536 both.
    (line,) = published_lines([("p = 3", run), ("not run", late)])

    assert line == (
        "published attack, p = 3: 0.107: 1.000 (ours 1.000), 0.214: 1.000 (ours 1.000), "
        "0.321: 1.000 (ours 0.500), 0.429: 0.000 (ours 0.500)"
    )
