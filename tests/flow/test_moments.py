"""Moments of a rectified Gaussian, and what blurred subclasses do to neurons in expectation."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma, pbdv
from systems import polar, system

from gflow.data.centers import Centers
from gflow.data.mixture import sample_mixture
from gflow.flow.closed_form import closed_form
from gflow.flow.losses import LOSSES
from gflow.flow.moments import gauss_moment, gauss_moments
from gflow.flow.pull import tangent
from gflow.flow.subclasses import Subclasses

WHOLE = 1e-12
"""Relative accuracy at whole p and |b| <= 20: exp(-b²/2) alone rounds to b² · 2e-16."""

BROKEN = 1e-11
"""Relative accuracy at other p, where the integrand has a broken power at 0."""

CYLINDER = 2e-9
"""Relative accuracy of scipy's parabolic cylinder function at broken order, worst near b = -6."""


def _moment(p, a, tau):
    a = np.asarray(a, float)
    return np.asarray(gauss_moment(p, jnp.asarray(a), jnp.full(a.shape, tau)))


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0])
def test_moments_keep_their_digits_on_both_sides(p):
    # M_p = τ^p Γ(p+1)/√(2π) e^{-b²/4} D_{-p-1}(-b), theory D4.
    b = np.linspace(-20, 20, 81)

    for tau in (1e-4, 1e-2, 3.0):
        moments = _moment(p, b * tau, tau) / tau**p

        cylinder = np.array([pbdv(-p - 1, -v)[0] for v in b])
        expected = gamma(p + 1) / np.sqrt(2 * np.pi) * np.exp(-(b**2) / 4) * cylinder
        assert np.abs(moments / expected - 1).max() < (WHOLE if p == int(p) else CYLINDER)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0, 2.7, 3.0])
def test_moments_are_the_integrals_they_stand_for(p):
    # In t = s·max(1, |b|) for b < 0, so that scipy sees an integrand of width 1.
    b = np.array([-20.0, -6.0, -1.0, 0.0, 0.7, 9.0, 12.0])

    moments = _moment(p, b, 1.0)

    for value, v in zip(moments, b, strict=True):
        scale = max(1.0, -v)
        peak = -v * v / 2 if v < 0 else 0.0

        def integrand(t, v=v, scale=scale, peak=peak):
            return np.exp(-((t / scale - v) ** 2) / 2 - peak)

        cuts = [0.0, 1.0, 45.0] if v < 2 else [0.0, 1.0, v, v + 12]
        first = quad(integrand, *cuts[:2], epsabs=0, epsrel=1e-13, weight="alg", wvar=(p, 0))[0]
        later = sum(
            quad(lambda t, f=integrand: t**p * f(t), *ends, epsabs=1e-16, epsrel=1e-13, limit=200)[
                0
            ]
            for ends in pairwise(cuts[1:])
        )
        expected = (first + later) * np.exp(peak) / scale ** (p + 1) / np.sqrt(2 * np.pi)
        assert value == pytest.approx(expected, rel=WHOLE if p == int(p) else BROKEN)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_a_moment_grows_by_p_times_the_one_before(p):
    x, w = np.polynomial.legendre.leggauss(20)
    tau = 1e-3
    for b in (-15.0, -2.0, 0.0, 3.0, 11.0):
        nodes = tau * (b + (x + 1) / 4)

        gain = np.diff(_moment(p, tau * np.array([b, b + 0.5]), tau))[0]

        slope = p * w @ _moment(p - 1, nodes, tau) * tau / 4
        # The difference of two moments loses the digits they share.
        shared = _moment(p, [tau * (b + 0.5)], tau)[0] / gain
        assert gain == pytest.approx(slope, rel=(WHOLE if p == int(p) else BROKEN) * shared)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 3.0])
def test_without_noise_a_moment_is_a_power(p):
    a = np.array([-0.3, 0.0, 1e-9, 0.4])

    moments = _moment(p, a, 0.0)

    positive = np.maximum(a, 0)
    expected = (a > 0).astype(float) if p == 0 else positive**p
    assert np.abs(moments - expected).max() < WHOLE


def _expected(neurons, x, y, tau, p):
    """Directions and log-norms of the velocity among equal blurred points, by the closed form."""
    K = len(x)
    mean, pi = jnp.asarray(x, float), jnp.full(K, 1 / K)
    label, nobody = jnp.asarray(y, float), jnp.zeros(0, int)
    subclasses = Subclasses(mean, mean, jnp.full(K, tau), label, pi, nobody)
    pull, phi, _ = closed_form(
        neurons.network(p), LOSSES["exponential"], subclasses, mean,
        force=jnp.ones(K), offset=jnp.zeros(K),
    )  # fmt: skip
    s = neurons.sign
    return s[:, None] * tangent(pull, neurons.direction), s * phi


def _neurons(h, D, log_norm=-30.0, seed=0):
    rng = np.random.default_rng(seed)
    return polar(rng.standard_normal((h, D)), log_norm, rng.choice([-1.0, 1.0], h))


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_the_closed_form_is_the_expectation_of_the_sample_field(p):
    K, D, alpha, n = 3, 8, 0.5, 60_000
    neurons = _neurons(10, D, -400.0)
    label = np.array([1, 1, -1])
    data = sample_mixture(
        Centers(np.eye(K, D), label, "given"), n, alpha, "balanced", rng=np.random.default_rng(1)
    )
    y = data.labels("sign")
    speed = system(neurons, data.x, y, p).velocity().weights

    direction, log_norm = _expected(neurons, np.eye(K, D), label, alpha / np.sqrt(D), p)

    u, s = np.asarray(neurons.direction), np.asarray(neurons.sign)
    z = np.maximum(data.x @ u.T, 0)
    gate = (z > 0) * 1.0 if p == 1 else z ** (p - 1)
    for j in range(len(u)):
        each = s[j] * p * y[:, None] * gate[:, j : j + 1] * (data.x - z[:, j : j + 1] * u[j])
        # Six standard deviations of a mean of n, coordinate by coordinate.
        allowed = 6 * each.std(axis=0) / np.sqrt(n)
        assert (np.abs(np.asarray(speed.direction - direction)[j]) < allowed).all()
        allowed = 6 * (y * gate[:, j] * z[:, j]).std() / np.sqrt(n)
        assert abs(float(speed.log_norm[j] - log_norm[j])) < allowed


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_without_blur_it_is_the_field_of_the_centers(p):
    neurons, label = _neurons(12, 7), np.array([1.0, 1.0, -1.0, -1.0])
    expected = system(neurons, np.eye(4, 7), label, p).velocity().weights

    direction, log_norm = _expected(neurons, np.eye(4, 7), label, 0.0, p)

    assert jnp.abs(direction - expected.direction).max() < WHOLE
    assert jnp.abs(log_norm - expected.log_norm).max() < WHOLE


def test_subclasses_have_the_means_and_the_noise_of_their_samples():
    rng = np.random.default_rng(4)
    subclass, y = np.array([0, 2, 2, 0, 2]), np.array([1.0, -1.0, -1.0, 1.0, -1.0])
    x, omega = rng.standard_normal((5, 6)), np.full(5, 0.2)

    subclasses = Subclasses.of(x, y, subclass, omega)

    assert (
        np.abs(subclasses.mean - np.stack([x[[0, 3]].mean(0), x[[1, 2, 4]].mean(0)])).max() < 1e-15
    )
    assert subclasses.label.tolist() == [1.0, -1.0]
    assert np.asarray(subclasses.pi) == pytest.approx([0.4, 0.6])
    variance = x[[0, 3]].var(0).mean(), x[[1, 2, 4]].var(0).mean()
    assert np.asarray(subclasses.tau) == pytest.approx(np.sqrt(variance))


def test_repeated_points_have_no_noise():
    x = np.repeat(np.array([[0.1, 0.7, 0.3], [0.3, -0.2, 0.9]]), 7, axis=0)

    subclasses = Subclasses.of(x, np.ones(14), np.repeat([0, 1], 7), np.full(14, 1 / 14))

    assert subclasses.tau.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("p", "cosine"), [(1.0, 0.15), (3.0, 0.5)])
def test_what_a_sample_adds_to_its_mean_has_the_stated_variance(p, cosine):
    # Theory D4: many samples of one subclass, each against the expectation given its own mean.
    D, N, alpha, draws = 40, 100, 0.6, 400
    tau = alpha / np.sqrt(D)
    rng = np.random.default_rng(5)
    u = np.zeros(D)
    u[:2] = cosine, np.sqrt(1 - cosine**2)
    inside, across, growth = [], [], []
    for _ in range(draws):
        x = np.eye(1, D) + tau * rng.standard_normal((N, D))
        mean, z = x.mean(0), np.maximum(x @ u, 0)
        gate = (z > 0) * 1.0 if p == 1 else z ** (p - 1)
        left = tau * np.sqrt(1 - 1 / N)
        basis = np.linalg.qr(np.stack([mean, u]).T)[0]
        pull = (gate @ x) / N
        inside.append(gate.mean() - _moment(p - 1, [mean @ u], left)[0])
        across.append(np.linalg.norm(pull - basis @ (basis.T @ pull)))
        growth.append((gate * z).mean() - _moment(p, [mean @ u], left)[0])

    orders = (p - 1, p, p + 1, 2 * p - 2, 2 * p)
    gate, value, above, gate2, value2 = (
        float(m[0]) for m in gauss_moments(orders, jnp.array([cosine]), jnp.array([tau]))
    )
    along = gate2 - gate**2 - ((value - cosine * gate) / tau) ** 2
    free = value2 - value**2 - ((above - cosine * value) / tau) ** 2
    sizes = (np.sqrt(np.mean(np.square(v))) for v in (inside, across, growth))
    stated = (along, (D - 2) * tau**2 * (gate2 - gate**2), free)

    # A root mean square of 400 draws has a relative standard deviation of 3.5 %; three of them,
    # and 1/N for what given means leave free.
    for size, variance in zip(sizes, stated, strict=True):
        assert size == pytest.approx(np.sqrt(variance / N), rel=3 * 0.035 + 1 / N)
