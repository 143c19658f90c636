"""The flow against the theory's closed forms and invariants (theory D2, D3, D7, D8)."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expi
from systems import alignment_time, centers_only, linearized, system

from gflow.flow.trajectory import Reason
from gflow.network.neurons import CartesianNeurons

SOLVER = 1e-9
"""Tolerance of one step; a flow of a hundred steps is right to a hundred times that."""


@pytest.mark.parametrize(
    ("p", "chi"),
    [
        (1, [0.3, 1.0, 4.0]),
        (1.5, [0.3, 1.0, 3.0]),
        (2, [0.5, 1.0, 2.0]),
        (2.5, [0.3, 0.8, 1.5]),
        (3, [0.5, 1.0, 1.4]),
        (4, [0.5, 0.9, 1.1]),
    ],
)
def test_noise_free_alignment_follows_the_closed_form(p, chi):
    # Three own coordinates (one inactive), one inactive of the other class, one outside.
    u0 = np.array([0.6, 0.5, -0.3, -0.2, 0.0])
    perp = np.sqrt(1 - u0 @ u0)
    y = np.array([1.0, 1.0, 1.0, -1.0])
    times = np.array([alignment_time(u0[:4], y, perp, p, c) for c in chi]) * 4 / p  # κ = 1, π = 1/4
    log_eps = np.log(1e-30)

    trajectory = centers_only([[*u0[:4], perp]], [1], y, p, log_eps).follow(times, SOLVER)

    for c, state_u, state_r in zip(
        chi,
        np.asarray(trajectory.observations.weights.direction)[trajectory.scheduled][1:, 0],
        np.asarray(trajectory.observations.weights.log_norm)[trajectory.scheduled][1:, 0],
        strict=True,
    ):
        xi = np.append(linearized(u0[:4], y, p, c), perp)
        assert np.abs(state_u - xi / np.linalg.norm(xi)).max() < 100 * SOLVER
        assert state_r - log_eps == pytest.approx(np.log(np.linalg.norm(xi)) / p, abs=100 * SOLVER)


@pytest.mark.slow
@pytest.mark.parametrize("p", [3.0, 4.0])
def test_every_neuron_goes_to_the_own_center_it_starts_closest_to(p):
    rng = np.random.default_rng(0)
    K, h = 5, 40
    u, sign = rng.standard_normal((h, 12)), rng.choice([-1.0, 1.0], h)
    y = np.array([1, 1, 1, -1, -1.0])

    trajectory = centers_only(u, sign, y, p, np.log(1e-40)).follow([400.0], 1e-6)

    own = np.where(sign[:, None] == y, u[:, :K], -np.inf)
    active = own.max(axis=1) > 0
    final = np.asarray(trajectory.state.weights.direction)[:, :K]
    reached = active & (final.max(axis=1) > 0.9)
    assert reached.sum() > h / 2
    assert (final.argmax(axis=1) == own.argmax(axis=1))[reached].all()


def test_a_void_neuron_neither_aligns_nor_grows():
    flow = centers_only([[-0.5, -0.4, 0.3, 0.7]], [1], [1, 1, -1], 3, -20.0)

    end = flow.follow([100.0], 1e-8).state.weights

    assert float(end.log_norm[0]) <= -20.0
    assert float(end.direction[0, :2].max()) <= 0


LAWS = {
    # G(z(t)) - G(z0) = rate · 2π t while aligned and noise-free (theory D8).
    "exponential": (lambda z: expi(z), 1.0),
    "logistic": (lambda z: np.log(z) + expi(z), 1.0),
    "half_square": (lambda z: np.log(z / (1 - z)), 1.0),
    "square": (lambda z: np.log(z / (1 - z)), 2.0),
}


@pytest.mark.parametrize("loss", LAWS)
@pytest.mark.parametrize("p", [pytest.param(2.0, marks=pytest.mark.slow), 3.0])
def test_an_aligned_neuron_fits_along_the_law_of_its_loss(p, loss):
    law, rate = LAWS[loss]
    z0 = 1e-3
    times = np.array([2.0, 6.0, 9.0])

    flow = centers_only(np.eye(2), [1, -1], [1, -1], p, np.log(z0) / 2, loss)
    trajectory = flow.follow(times, SOLVER)

    z = np.exp(2 * np.asarray(trajectory.observations.weights.log_norm)[trajectory.scheduled])[
        1:, 0
    ]
    clock = rate * 2 * 0.5 * times
    # An error δ of log z moves the law by z G'(z) δ <= (1 + e^z + 1/(1-z)) δ.
    allowed = 100 * SOLVER * (2 + np.exp(z) + 1 / np.abs(1 - z if "square" in loss else 1))
    assert (np.abs(law(z) - law(z0) - clock) < allowed).all()


@pytest.mark.parametrize("log_eps", [-7.0, -70.0, -690.0])
def test_escape_time_follows_log_of_the_scale(log_eps):
    # One aligned neuron, exponential loss: Ei(1/2) - Ei(ε²) = 2πt with π = 1/2 (theory D7).
    # Ei(z) ≈ γ + log z for small z, which also covers scales whose square underflows.
    time = expi(0.5) - np.euler_gamma - 2 * log_eps

    trajectory = centers_only(np.eye(2), [1, -1], [1, -1], 3, log_eps).follow([time], 1e-8)

    z = np.exp(2 * float(trajectory.state.weights.log_norm[0]))
    assert z == pytest.approx(0.5, abs=1e-5 + np.exp(2 * log_eps))


@pytest.mark.slow
def test_final_directions_do_not_depend_on_a_vanishing_scale():
    rng = np.random.default_rng(1)
    u, sign = rng.standard_normal((12, 8)), rng.choice([-1.0, 1.0], 12)
    y = [1, 1, -1, -1]

    def final(eps, time):
        return np.asarray(
            centers_only(u, sign, y, 3, np.log(eps)).follow([time], 1e-7).state.weights.direction
        )

    # The growth rate is 1/K, so a smaller scale waits K log(ratio) longer before it fits.
    wait = 4 * np.log(1e-7 / 1e-300)
    a, b = final(1e-7, 150.0), final(1e-300, 150.0 + wait)
    own = np.where(sign[:, None] == np.array(y), u[:, :4], -np.inf).max(axis=1) > 0
    strong = own & (a.max(axis=1) > 0.999)
    assert strong.sum() >= 6
    assert (a[strong].argmax(axis=1) == b[strong].argmax(axis=1)).all()
    assert (b[strong].max(axis=1) > 0.999).all()


def _escape_without_normalization(p, eps, slope):
    """Last step before and first step after f = 1/2; one neuron on one unit sample."""
    neurons = CartesianNeurons(jnp.asarray([[eps, 0.0]]), jnp.asarray([slope * eps]), p)
    trajectory = system(neurons, [[1.0, 0.0]], [1.0], p).follow(
        [2 * eps ** (1 - p)],
        probe=lambda t, state: state.weights.network(p).mass[0],
        stop=lambda mass: Reason.END_MARGIN if mass >= 0.5 else None,
        notable=lambda before, now: True,
    )
    assert trajectory.outcome.reason is Reason.END_MARGIN
    return trajectory.times[-2:]


@pytest.mark.parametrize("p", [pytest.param(2.5, marks=pytest.mark.slow), 3.0])
@pytest.mark.parametrize("eps", [1e-1, 1e-3])
def test_escape_without_normalization_is_a_blow_up(p, eps):
    # dρ/dt = p v ρ^{p-1} e^{-f} and ρ = √p v for ever, so dρ/dt = √p ρ^p until f matters: ρ would
    # be infinite at ε^{1-p}/((p-1)√p).  f = ρ^{p+1}/√p = 1/2 comes earlier by what is left to that
    # time from ρ = (√p/2)^{1/(p+1)}, below 0.4, and later by ∫ (e^f - 1) dρ/(√p ρ^p), below 0.3
    # (prediction P24).
    before, after = _escape_without_normalization(p, eps, 1 / np.sqrt(p))

    blow_up = eps ** (1 - p) / ((p - 1) * np.sqrt(p))
    assert before - 0.3 < blow_up < after + 0.4
    assert after - before < max(1e-3 * blow_up, 1.0)


def test_escape_without_normalization_is_a_power_of_the_scale():
    # From v = ρ = ε, p v² = ρ² + (p-1) ε² for ever and dρ/dt = p v ρ^{p-1}, so with ρ = ε s
    # T = ε^{1-p}/√p ∫₁^∞ ds/(s^{p-1} √(s² + p - 1)): slope p - 1 in log 1/ε, and at p = 3 √3 - 1
    # times what it takes from ρ = √p v (prediction P24).
    times = [np.mean(_escape_without_normalization(3.0, eps, 1.0)) for eps in (1e-2, 1e-3)]

    blow_up = np.array([1e4, 1e6]) / (2 * np.sqrt(3))
    assert times / blow_up == pytest.approx(np.sqrt(3) - 1, rel=1e-3)
    assert np.log10(times[1] / times[0]) == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_neurons_of_one_direction_and_sign_keep_their_ratio(p):
    # theory D2f: equal direction and sign grow at equal rate.
    u = np.array([[0.5, 0.3, 0.8], [0.5, 0.3, 0.8], [0.2, 0.9, 0.1]])
    flow = centers_only(u, [1, 1, -1], [1, -1], p, [-3.0, -2.0, -3.0])

    trajectory = flow.follow([5.0, 20.0], 1e-6, min_step=0.0 if p >= 2 else 1e-3)

    r = np.asarray(trajectory.observations.weights.log_norm)
    assert np.abs(r[:, 1] - r[:, 0] - 1.0).max() < 1e-12


def test_linear_stability_at_a_saddle_and_at_a_center():
    # p = 3 in t̂: rate (p-2) m^{1-p/2} inside span(S) at μ̄_S, -m^{1-p/2} outside (theory D5).
    y, m, p = [1, 1, 1, -1], 2, 3
    small = 1e-5
    u = np.array([[1 + small, 1 - small, -small, 0, small]]) / np.sqrt(2)
    times = np.linspace(0, 4, 5)[1:] * len(y) / p

    trajectory = centers_only(u, [1], y, p, np.log(1e-100)).follow(times, 1e-11)

    d = np.asarray(trajectory.observations.weights.direction)[trajectory.scheduled][:, 0]
    rate = m ** (1 - p / 2)
    for curve, expected in ((d[:, 0] - d[:, 1], rate), (d[:, 4], -rate), (d[:, 2], -rate)):
        slope = np.polyfit(np.linspace(0, 4, 5), np.log(np.abs(curve)), 1)[0]
        assert slope == pytest.approx(expected, abs=1e-3)
