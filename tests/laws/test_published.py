"""Published bounds: never violated by what they are about, and refused where they do not apply."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from gflow.data.centers import Centers
from gflow.laws import hypothesis as asks
from gflow.laws import published, published_flow, reduced
from gflow.laws.hypothesis import CENTER_GAP, Hypothesis, all_met, gap

SAMPLES = 20_000
LEVEL = 1e-6
"""Of a one-sided binomial test: some hundred of them stay silent if the bounds hold."""

MIXTURES = [(3, 1, 1), (6, 2, 2), (8, 3, 1), (12, 6, 4)]
"""(D, K1, K2)"""

POWERS = st.floats(2.05, 6.0)
SEEDS = st.integers(0, 2**32 - 1)


def positive(a):
    return np.maximum(a, 0)


def mixture(rng, D, K1, K2, alpha, n=SAMPLES):
    """Samples about centers e_1..e_K, their labels, subclasses, and the labels of the centers."""
    label = np.where(np.arange(K1 + K2) < K1, 1.0, -1.0)
    k = rng.integers(K1 + K2, size=n)
    return (
        np.eye(K1 + K2, D)[k] + alpha / np.sqrt(D) * rng.standard_normal((n, D)),
        label[k],
        k,
        label,
    )


def average(x, label):
    """F."""
    return sum(s * positive(x[:, : len(label)] @ (label == s)) for s in (1, -1))


def subclass(x, label, p):
    """F^(p)."""
    return positive(x[:, : len(label)]) ** p @ label


def lead(x, y, k, label, p):
    """1 + e_k - ‖[e_opp]₊‖_p: F^(p) survives every perturbation shorter than this over √2.

    y F^(p)(x + d) > 0 if 1 + e_k + d_k exceeds ‖[e_opp + d_opp]₊‖_p <= ‖[e_opp]₊‖_p + ‖d_opp‖_2
    for p >= 2, and ‖d_opp‖_2 - d_k <= √2 ‖d‖.
    """
    opposite = np.where(label != y[:, None], positive(x[:, : len(label)]), 0)
    return x[np.arange(len(x)), k] - np.linalg.norm(opposite, p, axis=1)


def undercut(hits, bound):
    """Whether the share of `hits` is below a lower bound beyond binomial error."""
    bound = min(max(bound, 0), 1)
    return binomtest(int(hits.sum()), hits.size, bound, alternative="less").pvalue < LEVEL


def union_bound(size, D, K, alpha):
    """P(all K noise coordinates are at most `size`) from 2 exp(-size²/(2τ²)) for each."""
    return 1 - 2 * K * math.exp(-(size**2) * D / (2 * alpha**2))


# ICML 2024.


@pytest.mark.parametrize("mixed", MIXTURES)
@pytest.mark.parametrize("alpha", [0.3, 0.6, 1.0, 2.0])
def test_F_classifies_fresh_samples_as_often_as_published(mixed, alpha):
    D, K1, K2 = mixed
    x, y, _, label = mixture(np.random.default_rng(0), D, K1, K2, alpha)

    bound = published.average_clean_accuracy(D, K1 + K2, alpha)

    assert not undercut(average(x, label) * y > 0, bound.value)
    assert bound.met


@pytest.mark.parametrize("mixed", MIXTURES)
@pytest.mark.parametrize("z", [0.5, 1.5, 2.5, 3.5])
def test_one_perturbation_flips_F_as_often_as_published(mixed, z):
    # ρ is z standard deviations √K τ of <noise, μ₊ - μ₋>.
    D, K1, K2 = mixed
    K, alpha = K1 + K2, 0.3
    rho = z * alpha * math.sqrt(K / D)
    x, y, _, label = mixture(np.random.default_rng(1), D, K1, K2, alpha, 5 * SAMPLES)
    x[:, :K] -= (1 + rho) / K * np.outer(y, label)

    bound = published.average_attacked_accuracy(rho, D, K, alpha)

    fooled = average(x, label) * y <= 0
    assert not undercut(fooled, 1 - bound.value)
    assert bound.met


def test_the_attack_on_F_allows_no_constant_above_one_half():
    # P lies between cdf(-z)/2 and cdf(-z), z = ρ√D/(α√K): F survives only if <noise, μ₊ - μ₋>
    # exceeds ρ, and then <x, own sum> has a positive mean.  cdf(-z) is exp(-z²/2) but for a factor
    # algebraic in z.
    D, K, alpha = 50, 6, 0.4
    z = np.array([0.5, 3.0, 10.0, 25.0])
    most = norm.logcdf(-z)

    def bound(C):
        rho = z * alpha * math.sqrt(K / D)
        value = [published.average_attacked_accuracy(r, D, K, alpha, C=C) for r in rho]
        return np.log([v.value for v in value]), [v.met for v in value]

    proved, met = bound(published.AVERAGE_C)
    more, more_met = bound(1.05 * published.AVERAGE_C)
    assert (proved >= most).all() and all(met)
    assert more[-1] < most[-1] - math.log(2) and not any(more_met)


@pytest.mark.parametrize("mixed", MIXTURES)
@pytest.mark.parametrize("p", [2.0, 2.5, 3.0, 6.0])
def test_subclass_classifiers_are_as_accurate_as_published(mixed, p):
    D, K1, K2 = mixed
    for alpha in (0.2, 0.4, 0.8, 1.5):
        x, y, _, label = mixture(np.random.default_rng(2), D, K1, K2, alpha)
        right = subclass(x, label, p) * y > 0

        printed = published.subclass_clean_accuracy(p, D, K1 + K2, alpha)
        derived = published.subclass_clean_accuracy_derived(p, D, K1 + K2, alpha)

        assert printed.value <= derived.value
        assert not undercut(right, derived.value)
        assert (printed.met, derived.met) == (p > 2, True)


@pytest.mark.parametrize("mixed", MIXTURES)
@pytest.mark.parametrize("p", [2.0, 2.5, 3.0, 6.0])
def test_subclass_classifiers_are_as_robust_as_published(mixed, p):
    # What `lead` certifies survives; it is fewer than what survives.
    D, K1, K2 = mixed
    for alpha in (0.05, 0.1, 0.2, 0.4):
        x, y, k, label = mixture(np.random.default_rng(3), D, K1, K2, alpha)
        sure = lead(x, y, k, label, p)
        for slack in (0.2, 0.6, 1.2):
            printed = published.subclass_robust_accuracy(slack, p, D, K1 + K2, alpha=alpha)
            derived = published.subclass_robust_accuracy_derived(slack, p, D, K1 + K2, alpha=alpha)

            survives = sure > math.sqrt(2) * published.robust_radius(slack)
            assert printed.value <= derived.value
            assert not undercut(survives, derived.value)
            assert (printed.met, derived.met) == (p > 2, True)


@given(D=st.integers(2, 500), K=st.integers(2, 30), share=st.floats(0.05, 0.95), p=POWERS)
def test_each_bound_is_the_union_bound_at_its_slack(D, K, share, p):
    # Survival at √2 R = 1 - g needs (1 + √(K-1)) max|e| < g, and 1 + √(K-1) <= K, √(2K).
    alpha, slack = 0.2, share * math.sqrt(2)
    nu = (share * math.sqrt(2) / 8) ** p

    clean = published.subclass_clean_accuracy_derived(p, D, K, alpha).value
    robust = published.subclass_robust_accuracy_derived(slack, p, D, K, alpha=alpha).value
    bayes = published.bayes_robust_accuracy(slack, D, K, alpha).value
    nearby = published.nearby_robust_accuracy(nu, p, D, K, alpha=alpha, degree=1.0).value

    printed = published.subclass_robust_accuracy(slack, p, D, K, alpha=alpha).value

    near = pytest.approx
    assert 1 - printed == near((1 - robust) * (K + 1) / K)
    assert clean == near(union_bound(1 / math.sqrt(2 * K), D, K, alpha))
    assert robust == near(union_bound(slack / (math.sqrt(2) * K), D, K, alpha))
    assert bayes == near(union_bound(slack / (4 * math.sqrt(2)), D, K, alpha))
    far = 4 * math.exp(-3 / (8 * alpha**2))
    assert nearby == near(union_bound(nu ** (1 / p) / K, D, K, alpha) - far)


@given(
    D=st.integers(2, 500), K=st.integers(2, 30), slack=st.floats(0.05, 1.4), C=st.floats(0.05, 2)
)
def test_a_universal_constant_stands_in_the_exponent(D, K, slack, C):
    # Twice the constant squares the tail, whose prefactor is 2, 2 or 2(K+1).
    alpha = math.sqrt(D / K) / 2
    tails = {
        lambda C: 1 - published.average_clean_accuracy(D, K, alpha, C).value: 2,
        lambda C: published.average_attacked_accuracy(slack, D, K, alpha, C=C).value: 2,
        lambda C: 1 - published.subclass_clean_accuracy(3.0, D, K, alpha, C=C).value: 2 * (K + 1),
        lambda C: (
            1 - published.subclass_robust_accuracy(slack, 3.0, D, K, alpha=alpha, C=C).value
        ): (2 * (K + 1)),
    }
    for tail, prefactor in tails.items():
        assert tail(2 * C) * prefactor == pytest.approx(tail(C) ** 2, rel=1e-9)


@given(D=st.integers(2, 500), K=st.integers(2, 30), alpha=st.floats(0.01, 3))
def test_the_clean_bound_of_F_is_two_gaussian_tails_at_one_half(D, K, alpha):
    # F errs only if <noise, μ₊> or <noise, μ₋>, of deviation at most √K τ, exceeds 1/2.
    tail = math.exp(-((0.5 / (math.sqrt(K / D) * alpha)) ** 2) / 2)

    assert published.average_clean_accuracy(D, K, alpha).value == pytest.approx(1 - 2 * tail)


@given(
    D=st.integers(2, 500),
    K=st.integers(2, 30),
    alpha=st.floats(0.05, 2),
    C=st.floats(0.01, 1),
    more=st.floats(1, 3),
)
def test_bounds_improve_with_dimension_and_worsen_with_noise(D, K, alpha, C, more):
    lower = [
        lambda D, alpha: published.average_clean_accuracy(D, K, alpha, C).value,
        lambda D, alpha: -published.average_attacked_accuracy(0.5, D, K, alpha, C=C).value,
        lambda D, alpha: published.subclass_clean_accuracy(3.0, D, K, alpha, C=C).value,
        lambda D, alpha: published.subclass_robust_accuracy(0.5, 3.0, D, K, alpha=alpha, C=C).value,
        lambda D, alpha: published.bayes_robust_accuracy(0.5, D, K, alpha).value,
        lambda D, alpha: (
            published.nearby_robust_accuracy(1e-3, 3.0, D, K, alpha=alpha, degree=1.0).value
        ),
    ]
    for bound in lower:
        assert bound(2 * D, alpha) >= bound(D, alpha) >= bound(D, more * alpha)


def test_without_noise_every_bound_is_certain():
    assert published.average_clean_accuracy(9, 4, 0.0).value == 1
    assert published.average_attacked_accuracy(0.1, 9, 4, 0.0).value == 0
    assert published.subclass_robust_accuracy(0.1, 3.0, 9, 4, alpha=0.0).value == 1
    assert published.nearby_robust_accuracy(1e-3, 3.0, 9, 4, alpha=1e-200, degree=1.0).value == 1


@pytest.mark.parametrize(
    ("slack", "met"), [(0.0, False), (0.1, True), (1.41, True), (math.sqrt(2), False)]
)
def test_the_robust_bound_is_about_radii_between_zero_and_the_critical_one(slack, met):
    assert published.subclass_robust_accuracy(slack, 3.0, 9, 4, alpha=0.1).met is met
    assert (0 < published.robust_radius(slack) < 1 / math.sqrt(2)) is met


def test_the_attack_on_F_needs_a_positive_excess():
    assert published.average_attacked_accuracy(0.0, 9, 4, 0.1).met is False
    assert published.average_attacked_accuracy(1e-9, 9, 4, 0.1).met is True


# ICML 2025: accuracy.


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, K1=st.integers(1, 5), K2=st.integers(1, 5))
def test_no_classifier_is_right_about_two_classes_at_a_midpoint(seed, K1, K2):
    # Samples of one noise about μ_k and μ_l both reach the midpoint with √2/2, and one is wrong
    # there.  So of K samples with one noise at most max(K1, K2) survive, whatever f.
    rng = np.random.default_rng(seed)
    K, D, n = K1 + K2, K1 + K2 + 2, 200
    label = np.where(np.arange(K) < K1, 1, -1)
    noise = 0.3 * rng.standard_normal((n, 1, 1, D))
    middle = noise + (np.eye(K, D)[:, None] + np.eye(K, D)) / 2
    w, v = rng.standard_normal((20, D)), rng.standard_normal(20)
    right = positive(middle @ w.T) @ v * label[:, None] > 0

    opposite = label[:, None] != label
    survives = (right | ~opposite).all(axis=2).mean(axis=1)

    assert survives.max() <= published.any_robust_accuracy(K1, K2).value + 1e-15


@pytest.mark.parametrize(("K1", "K2"), [(6, 4), (1, 3), (5, 5)])
def test_a_constant_classifier_reaches_the_limit_of_all(K1, K2):
    label = np.where(np.arange(K1 + K2) < K1, 1, -1)
    share = max((label == s).mean() for s in (1, -1))

    assert published.any_robust_accuracy(K1, K2).value == pytest.approx(share)


@pytest.mark.parametrize("mixed", MIXTURES)
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2, 0.4])
def test_the_bayes_classifier_is_as_robust_as_published(mixed, alpha):
    # f* survives if x_k leads max_opp x_l by more than τ² log K_opp + √2 R, as logsumexp is at
    # most the maximum plus the log of the number of terms.
    D, K1, K2 = mixed
    x, y, k, label = mixture(np.random.default_rng(4), D, K1, K2, alpha)
    others = np.where(label != y[:, None], x[:, : len(label)], -np.inf).max(axis=1)
    count = np.where(y > 0, K2, K1)
    sure = x[np.arange(len(x)), k] - others - alpha**2 / D * np.log(count)
    for nu in (0.3, 0.8, 1.3):
        bound = published.bayes_robust_accuracy(nu, D, K1 + K2, alpha)

        assert bound.met
        assert not undercut(sure > math.sqrt(2) * published.robust_radius(nu), bound.value)


def test_the_range_of_the_bayes_bound_depends_on_the_noise():
    # 2√2 α² log K/D = .1 at α² = .1 D/(2√2 log K).
    D, K = 40, 10
    alpha = math.sqrt(0.1 * D / (2 * math.sqrt(2) * math.log(K)))

    assert published.bayes_robust_accuracy(0.11, D, K, alpha).met is True
    assert published.bayes_robust_accuracy(0.09, D, K, alpha).met is False
    assert published.bayes_robust_accuracy(1.42, D, K, alpha).met is False


@pytest.mark.parametrize("mixed", MIXTURES)
@pytest.mark.parametrize("p", [2.5, 3.0, 5.0])
def test_functions_of_degree_p_near_F_p_are_as_robust_as_published_for_degree_one(mixed, p):
    # Theory T4, G3: y c f(x + d) >= g^p - ν (‖x‖ + R)^p with g = lead - √2 R.
    D, K1, K2 = mixed
    for alpha in (0.02, 0.05, 0.1, 0.3):
        x, y, k, label = mixture(np.random.default_rng(5), D, K1, K2, alpha)
        sure, length = lead(x, y, k, label, p), np.linalg.norm(x, axis=1)
        for root in (0.02, 0.1, 0.17):
            bound = published.nearby_robust_accuracy(root**p, p, D, K1 + K2, alpha=alpha, degree=p)
            radius = published.robust_radius(8 * root)

            g = sure - math.sqrt(2) * radius
            assert not undercut(g > root * (length + radius), bound.value)
            assert bound.met is False


def test_only_functions_of_degree_one_meet_proposition_three():
    assert published.nearby_robust_accuracy(1e-3, 3.0, 9, 4, alpha=0.1, degree=1.0).met is True
    assert published.nearby_robust_accuracy(1e-3, 3.0, 9, 4, alpha=0.1, degree=3.0).met is False
    assert published.nearby_robust_accuracy(1e-3, 2.0, 9, 4, alpha=0.1, degree=1.0).met is False
    assert published.nearby_robust_accuracy(0.0, 3.0, 9, 4, alpha=0.1, degree=1.0).met is False
    largest = (math.sqrt(2) / 8) ** 3
    assert (
        published.nearby_robust_accuracy(0.99 * largest, 3.0, 9, 4, alpha=0.1, degree=1.0).met
        is True
    )
    assert (
        published.nearby_robust_accuracy(1.01 * largest, 3.0, 9, 4, alpha=0.1, degree=1.0).met
        is False
    )


# ICML 2025: Lemma 17.


def network_error(x, u, m, s, label, p):
    return np.abs(positive(x @ u.T) ** p @ (s * m) - subclass(x, label, p)).max()


def near_centers(rng, K, D, tilt):
    """Neurons about every center, and the inputs at which their tilts are felt most."""
    k = np.repeat(np.arange(K), rng.integers(1, 4, K))
    aside = rng.standard_normal((len(k), D))
    u = np.eye(K, D)[k] + tilt * rng.uniform(size=(len(k), 1)) * aside
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    cosine = u[np.arange(len(k)), k]
    e = u - cosine[:, None] * np.eye(K, D)[k]
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    phi = np.linspace(-np.pi / 2, np.pi / 2, 61)[:, None, None]
    x = np.cos(phi) * np.eye(K, D)[k] + np.sin(phi) * e
    return k, u, cosine, x.reshape(-1, D)


@settings(max_examples=100, deadline=None)
@given(
    seed=SEEDS, p=st.sampled_from([1.0, 1.5, 2.0, 3.0, 4.0]), tilt=st.sampled_from([1e-3, 0.03, 1])
)
def test_the_corrected_lemma_17_is_never_violated(seed, p, tilt):
    rng = np.random.default_rng(seed)
    K, D = int(rng.integers(1, 5)), 6
    label = rng.choice([-1.0, 1.0], K)
    k, u, cosine, x = near_centers(rng, K, D, tilt)
    m = rng.uniform(0.5, 1, len(k))
    m *= (1 + rng.choice([0, 0.1]) * rng.uniform(-1, 1, K))[k] / np.bincount(k, m)[k]
    void = rng.standard_normal((2, D))
    void /= np.linalg.norm(void, axis=1, keepdims=True)
    rest = rng.choice([0, 0.02]) * rng.uniform(size=2)
    points = np.concatenate([x, void, rng.standard_normal((300, D))])
    points /= np.linalg.norm(points, axis=1, keepdims=True)

    bound = published_flow.aligned_distance_corrected(
        p,
        K,
        1 - float(cosine.min()),
        float(np.abs(np.bincount(k, m) - 1).max()),
        void=float(rest.sum()),
    )

    # 1 - cos is right to 1e-16, so √(2δ) to 1.5e-8, and its factor is at most 66.
    everything = np.concatenate([u, void]), np.concatenate([m, rest])
    sign = np.concatenate([label[k], rng.choice([-1, 1], 2)])
    assert network_error(points, *everything, sign, label, p) <= bound.value + 1e-6
    assert bound.met


def test_one_tilted_neuron_violates_lemma_17_as_printed():
    # Theory T1: the input cos φ μ + sin φ e, tan φ = 1/√2, sees L_3·.01 = .0115 to first order.
    tilt, p, K = 0.01, 3.0, 10
    label = np.where(np.arange(K) < 6, 1.0, -1.0)
    u = np.eye(K, K + 1)
    u[0, [0, -1]] = math.cos(tilt), math.sin(tilt)
    x = np.zeros((1, K + 1))
    x[0, [0, -1]] = math.sqrt(2 / 3), math.sqrt(1 / 3)

    printed = published_flow.aligned_distance_printed(p, K, 1 - math.cos(tilt), 0.0, void=0.0).value
    corrected = published_flow.aligned_distance_corrected(
        p, K, 1 - math.cos(tilt), 0.0, void=0.0
    ).value

    sup = network_error(x, u, np.ones(K), label, label, p)
    assert sup == pytest.approx(0.0115, abs=1e-4)
    assert printed == pytest.approx(K * (2**p - 1) * tilt**2, rel=tilt**2)
    assert printed == pytest.approx(0.0070, abs=1e-4)
    assert printed < sup <= corrected
    assert corrected == pytest.approx(K * (2**p - 1) * tilt, rel=tilt**2)


@given(
    slack=st.floats(0, 0.5), nu=st.floats(0, 1), void=st.floats(0, 1), p=POWERS, K=st.integers(1, 9)
)
def test_mass_errors_enter_both_forms_of_lemma_17_alike(slack, nu, void, p, K):
    printed = published_flow.aligned_distance_printed(p, K, slack, nu, void=void).value
    corrected = published_flow.aligned_distance_corrected(p, K, slack, nu, void=void).value

    assert K * nu + void <= printed <= corrected * (1 + 1e-12)
    assert corrected - K * nu - void == pytest.approx(
        (1 + nu) * published_flow.aligned_distance_corrected(p, K, slack, 0.0, void=0.0).value,
        abs=1e-9,
    )


# ICML 2025: the gap.


def cell(u, own):
    """Winner among own coordinates, -1 in the void cell."""
    return np.where(u[..., own].max(axis=-1) > 0, u[..., own].argmax(axis=-1), -1)


def sampled_gap(u, own, rays):
    """1 - cos to the boundary of the cell of u on the sphere in three dimensions, by bisection.

    A cell is convex, so a great circle from u leaves it once before it reaches -u.
    """
    frame = np.linalg.svd(u[None])[2][1:]
    angle = np.linspace(0, 2 * np.pi, rays, endpoint=False)
    aside = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ frame
    low, high = np.zeros(rays), np.full(rays, np.pi)
    for _ in range(55):
        t = (low + high) / 2
        inside = cell(np.cos(t)[:, None] * u + np.sin(t)[:, None] * aside, own) == cell(u, own)
        low, high = np.where(inside, t, low), np.where(inside, high, t)
    return 2 * np.sin(low.min() / 2) ** 2


@pytest.mark.parametrize("label", [[1], [1, 1], [1, -1], [1, 1, 1], [1, 1, -1], [-1, 1, -1]])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_gap_is_the_distance_to_the_sampled_boundary(label, sign):
    # The nearest of m rays is at most π/m off the shortest way, which costs a share (π/m)².
    label, rays = np.array(label), 1000
    own = np.flatnonzero(label == sign)
    rng = np.random.default_rng(len(label))
    for u in rng.standard_normal((20, 3)):
        u /= np.linalg.norm(u)
        found = gap(u[None, : len(label)], np.array([sign]), label)
        expected = sampled_gap(u, own, rays) if own.size else 1.0

        assert found <= expected + 1e-12
        assert expected <= found * (1 + (np.pi / rays) ** 2) + 1e-12


@settings(deadline=None)
@given(seed=SEEDS, K=st.integers(1, 6), h=st.integers(1, 8))
def test_the_gap_knows_neither_order_nor_class_names_and_takes_the_least(seed, K, h):
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((h, K + 3))
    u = u[:, :K] / np.linalg.norm(u, axis=1, keepdims=True)
    sign, label, turn = rng.choice([-1, 1], h), rng.choice([-1, 1], K), rng.permutation(K)

    found = gap(u, sign, label)

    assert found == gap(u[:, turn], sign, label[turn]) == gap(u, -sign, -label)
    assert found == min(gap(u[[j]], sign[[j]], label) for j in range(h))
    assert 0 <= found <= 1


def test_a_center_is_45_degrees_from_its_boundary_and_the_boundary_itself_none():
    two, one = np.array([1, 1, -1]), np.array([1])
    half, lean = math.sqrt(0.5), np.pi / 8

    def at(u, label, sign=1):
        return gap(np.array([u]), np.array([sign]), label)

    assert at([1.0, 0, 0], two) == pytest.approx(CENTER_GAP, rel=1e-12)
    assert at([0, 0, 1.0], two, -1) == at([1.0], one) == 1
    # Farthest from both u_1 = 0 and u_1 = u_2, 135 degrees apart, is the line between them.
    assert at([np.cos(lean), -np.sin(lean), 0], two) == pytest.approx(1 - np.sin(lean))
    assert at([half, half, 0], two) == at([0, -0.6, 0.8], two) == 0
    # Both coordinates -b of a void neuron: 1 - √(1 - b²) is as exact for tiny b as for large.
    assert at([-1e-9, -1e-9, 1.0], two) == pytest.approx(5e-19, rel=1e-9, abs=0)


def test_a_random_start_has_a_gap_of_order_one_over_dimension():
    # b <= max_k |u_k| and E Σ u_k² = K/D, so the mean of 1 - √(1-b²) <= b² is at most K/D.
    rng, K, h = np.random.default_rng(6), 4, 1000
    label, sign = np.array([1, 1, -1, -1]), rng.choice([-1, 1], h)
    for D in (30, 300, 3000):
        u = rng.standard_normal((h, K)) / np.sqrt(rng.chisquare(D, (h, 1)))
        each = np.array([gap(u[[j]], sign[[j]], label) for j in range(h)])
        assert each.mean() < K / D
        assert asks.gap_of_order_one(gap(u, sign, label), 1e-2).met is False
    assert asks.gap_of_order_one(CENTER_GAP, 1e-2).met is True


@settings(deadline=None)
@given(seed=SEEDS, K=st.integers(2, 6), p=POWERS, near=st.floats(0, 1))
def test_a_gap_bounds_the_winning_cosine_and_its_lead(seed, K, p, near):
    rng = np.random.default_rng(seed)
    u = rng.standard_normal(K + 2) * (1 - near) / math.sqrt(K) + near * np.eye(K + 2)[0]
    u = np.abs(u) * rng.choice([1, 1, -1], K + 2)
    u[0] = abs(u[0])
    u /= np.linalg.norm(u)
    found = gap(u[None, :K], np.ones(1), np.ones(K))
    assume(0 < found <= CENTER_GAP)

    b1, b2 = published_flow.start_constants(p, found)

    second, winner = np.sort(u[:K])[-2:]
    assert winner >= b1 * (1 - 1e-12)
    assert (max(second, 0) / winner) ** (p - 2) <= 1 - b2 + 1e-12


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
    found = gap(np.array([[start, 0.0]]), np.ones(1), np.ones(2))

    def printed(alpha):
        return published_flow.alignment_time_printed(p, found, K, alpha, failure=K / math.e, C=1.0)

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

    time = published_flow.alignment_time_printed(3.0, CENTER_GAP, 4, 1.0, failure=4 / math.e, C=1.0)

    assert published_flow.start_constants(3.0, CENTER_GAP) == pytest.approx((b1, b2))
    assert time.value == pytest.approx(20 / (3 * b2 * b1))


def test_a_degenerate_start_or_power_two_never_aligns():
    cases = {
        "fine": (3.0, 0.1, 0.1, True),
        "p": (2.0, 0.1, 0.1, False),
        "gap": (3.0, 0.0, 0.1, False),
        "large gap": (3.0, 0.5, 0.1, False),
        "noise": (3.0, 0.1, 1.1, False),
    }
    for name, (p, found, alpha, met) in cases.items():
        time = published_flow.alignment_time_printed(p, found, 4, alpha, failure=4 / math.e, C=1.0)
        assert time.met is met, name
        assert math.isnan(time.value) == (name in ("p", "gap")), name


def test_a_smaller_gap_takes_longer_and_no_noise_for_ever():
    def time(found, alpha=0.1):
        return published_flow.alignment_time_printed(3.0, found, 4, alpha, failure=0.1, C=0.1).value

    gaps = np.linspace(1e-4, CENTER_GAP, 20)
    assert (np.diff([time(float(g)) for g in gaps]) < 0).all()
    assert time(0.1, 0.0) == math.inf


@given(p=POWERS, K=st.integers(2, 20), h=st.integers(1, 5000), log_eps=st.floats(-700, -10))
def test_the_network_is_negligible_as_long_as_published(p, K, h, log_eps):
    # Noise-free each neuron grows at rate at most κπ = 1 (theory D11): |f| <= h ε² Wmax² e^{2t}.
    bound = published_flow.negligible_time(p, K, h, log_eps, largest=1.0)

    output = math.log(h) + 2 * log_eps + 2 * bound.value
    assert bound.met
    assert output <= math.log(2) + log_eps + math.log(h) / 2


def test_the_negligible_time_is_one_where_its_formula_says_so():
    # log 1/(2^{p-1} √h ε) = 2^{p+2} K at p = 3, K = 4, h = 100.
    log_eps = -(128 + math.log(4 * 10))

    assert published_flow.negligible_time(3.0, 4, 100, log_eps, largest=1.0).value == pytest.approx(
        1
    )


@pytest.mark.parametrize(("largest", "met"), [(1.0, True), (2.0, False)])
def test_the_negligible_time_asks_for_a_small_scale(largest, met):
    # ε = 1/(4 √h Wmax²) at √h = 10, Wmax = √2 is 1/80.
    assert published_flow.negligible_time(3.0, 4, 100, -math.log(80), largest=largest).met is met


@pytest.mark.parametrize("p", [2.5, 3.0, 4.0])
@pytest.mark.parametrize("alpha", [0.3, 1e-2, 1e-6, 1e-30])
def test_the_printed_window_is_empty_at_the_scale_that_the_theorem_asks_for(p, alpha):
    K, h = 5, 50
    scale = 8 * K * math.log(alpha)

    start = published_flow.alignment_time_printed(
        p, CENTER_GAP, K, alpha, failure=K / math.e, C=1.0
    )
    end = published_flow.negligible_time(p, K, h, scale, largest=1.0)

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
        ({"loss": "exponential"}, {"loss is half_square"}),
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
    found = published_flow.learning_hypotheses(**(MET | change))

    assert {hypothesis.text for hypothesis in found if not hypothesis.met} == unmet
    assert all_met(found) is not bool(unmet)


def test_without_noise_no_scale_is_matched_and_no_sample_enough():
    found = published_flow.learning_hypotheses(**(MET | {"alpha": 0.0}))

    unmet = {hypothesis.text for hypothesis in found if not hypothesis.met}
    assert unmet == {"α² D >= 0.1", "α² N >= 0.1", "ε within a factor 10 of α^(8K)"}


def test_a_run_has_entered_once_its_loss_is_of_order_alpha_to_the_fourth():
    assert published_flow.fitted(2e-4, 0.1, 2.0).met is True
    assert published_flow.fitted(2.1e-4, 0.1, 2.0).met is False
    assert published_flow.fitted(math.nan, 0.1, 2.0).met is None


# Orders.


ORDERS = {
    "span, p = 3": (
        lambda alpha: published_flow.fitting_span(3.0, alpha, ()),
        {"alpha": ("α", -1.0)},
    ),
    "span, p = 6": (
        lambda alpha: published_flow.fitting_span(6.0, alpha, ()),
        {"alpha": ("α", -2.0)},
    ),
    "distance": (lambda alpha: published_flow.learned_distance(alpha, ()), {"alpha": ("α", 2.0)}),
    "error": (
        lambda n, h, eps: published_flow.early_alignment_error(n, h, math.log(eps), ()),
        {"n": ("n", 1.0), "h": ("h", 0.5), "eps": ("ε", 1.0)},
    ),
    "end": (
        lambda n, h, eps: published_flow.early_alignment_end(n, h, math.log(eps), ()),
        {"n": ("n", -1.0)},
    ),
    "aligned": (
        lambda n, mu: published_flow.separable_alignment_time(n, mu, ()),
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
    assert published_flow.fitting_time(1e-3, ()).value == pytest.approx(3 * math.log(10))
    end = published_flow.early_alignment_end(50, 100, math.log(1e-9), ()).value
    assert end == pytest.approx(8 * math.log(10) / 50)
    aligned = published_flow.separable_alignment_time(1000, 0.25, ()).value
    assert aligned == pytest.approx(6 * math.log(10))


# ICLR 2024.


@given(n=st.integers(1, 10**5), h=st.integers(1, 10**4), log_eps=st.floats(-400, -20))
def test_the_early_error_is_the_first_output_grown_until_the_end(n, h, log_eps):
    # Residuals start off by |f| <= h ε², felt by n samples, and f grows at most like e^{n t}.
    end = published_flow.early_alignment_end(n, h, log_eps, ()).value
    error = published_flow.early_alignment_error(n, h, log_eps, ()).value

    grown = math.log(n * h) + 2 * log_eps + n * end
    assert math.log(error) == pytest.approx(grown, rel=1e-9)


@given(n=st.integers(2, 5000), h=st.integers(1, 10**4), mu=st.floats(1e-3, 1))
def test_the_scale_of_separable_data_lets_alignment_end_in_time(n, h, mu):
    # ε = exp(-(n/√μ) log n)/√h is where the end of early alignment is the alignment time.
    largest = -n * math.log(n) / math.sqrt(mu) - math.log(h) / 2
    aligned = published_flow.separable_alignment_time(n, mu, ()).value

    assert published_flow.early_alignment_end(n, h, largest, ()).value == pytest.approx(aligned)
    for log_eps, met in ((largest - 1, True), (largest + 1, False)):
        assert all_met(published_flow.separable_hypotheses(n, h, mu, log_eps, constant=1.0)) is met


def test_separability_is_refused_when_not_positive_or_unknown():
    for mu in (0.0, -0.1):
        (margin, scale) = published_flow.separable_hypotheses(10, 4, mu, -1e9, constant=1.0)
        assert (margin.met, scale.met) == (False, None)
        assert math.isnan(published_flow.separable_alignment_time(10, mu, ()).value)
    assert published_flow.separable_hypotheses(10, 4, math.nan, -1e9, constant=1.0)[0].met is None


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.2])
def test_a_cone_of_flipped_samples_has_the_cosine_of_its_opening(angle):
    # Samples y v with v within `angle` of an axis: the widest pair is 2·angle apart.
    rng = np.random.default_rng(7)
    turn = np.append(rng.uniform(-angle, angle, 700), [angle, -angle])
    y = rng.choice([-1.0, 1.0], len(turn))
    x = (y * rng.uniform(0.1, 5, len(turn)))[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)

    assert published_flow.separability(x, y) == pytest.approx(math.cos(2 * angle))


def test_separability_is_the_least_entry_of_the_whole_gram_matrix():
    rng = np.random.default_rng(8)
    for n, planted in ((1, False), (600, False), (2, True), (1100, True)):
        x, y = rng.standard_normal((n, 4)), rng.choice([-1.0, 1.0], n)
        if planted:  # the worst pair comes last
            x[-1] = -2 * y[-1] * y[-2] * x[-2]
        z = x / np.linalg.norm(x, axis=1, keepdims=True)
        gram = np.outer(y, y) * (z @ z.T)
        assert published_flow.separability(x, y) == pytest.approx(gram.min(), rel=1e-12)


def test_orthonormal_subclasses_are_not_separable():
    # Theory C2: centers give exactly 0, and with noise some pair of samples is on the wrong side.
    label = np.array([1.0, 1.0, -1.0])
    x, y, _, _ = mixture(np.random.default_rng(9), 20, 2, 1, 0.1, 200)

    assert published_flow.separability(np.eye(3, 5), label) == 0
    assert published_flow.separability(x, y) < 0
    assert math.isnan(published_flow.separability(np.zeros((2, 3)), np.ones(2)))


@given(loss=st.floats(1e-6, 1), rate=st.floats(1e-3, 10), first=st.floats(0, 100), more=POWERS)
def test_the_late_loss_forgets_where_it_started(loss, rate, first, more):
    # The solution of dL/dt = -a L²: starting again in the middle changes nothing.
    middle = published_flow.late_loss_bound(5 + first, 5.0, loss, rate).value
    restarted = published_flow.late_loss_bound(5 + first + more, 5 + first, middle, rate).value
    straight = published_flow.late_loss_bound(5 + first + more, 5.0, loss, rate)

    assert restarted == pytest.approx(straight.value, rel=1e-12)
    step = 1e-3 / (rate * loss)
    change = published_flow.late_loss_bound(5 + step, 5.0, loss, rate).value - loss
    assert change / step == pytest.approx(-rate * loss**2, rel=2e-3)
    assert straight.met


def test_the_late_loss_is_about_later_times():
    assert published_flow.late_loss_bound(4.9, 5.0, 0.1, 1.0).met is False
    assert published_flow.late_loss_bound(5.0, 5.0, 0.1, 1.0).value == 0.1


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
    assert all_met(published_flow.early_hypotheses(p, loss, 100, log_eps, constant=1.0)) is met


# Hypotheses.


def test_a_hypothesis_says_what_was_measured():
    hypothesis = Hypothesis.that("α² N", 0.25, ">=", 1)

    assert hypothesis == Hypothesis("α² N >= 1", "0.25", False)
    assert str(hypothesis) == "α² N >= 1: 0.25, not met"
    assert str(Hypothesis.that("p", 3, ">", 2)) == "p > 2: 3, met"
    assert str(Hypothesis.that("ν", math.nan, "<=", 4, written="2²")) == (
        "ν <= 2² = 4: nan, not decided"
    )
    assert str(Hypothesis.whether("two classes", False)) == "two classes: no, not met"


@pytest.mark.parametrize(
    ("relation", "below", "equal", "above"),
    [
        ("<", True, False, False),
        ("<=", True, True, False),
        ("=", False, True, False),
        (">=", False, True, True),
        (">", False, False, True),
    ],
)
def test_a_relation_means_what_it_says(relation, below, equal, above):
    found = [Hypothesis.that("a", a, relation, 2).met for a in (1, 2, 3)]

    assert found == [below, equal, above]
    assert Hypothesis.that("a", math.nan, relation, 2).met is None
    assert Hypothesis.that("a", 1, relation, math.nan).met is None


def test_one_unmet_hypothesis_outweighs_an_undecided_one():
    yes, no, open_ = (Hypothesis.that("a", a, "<", 2) for a in (1, 3, math.nan))

    assert all_met(()) is all_met((yes,)) is True
    assert all_met((yes, open_)) is None
    assert all_met((open_, no)) is all_met((yes, no)) is False


def test_a_published_statement_prints_its_value_and_every_hypothesis():
    bound = published.bayes_robust_accuracy(2.0, 40, 10, 0.1)
    order = published_flow.learned_distance(0.1, bound.hypotheses)

    text = str(bound).splitlines()
    assert text[0] == f"{bound.value:.4g}"
    assert [line.strip() for line in text[1:]] == [str(h) for h in bound.hypotheses]
    assert str(order).startswith("of order 0.01\n")
    assert "ν <= √2 = 1.414: 2, not met" in str(bound)


def test_centers_off_by_more_than_rounding_are_not_orthonormal():
    label = np.array([1, -1])

    assert asks.orthonormal_centers(Centers(np.eye(2, 4), label, "given")).met is True
    bent = np.eye(2, 4) + 1e-6
    assert asks.orthonormal_centers(Centers(bent, label, "given")).met is False


def test_a_start_is_balanced_if_every_neuron_is():
    norm_ = np.log([1e-12, 2.0, 3.0]) - 600
    off = norm_ + np.array([0, 1e-3, 0])
    dead = norm_ - np.array([0, np.inf, 0])

    assert asks.balanced_start(norm_, norm_).met is True
    assert asks.balanced_start(norm_, off).measured == f"{math.expm1(2e-3):.4g}"
    assert asks.balanced_start(norm_, off).met is False
    assert asks.balanced_start(norm_, dead).met is False
    assert asks.balanced_start(dead, dead).met is None


def test_a_cell_counts_only_neurons_of_its_class_that_won_it():
    label = np.array([1, 1, -1])
    u = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.9, 0.0, 0.1], [-0.5, -0.5, 0.7]])

    def occupied(sign, rows=(0, 1, 2, 3)):
        return asks.occupied_cells(u[list(rows)], np.array(sign), label)

    assert occupied([1, 1, -1, 1]).met is True
    assert occupied([1, 1, 1, 1]).met is False  # the last is void, and μ_3 has no neuron
    assert occupied([1, 1, 1, -1]).met is True
    assert occupied([1, 1, -1, -1]).measured == "1"
    assert occupied([1, -1], (0, 2)).met is False
    assert occupied([1, 1, -1], (1, 3, 2)).met is False  # only the void one is closest to μ_1
