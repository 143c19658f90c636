"""Networks that learn subclasses as labels, against their laws (predictions P40 and P46)."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed

from gflow.judges.catalogue import check
from gflow.judges.finding import Verdict
from gflow.judges.fine_labels import judge_fine_labels, judge_fine_selection
from gflow.laws.fine_labels import fine_radius
from gflow.robustness.bracket import Robustness
from gflow.robustness.norm import Norm
from gflow.robustness.radius import Radii

FINE = """
[data]
dimension = 20
subclasses = 8
positive_subclasses = 4
noise = 0.0
samples = 16
test_samples = 0

[network]
kind = "vector"
width = 40
power = 1
init_scale = 1e-30
outputs = "subclasses"

[flow]
loss = "logistic"
end_time = 450.0

[record]
linear = 150
"""


@pytest.fixture(scope="module")
def choosing():
    return evidence_of(FINE)


def fitted(evidence):
    """As if it had been followed until every sample was fitted."""
    return altered(evidence, accuracy=lambda a: np.append(a[:-1], 1.0))


def with_radius(evidence, radius):
    """As if this had been the attacked radius of every test sample."""
    n = 20
    radii = Radii(np.zeros(n), np.full(n, radius), neurons=0)
    return replace(evidence, robustness=Robustness(np.ones(n), {Norm.L2: radii}))


def test_neurons_choose_at_the_rate_of_their_average(choosing):
    opinion = judge_fine_selection(choosing)

    assert opinion.verdict is Verdict.HOLDS and "m = 2: 1.0000" in opinion.measured
    assert {one.id for one in check(choosing)} >= {"fine-selection"}
    assert "alignment" not in {one.id for one in check(choosing)}


def test_neurons_that_choose_a_tenth_too_slowly_fail(choosing):
    opinion = judge_fine_selection(slowed(fitted(choosing), 1.1))

    assert opinion.verdict is Verdict.FAILS and "m = 2: 0.909" in opinion.measured


@pytest.mark.parametrize(
    ("radius", "verdict"),
    [(0.70, Verdict.HOLDS), (0.65, Verdict.FAILS), (0.75, Verdict.UNDECIDED)],
)
def test_an_attack_shows_that_a_radius_is_shorter_and_never_that_it_is_longer(
    choosing, radius, verdict
):
    assert judge_fine_selection(with_radius(fitted(choosing), radius)).verdict is verdict


def test_a_network_that_fits_not_all_yet_fails_nothing(choosing):
    early = altered(with_radius(choosing, 0.5), accuracy=lambda a: 0 * a + 0.9)

    opinion = judge_fine_selection(early)

    assert opinion.verdict is Verdict.UNDECIDED and "every sample fitted" not in opinion.measured


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"power": 3.0}, "it needs p = 1"),
        ({"outputs": "classes"}, "one output per subclass"),
    ],
)
def test_what_the_law_of_choice_needs_is_asked(choosing, values, reason):
    opinion = judge_fine_selection(as_if(choosing, "network", **values))

    assert opinion.verdict is Verdict.OUTSIDE
    assert reason in opinion.reason[0].lower() + opinion.reason[1:]


def test_noise_leaves_rates_out_and_a_large_start_radii(choosing):
    noisy = with_radius(fitted(replace(choosing, alpha=0.1)), 0.69)

    assert judge_fine_selection(noisy).measured == "radius: 0.6900"
    large = as_if(noisy, "network", init_scale=1e-3)
    opinion = judge_fine_selection(large)
    assert opinion.verdict is Verdict.OUTSIDE and "log(1/ε) >= 3 K" in opinion.reason


def over_k(evidence, radius_of):
    """A study over K and labels, as if its radii had been those of a function."""
    runs = []
    for outputs in ("sign", "subclasses"):
        for K in (4, 8, 16):
            run = as_if(as_if(evidence, "network", outputs=outputs), "data", subclasses=K)
            mu = np.eye(K, 20)
            label = np.where(np.arange(K) < K // 2, 1, -1)
            centers = replace(evidence.centers, mu=mu, label=label)
            run = replace(run, centers=centers, pi=np.full(K, 1 / K))
            runs.append(with_radius(fitted(run), radius_of(K, outputs)))
    return runs


def test_radii_that_follow_the_laws_over_k_hold(choosing):
    opinion = judge_fine_labels(over_k(choosing, fine_radius))

    assert opinion.verdict is Verdict.HOLDS and "ratio 2.828 (law 2.828)" in opinion.measured


def test_fine_labels_that_do_not_help_fail(choosing):
    opinion = judge_fine_labels(over_k(choosing, lambda K, outputs: K**-0.5))

    assert opinion.verdict is Verdict.FAILS


def test_an_attack_that_finds_too_little_leaves_the_slopes_open(choosing):
    weak = over_k(choosing, lambda K, outputs: fine_radius(K, outputs) * (K / 4) ** 0.2)

    assert judge_fine_labels(weak).verdict is Verdict.UNDECIDED


def test_a_study_needs_three_k_and_both_labels(choosing):
    runs = over_k(choosing, fine_radius)

    assert judge_fine_labels(runs[:3]).verdict is Verdict.OUTSIDE
    assert judge_fine_labels(runs[::3]).verdict is Verdict.OUTSIDE
