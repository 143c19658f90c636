"""Published times and orders of the flow against exact ones, and what they ask for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gflow.laws import published_flow as flow
from gflow.laws import reduced
from gflow.laws.hypothesis import CENTER_GAP, all_met, gap

POWERS = st.floats(2.05, 6.0)


# ICML 2025: times.


def exact_time(p, start, log_slack):
    """Noise-free time, π = κ = 1, from cosine `start` to 1 - e^{log_slack}, e^{log_slack} ≪ 1."""
    tail = -(log_slack + math.log(2)) / 2
    end = {3.0: tail + math.log(2) - 1, 4.0: tail - 1 / 2}[p]
    begin = {
        3.0: math.atanh(start) - 1 / start,
        4.0: math.log(start**2 / (1 - start**2)) / 2 - 1 / (2 * start**2),
    }[p]
    return (end - begin) / p


@pytest.mark.parametrize(("p", "undercut"), [(3.0, False), (4.0, True)])
def test_the_printed_alignment_time_undercuts_the_exact_one_for_large_powers(p, undercut):
    # Theory T10: per log 1/(1-cos) it takes 1/(2p); the bound grants 2/(p(2^{p-1} - 2)), which is
    # 1/3 at p = 3 and 1/12 at p = 4.
    start, K, alpha = 0.8, 2, 1e-140
    width = gap(np.array([[start, 0.0]]), np.ones(1), np.ones(2))

    def printed(alpha):
        return flow.alignment_time_printed(p, width, K, alpha, failure=K / math.e, C=1.0)

    slope = (printed(alpha).value - printed(math.sqrt(alpha)).value) / -math.log(alpha)
    assert slope == pytest.approx(2 / (p * (2 ** (p - 1) - 2)))
    assert (slope < 1 / (2 * p)) is undercut
    assert (printed(alpha).value < exact_time(p, start, 2 * math.log(alpha))) is undercut
    assert printed(alpha).met


def test_the_exact_time_used_here_is_the_integral():
    for p in (3.0, 4.0):
        assert exact_time(p, 0.8, math.log(1e-7)) == pytest.approx(
            reduced.alignment_time(0.8, 1 - 1e-7, p) / p, abs=1e-6
        )


def test_at_its_center_a_neuron_gets_the_printed_time_of_its_start():
    # γ = 1 - 1/√2: b1 = 1/√2, √(2γ) = b2 = √(2 - √2) at p = 3; with α = 1 the logarithm is 0.
    b1, b2 = math.sqrt(1 / 2), math.sqrt(2 - math.sqrt(2))

    time = flow.alignment_time_printed(3.0, CENTER_GAP, 4, 1.0, failure=4 / math.e, C=1.0)

    assert flow.start_constants(3.0, CENTER_GAP) == pytest.approx((b1, b2))
    assert time.value == pytest.approx(20 / (3 * b2 * b1))


def test_a_degenerate_start_or_power_two_never_aligns():
    cases = {
        "fine": (3.0, 0.1, 0.1, True),
        "p": (2.0, 0.1, 0.1, False),
        "gap": (3.0, 0.0, 0.1, False),
        "large gap": (3.0, 0.5, 0.1, False),
        "noise": (3.0, 0.1, 1.1, False),
    }
    for name, (p, width, alpha, met) in cases.items():
        time = flow.alignment_time_printed(p, width, 4, alpha, failure=4 / math.e, C=1.0)
        assert time.met is met, name
        assert math.isnan(time.value) == (name in ("p", "gap")), name


def test_a_smaller_gap_takes_longer_and_no_noise_for_ever():
    def time(width, alpha=0.1):
        return flow.alignment_time_printed(3.0, width, 4, alpha, failure=0.1, C=0.1).value

    gaps = np.linspace(1e-4, CENTER_GAP, 20)
    assert (np.diff([time(float(g)) for g in gaps]) < 0).all()
    assert time(0.1, 0.0) == math.inf


@given(p=POWERS, K=st.integers(2, 20), h=st.integers(1, 5000), log_eps=st.floats(-700, -10))
def test_the_network_is_negligible_as_long_as_published(p, K, h, log_eps):
    # Noise-free each neuron grows at rate at most κπ = 1 (theory D11): |f| <= h ε² Wmax² e^{2t}.
    bound = flow.negligible_time(p, K, h, log_eps, largest=1.0)

    output = math.log(h) + 2 * log_eps + 2 * bound.value
    assert bound.met
    assert output <= math.log(2) + log_eps + math.log(h) / 2


def test_the_negligible_time_is_one_where_its_formula_says_so():
    # log 1/(2^{p-1} √h ε) = 2^{p+2} K at p = 3, K = 4, h = 100.
    log_eps = -(128 + math.log(4 * 10))

    assert flow.negligible_time(3.0, 4, 100, log_eps, largest=1.0).value == pytest.approx(1)


@pytest.mark.parametrize(("largest", "met"), [(1.0, True), (2.0, False)])
def test_the_negligible_time_asks_for_a_small_scale(largest, met):
    # ε = 1/(4 √h Wmax²) at √h = 10, Wmax = √2 is 1/80.
    assert flow.negligible_time(3.0, 4, 100, -math.log(80), largest=largest).met is met


@pytest.mark.parametrize("p", [2.5, 3.0, 4.0])
@pytest.mark.parametrize("alpha", [0.3, 1e-2, 1e-6, 1e-30])
def test_the_printed_window_is_empty_at_the_scale_that_the_theorem_asks_for(p, alpha):
    K, h = 5, 50
    scale = 8 * K * math.log(alpha)

    start = flow.alignment_time_printed(p, CENTER_GAP, K, alpha, failure=K / math.e, C=1.0)
    end = flow.negligible_time(p, K, h, scale, largest=1.0)

    assert start.met and end.met
    assert end.value < start.value


MET = {
    "p": 3.0,
    "loss": "half_square",
    "D": 1000,
    "counts": np.array([200, 200]),
    "alpha": 0.1,
    "log_eps": math.log(1e-16),
    "gap": 0.1,
    "constant": 0.1,
    "factor": 10.0,
}


@pytest.mark.parametrize(
    ("change", "unmet"),
    [
        ({}, set()),
        ({"p": 2.0}, {"p > 2"}),
        ({"loss": "exponential"}, {"half_square loss"}),
        ({"counts": np.array([200, 201])}, {"max N_k - min N_k = 0"}),
        ({"D": 9}, {"α² D >= 0.1"}),
        ({"counts": np.array([9, 9])}, {"α² N >= 0.1"}),
        ({"counts": np.array([0, 0])}, {"α² N >= 0.1"}),
        ({"log_eps": math.log(2e-15)}, {"ε within a factor 10 of α^(8K)"}),
        ({"log_eps": math.log(5e-18)}, {"ε within a factor 10 of α^(8K)"}),
        ({"log_eps": math.log(5e-16)}, set()),
        ({"gap": 0.09}, {"gap >= 0.1"}),
        ({"alpha": 0.5, "log_eps": 16 * math.log(0.5)}, {"α² log N <= 1"}),
    ],
)
def test_each_hypothesis_of_theorem_one_fails_alone(change, unmet):
    hypotheses = flow.learning_hypotheses(**(MET | change))

    assert {hypothesis.text for hypothesis in hypotheses if not hypothesis.met} == unmet
    assert all_met(hypotheses) is not bool(unmet)


def test_without_noise_no_scale_is_matched_and_no_sample_enough():
    hypotheses = flow.learning_hypotheses(**(MET | {"alpha": 0.0}))

    unmet = {hypothesis.text for hypothesis in hypotheses if not hypothesis.met}
    assert unmet == {"α² D >= 0.1", "α² N >= 0.1", "ε within a factor 10 of α^(8K)"}


def test_a_run_has_entered_once_its_loss_is_of_order_alpha_to_the_fourth():
    assert flow.fitted(2e-4, 0.1, 2.0).met is True
    assert flow.fitted(2.1e-4, 0.1, 2.0).met is False
    assert flow.fitted(math.nan, 0.1, 2.0).met is None


# Orders.


ORDERS = {
    "span, p = 3": (
        lambda alpha: flow.fitting_span(3.0, alpha, ()),
        {"alpha": ("α", -1.0)},
    ),
    "span, p = 6": (
        lambda alpha: flow.fitting_span(6.0, alpha, ()),
        {"alpha": ("α", -2.0)},
    ),
    "distance": (lambda alpha: flow.learned_distance(alpha, ()), {"alpha": ("α", 2.0)}),
    "error": (
        lambda n, h, eps: flow.early_alignment_error(n, h, math.log(eps), ()),
        {"n": ("n", 1.0), "h": ("h", 0.5), "eps": ("ε", 1.0)},
    ),
    "end": (
        lambda n, h, eps: flow.early_alignment_end(n, h, math.log(eps), ()),
        {"n": ("n", -1.0)},
    ),
    "aligned": (
        lambda n, mu: flow.separable_alignment_time(n, mu, ()),
        {"mu": ("μ", -0.5)},
    ),
}
AT = {"alpha": 0.1, "n": 100, "h": 64, "eps": 1e-9, "mu": 0.04}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_has_the_slopes_it_publishes(name):
    order, slopes = ORDERS[name]
    wanted = {key: AT[key] for key in order.__code__.co_varnames}
    base = order(**wanted)
    for key, (quantity, exponent) in slopes.items():
        more = order(**(wanted | {key: 4 * wanted[key]}))
        slope = math.log(more.value / base.value) / math.log(4)
        assert slope == pytest.approx(exponent)
        assert base.exponents[quantity] == exponent


def test_the_logarithmic_orders_count_decades():
    # Constant 1: ten times smaller α, ε, or ten times more samples, add or multiply by log 10.
    assert flow.fitting_time(1e-3, ()).value == pytest.approx(3 * math.log(10))
    end = flow.early_alignment_end(50, 100, math.log(1e-9), ()).value
    assert end == pytest.approx(8 * math.log(10) / 50)
    aligned = flow.separable_alignment_time(1000, 0.25, ()).value
    assert aligned == pytest.approx(6 * math.log(10))


# ICLR 2024.


@given(n=st.integers(1, 10**5), h=st.integers(1, 10**4), log_eps=st.floats(-400, -20))
def test_the_early_error_is_the_first_output_grown_until_the_end(n, h, log_eps):
    # Residuals start off by |f| <= h ε², felt by n samples, and f grows at most like e^{n t}.
    end = flow.early_alignment_end(n, h, log_eps, ()).value
    error = flow.early_alignment_error(n, h, log_eps, ()).value

    grown = math.log(n * h) + 2 * log_eps + n * end
    assert math.log(error) == pytest.approx(grown, rel=1e-9)


@given(n=st.integers(2, 5000), h=st.integers(1, 10**4), mu=st.floats(1e-3, 1))
def test_the_scale_of_separable_data_lets_alignment_end_in_time(n, h, mu):
    # ε = exp(-(n/√μ) log n)/√h is where the end of early alignment is the alignment time.
    largest = -n * math.log(n) / math.sqrt(mu) - math.log(h) / 2
    aligned = flow.separable_alignment_time(n, mu, ()).value

    assert flow.early_alignment_end(n, h, largest, ()).value == pytest.approx(aligned)
    for log_eps, met in ((largest - 1, True), (largest + 1, False)):
        assert all_met(flow.separable_hypotheses(n, h, mu, log_eps, constant=1.0)) is met


def test_separability_is_refused_when_not_positive_or_unknown():
    for mu in (0.0, -0.1):
        (margin, scale) = flow.separable_hypotheses(10, 4, mu, -1e9, constant=1.0)
        assert (margin.met, scale.met) == (False, None)
        assert math.isnan(flow.separable_alignment_time(10, mu, ()).value)
    assert flow.separable_hypotheses(10, 4, math.nan, -1e9, constant=1.0)[0].met is None


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.2])
def test_a_cone_of_flipped_samples_has_the_cosine_of_its_opening(angle):
    # Samples y v with v within `angle` of an axis: the widest pair is 2·angle apart.
    rng = np.random.default_rng(7)
    turn = np.append(rng.uniform(-angle, angle, 700), [angle, -angle])
    y = rng.choice([-1.0, 1.0], len(turn))
    x = (y * rng.uniform(0.1, 5, len(turn)))[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)

    assert flow.separability(x, y) == pytest.approx(math.cos(2 * angle))


def test_separability_is_the_least_entry_of_the_whole_gram_matrix():
    rng = np.random.default_rng(8)
    for n, planted in ((1, False), (600, False), (2, True), (1100, True)):
        x, y = rng.standard_normal((n, 4)), rng.choice([-1.0, 1.0], n)
        if planted:  # the worst pair comes last
            x[-1] = -2 * y[-1] * y[-2] * x[-2]
        z = x / np.linalg.norm(x, axis=1, keepdims=True)
        gram = np.outer(y, y) * (z @ z.T)
        assert flow.separability(x, y) == pytest.approx(gram.min(), rel=1e-12)


def test_orthonormal_subclasses_are_not_separable():
    # Theory C2: centers give exactly 0, and with noise some pair of samples is on the wrong side.
    label = np.array([1.0, 1.0, -1.0])
    rng = np.random.default_rng(9)
    k = rng.integers(3, size=200)
    x, y = np.eye(3, 20)[k] + 0.1 / np.sqrt(20) * rng.standard_normal((200, 20)), label[k]

    assert flow.separability(np.eye(3, 5), label) == 0
    assert flow.separability(x, y) < 0
    assert math.isnan(flow.separability(np.zeros((2, 3)), np.ones(2)))


@given(loss=st.floats(1e-6, 1), rate=st.floats(1e-3, 10), first=st.floats(0, 100), more=POWERS)
def test_the_late_loss_forgets_where_it_started(loss, rate, first, more):
    # The solution of dL/dt = -a L²: starting again in the middle changes nothing.
    middle = flow.late_loss_bound(5 + first, 5.0, loss, rate).value
    restarted = flow.late_loss_bound(5 + first + more, 5 + first, middle, rate).value
    straight = flow.late_loss_bound(5 + first + more, 5.0, loss, rate)

    assert restarted == pytest.approx(straight.value, rel=1e-12)
    step = 1e-3 / (rate * loss)
    change = flow.late_loss_bound(5 + step, 5.0, loss, rate).value - loss
    assert change / step == pytest.approx(-rate * loss**2, rel=2e-3)
    assert straight.met


def test_the_late_loss_is_about_later_times():
    assert flow.late_loss_bound(4.9, 5.0, 0.1, 1.0).met is False
    assert flow.late_loss_bound(5.0, 5.0, 0.1, 1.0).value == 0.1


@pytest.mark.parametrize(
    ("p", "loss", "log_eps", "met"),
    [
        (1.0, "exponential", math.log(0.099), True),
        (1.0, "logistic", -700.0, True),
        (1.0, "exponential", math.log(0.101), False),
        (1.5, "exponential", -20.0, False),
        (1.0, "half_square", -20.0, False),
    ],
)
def test_early_alignment_is_about_relu_and_a_small_scale(p, loss, log_eps, met):
    # ε <= 1/√h = .1 at h = 100.
    assert all_met(flow.early_hypotheses(p, loss, 100, log_eps, constant=1.0)) is met
