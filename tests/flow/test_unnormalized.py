"""A network without normalization as a run: its masses, what it conserves, and what is judged."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from questions import NO_NOISE, SMALL

from gflow.judges.alignment import judge_alignment
from gflow.judges.conjecture import judge_conjecture
from gflow.judges.conservation import (
    judge_balancedness,
    judge_energy_balance,
    judge_orthogonal_invariant,
)
from gflow.judges.finding import Verdict
from gflow.judges.voronoi import judge_voronoi_rule
from gflow.runs import store
from gflow.runs.continuation import continue_run
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

TOLERANCE = 1e-6

pytestmark = pytest.mark.slow


def followed(text):
    lines = ['[flow]\nchart = "cartesian"', f"tolerance = {TOLERANCE}", 'precision = "float64"']
    text = text.replace("[flow]", "\n".join(lines)).replace("end_time = 200", "end_time = 3e4")
    return simulate(parse_scenario(text.replace("= 1e-6\n", "= 1e-2\nnormalized = false\n", 1)))


@pytest.fixture(scope="module")
def run():
    return followed(SMALL)


def normalized(evidence):
    """The same record, as if the activation were normalized."""
    table = evidence.scenario.network.model_copy(update={"normalized": True})
    return replace(evidence, scenario=evidence.scenario.model_copy(update={"network": table}))


def test_masses_of_the_record_are_those_of_the_network(run):
    w, v = np.asarray(run.state.weights.w), np.asarray(run.state.weights.v)
    expected = np.maximum(run.centers.mu @ w.T, 0) ** 3 @ v

    assert np.allclose(run.evidence.log_mass[-1], run.network.log_mass, rtol=0, atol=1e-12)
    assert np.allclose(run.record["center_output"][-1], expected, rtol=1e-12)
    # Balanced at the start: v = ±‖w‖, so m = ‖w‖⁴.
    assert np.allclose(run.evidence.log_mass[0], 4 * run.record["log_norm"][0], atol=1e-12)


def test_a_run_is_stored_and_continued_without_normalization(run, tmp_path):
    store.save(run, folder := tmp_path / "run")
    stored = store.load(folder)

    assert stored.state.weights.degree == 3
    for a, b in zip(*map(jax.tree.leaves, (stored.state, run.state)), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(stored.network.log_mass, run.network.log_mass)
    longer = continue_run(stored, 3.1e4)
    assert longer.outcome.t == 3.1e4 and longer.network.p == 3
    assert float(longer.record["loss"][-1]) < float(run.record["loss"][-1])


def test_balancedness_is_that_of_the_flow_without_normalization(run):
    opinion = judge_balancedness(run.evidence)

    assert opinion.verdict is Verdict.HOLDS and "‖w_j‖² - 3·v_j²" in opinion.reason
    other = judge_balancedness(normalized(run.evidence))
    assert other.verdict is Verdict.FAILS and "‖w_j‖² - v_j²" in other.reason


def test_weights_orthogonal_to_the_data_stay_where_they_are():
    # log |<e, w_j>| is recorded: no power of ‖w_j‖ belongs to it (theory D2b).
    run = followed(NO_NOISE)

    growth = np.ptp(run.record["log_norm"].values, axis=0).max()

    assert growth > 3
    assert np.ptp(run.record["orthogonal"].values, axis=0).max() < 10 * TOLERANCE * np.exp(growth)
    assert judge_orthogonal_invariant(run.evidence).verdict is Verdict.HOLDS
    assert judge_energy_balance(run.evidence).verdict is Verdict.HOLDS


def test_the_first_neuron_to_grow_turns_from_a_center_to_the_average_of_its_class(run):
    # It is at a center when its subclass escapes and then serves the other one, too, since the
    # next neuron takes a time of order 1/ε² (prediction P24).
    heaviest = np.argmax(np.where(run.record["sign"][-1] > 0, run.evidence.share, 0))
    cosine = run.record["cosine"].values[:, heaviest]

    assert cosine[:, :2].max() > 0.99
    assert cosine[-1, 3] > 0.999 and cosine[-1, :2].max() < 0.75
    assert run.evidence.contributing.sum() == 2


def test_statements_about_the_normalized_activation_are_not_judged(run):
    conjecture, alignment = judge_conjecture(run.evidence), judge_alignment(run.evidence)

    assert conjecture.verdict is Verdict.OUTSIDE and "normalized activation" in conjecture.reason
    assert conjecture.bracket is not None and conjecture.bracket[0] > 0.5
    assert alignment.verdict is Verdict.OUTSIDE and float(alignment.measured) < 0.5
    assert judge_voronoi_rule(run.evidence).verdict is not Verdict.OUTSIDE
