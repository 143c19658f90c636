"""What is said of a nan, case by case: margins, models, neurons, hypotheses and flows."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arguments import CENTERS, OUTPUT, SIGN, Linear, T, X, Y, network
from questions import SMALL

import gflow
from gflow.errors import DataError
from gflow.flow.losses import Exponential
from gflow.judges.finding import Verdict
from gflow.laws.hypothesis import Hypothesis, balanced_start, occupied_cells
from gflow.measure.alignment import aligned_share, contributing, contributing_share, first_time_at
from gflow.measure.margin import fit, margins
from gflow.measure.phases import find_phases
from gflow.network.population import Population
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.robustness.attack import share_beyond
from gflow.robustness.ball_attack import Lowest
from gflow.robustness.bracket import measure_radii
from gflow.robustness.joint_bound import radii_together
from gflow.robustness.norm import Norm
from gflow.robustness.radius_bound import certified_radii

SILENT = (Verdict.UNDECIDED, Verdict.OUTSIDE)
NUMERICS = {"balancedness", "orthogonal-invariant", "energy-balance"}


def test_margins_of_nan_are_wrong_however_they_are_counted():
    margin = jnp.array([1.0, jnp.nan, 2.0, 3.0])

    quality = fit(ScaledOutputs.plain(margin), jnp.ones(4))

    assert float(quality.accuracy) == 0.75
    assert np.isnan(quality.margin_min) and np.isnan(quality.margin_mean)
    np.testing.assert_allclose(
        share_beyond(np.array([np.nan, np.nan, 0.4]), np.array([0.0, 0.3, 0.5])), [1 / 3, 1 / 3, 0]
    )


def test_labels_that_no_output_has_are_wrong():
    f = -jnp.ones((3, 2))  # all other outputs are negative

    assert np.isnan(margins(jnp.array([np.nan, 2.0, -1.0]), f)).all()


def test_a_model_that_gives_no_number_is_wrong_there_and_not_robust():
    class Torn(eqx.Module):
        w: jax.Array

        def __call__(self, x):
            z = x @ self.w.astype(x.dtype)
            return jnp.where(x[:, 0] > 0.5, jnp.nan, z)

    x = np.array([[1.0, 1.0], [0.25, 1.0], [0.25, 1.0]])
    y = np.array([1.0, 1.0, -1.0])

    bracket = measure_radii(Torn(jnp.array([0.0, 1.0])), x, y, [Norm.L2], seed=0).radii[Norm.L2]

    # Wrong at once, a quarter from where there is no number, wrong by its sign.
    assert bracket.attacked[0] == 0 and bracket.attacked[2] == 0
    assert bracket.certified.tolist() == [0, 0, 0]


def test_a_margin_of_nan_is_the_lowest_that_an_attack_finds():
    known, none = (Lowest(jnp.ones((1, 1)), jnp.array([m])) for m in (-1.0, jnp.nan))

    for one, other in ((known, none), (none, known), (none, none)):
        assert np.isnan(one.or_lower(other).margin[0])


def test_neurons_of_nan_contribute_nothing_and_reach_nothing():
    log_mass = np.array([0.0, np.nan, -1.0])

    assert not contributing(log_mass).any()
    assert np.isnan(aligned_share(np.ones((4, 3)), contributing_share(log_mass))).all()
    assert np.isnan(first_time_at(0.5, T, np.array([np.nan, 0.1, 0.2, 0.3])))
    for late in (OUTPUT * np.nan, OUTPUT):
        phases = find_phases(T, T * np.nan, late, T * np.nan, slowing=Exponential().slowing)
        assert np.isnan(phases.aligned) and np.isnan(phases.fitted)


def test_no_hypothesis_is_met_by_nan():
    torn = np.array([0.0, np.nan])

    assert balanced_start(torn, np.zeros(2)).met is None
    assert occupied_cells(np.full((3, 3), np.nan), SIGN, CENTERS.label.astype(float)).met is False
    assert Hypothesis.that("what", np.nan, "<=", 1.0).met is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(s=np.array([1.0, np.nan])), "`s` must be +1 or -1, but s[1] is nan"),
        (dict(s=np.array([1.0, 0.0])), "`s` must be +1 or -1, but s[1] is 0"),
        (dict(m=np.array([1.0, -0.5])), "`m` must be finite and not negative, but m[1] is -0.5"),
        (dict(m=np.array([np.inf, 0.5])), "`m` must be finite and not negative, but m[0] is inf"),
        (dict(u=np.array([[1.0, 0.0], [np.nan, 1.0]])), "`u` must be finite, but u[1, 0] is nan"),
        (dict(p=0.5), "`p` must be finite and at least 1"),
    ],
)
def test_a_population_of_no_numbers_cannot_be_made(change, words):
    whole = dict(u=np.eye(2), m=np.ones(2), s=np.array([1.0, -1.0]), p=3.0, log_scale=0.0)

    with pytest.raises(DataError) as caught:
        Population(**whole | change)

    assert words in str(caught.value)


@pytest.mark.parametrize("rest", [-0.1, np.nan, np.inf])
def test_no_certificate_rests_on_a_remainder_that_is_none(rest):
    for certified in (certified_radii, radii_together):
        with pytest.raises(DataError, match="`rest` must be finite and not negative"):
            certified(network(), X, Y, rest)


def test_a_flow_of_nan_ends_at_once_or_is_refused():
    def loss(f, y):
        return (f[:, 0] - y) ** 2

    with pytest.raises(DataError, match="inputs must be finite, but row 1 is not"):
        gflow.flow_of(Linear(jnp.ones((5, 1))), loss, (np.where(X[1] == X, np.nan, X), Y), [1.0])
    flow = gflow.flow_of(Linear(jnp.full((5, 1), jnp.nan)), loss, (X, Y), [1.0])
    assert not flow.outcome.complete and np.isnan(flow.loss).all()


@pytest.mark.slow
def test_nothing_is_judged_of_a_record_of_nan():
    run = gflow.simulate(gflow.parse_scenario(SMALL))
    for name in ("loss", "accuracy", "dissipated", "center_output", "margin_min", "log_norm"):
        torn = run.record.copy(deep=True)
        torn[name][-1] = np.nan

        findings = gflow.check(replace(run, evidence=replace(run.evidence, record=torn)))

        said = {f.id for f in findings if f.opinion.verdict not in SILENT}
        assert said <= NUMERICS, name
