"""Alignment times and cells of symmetric starts, against flows and samples of their own."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binom, chi2, kstest

from gflow.laws.cells import (
    alignment_times,
    cell_shares,
    empty_share,
    late_share,
    safe_cosines,
    start_for,
    symmetric_starts,
)
from gflow.laws.reduced import alignment_time

COSINE = 0.9


def directions(rng, count, D):
    w = rng.standard_normal((count, D))
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def time_of_flow(u0, y, p, pi=None):
    """t̂ at which a coordinate of the field of theory D3 reaches COSINE; which one it is."""
    pi = np.ones_like(u0) if pi is None else pi

    def field(_, u):
        force = pi * y * np.maximum(u, 0) ** (p - 1)
        return force - force @ np.maximum(u, 0) * u

    def reached(_, u):
        return np.where(y > 0, u, -1).max() - COSINE

    reached.terminal = True
    end = solve_ivp(field, (0, 1e4), u0, rtol=1e-10, atol=1e-12, events=reached)
    return end.t[-1], int(end.y[:, -1].argmax())


@pytest.mark.parametrize("p", [2.25, 3.0, 4.0])
def test_alignment_times_are_those_of_the_flow(p):
    rng = np.random.default_rng(1)
    y = np.array([1, 1, 1, -1, -1])
    u0 = directions(rng, 200, 8)[:, :5]
    u0 = u0[(u0[:, :3] > 0.05).any(axis=1) & (u0 < 0.85).all(axis=1)][:12]

    times = alignment_times(u0, np.broadcast_to(y > 0, u0.shape), p, COSINE)

    expected = [time_of_flow(u, y, p)[0] for u in u0]
    np.testing.assert_allclose(times, expected, rtol=1e-7)


def test_void_neurons_never_align_and_one_coordinate_takes_the_time_of_d3():
    u0 = np.array([[-0.1, 0.3], [0.2, -0.3], [1e-9, -0.3]])
    own = np.array([[True, False]] * 3)

    times = alignment_times(u0, own, 3.0, COSINE)

    assert times[0] == np.inf
    assert times[1:] == pytest.approx([alignment_time(u, COSINE, 3.0) for u in (0.2, 1e-9)])


@pytest.mark.parametrize("p", [2.5, 3.0, 4.0])
def test_the_start_for_a_time_takes_that_time(p):
    for t_hat in (0.0, 0.01, 3.0, 1e5):
        u = start_for(t_hat, p, COSINE)
        assert alignment_time(u, COSINE, p) == pytest.approx(t_hat, rel=1e-9, abs=1e-12)


def test_symmetric_starts_are_uniform_directions():
    drawn = symmetric_starts(7, 3, 4000, 0)

    other = directions(np.random.default_rng(5), 4000, 7)[:, :3]
    for reading in (lambda u: u[:, 1], lambda u: u.max(axis=1), lambda u: (u**2).sum(axis=1)):
        assert kstest(reading(drawn), reading(other)).pvalue > 1e-4


@pytest.mark.parametrize(("p", "K_own"), [(2.5, 1), (3.0, 1), (4.0, 1), (3.0, 3), (4.0, 3)])
def test_late_shares_are_those_of_random_neurons(p, K_own):
    # 20,000 neurons of D = 400, in closed form.  Rivals only delay; of those still late at these
    # times, a share of about late/(1 - 2^-K_own) has two small coordinates, and of these only some
    # are delayed past the time; the law itself is off by O(1/D).
    count, D = 20_000, 400
    u0 = symmetric_starts(D, K_own, count, 3)
    times = alignment_times(u0, np.ones_like(u0, dtype=bool), p, COSINE)

    for t_hat in np.quantile(times[np.isfinite(times)], [0.9, 0.97]):
        law = late_share(float(t_hat), p, COSINE, D=D, K_own=K_own)
        late = ((times > t_hat) & np.isfinite(times)).mean()
        deviation = np.sqrt(law * (1 - law) / count)
        rivals = 0 if K_own == 1 else law**2
        assert -4 * deviation - law / D <= late - law <= 4 * deviation + law / D + rivals


@pytest.mark.parametrize("p", [2.5, 3.0, 4.0])
def test_the_tail_of_alignment_times_is_a_power(p):
    # For u → 0 the share is K_own 2^{1-K_own} u √(D/2·3.14) and t̂ = u^{2-p}/(p-2).
    early, late = (late_share(t, p, COSINE, D=60, K_own=3) for t in (1e6, 1e8))

    slope = np.log(late / early) / np.log(100)
    assert slope == pytest.approx(-1 / (p - 2), abs=2e-3)
    u = ((p - 2) * 1e8) ** (-1 / (p - 2))
    # Student's t of 59 degrees of freedom is lower than the normal density at 0 by 1/(4·59).
    assert late == pytest.approx(3 / 4 * u * np.sqrt(60 / 2 / np.pi), rel=0.02)


@pytest.mark.parametrize(("pi", "p"), [((1, 1, 1), 3.0), ((4, 2, 1), 3.0), ((4, 1.5, 1), 2.5)])
def test_cell_shares_are_those_of_random_neurons(pi, p):
    # The cell of a neuron is where the flow of its coordinates goes, which a few of them show, and
    # argmax π_k u_k^{p-2} of 30,000.
    pi, rng = np.array(pi, float), np.random.default_rng(2)
    g = rng.standard_normal((30_000, 3))
    score = np.where(g > 0, pi * np.maximum(g, 0) ** (p - 2), -1)
    cell = np.where(score.max(axis=1) > 0, score.argmax(axis=1), 3)

    law = np.append(cell_shares(pi, p), 1 / 8)

    assert law.sum() == pytest.approx(1, abs=1e-8)
    counts, expected = np.bincount(cell, minlength=4), 30_000 * law
    assert chi2.sf(((counts - expected) ** 2 / expected).sum(), 3) > 1e-3
    starts = 0.4 * g / np.linalg.norm(g, axis=1, keepdims=True)
    for j in np.flatnonzero(cell < 3)[:12]:
        assert time_of_flow(starts[j], np.ones(3), p, pi)[1] == cell[j]


def test_equal_weights_share_what_is_not_void():
    assert cell_shares(np.full(5, 0.1), 3.0) == pytest.approx(np.full(5, (1 - 2**-5) / 5))


def test_as_p_tends_to_2_the_heaviest_takes_all():
    # Then a neuron goes to the heaviest awake center: half of them to the first, a quarter on.
    assert cell_shares(np.array([3.0, 2.0, 1.0]), 2.0001) == pytest.approx([1 / 2, 1 / 4, 1 / 8])


def test_a_cell_stays_empty_with_the_binomial_probability():
    assert empty_share(0.3, 7) == pytest.approx(binom.pmf(0, 7, 0.3))


@pytest.mark.parametrize(("p", "ratio"), [(2.5, 4.0), (3.0, 4.0), (4.0, 10.0), (3.0, 1.0)])
def test_a_safe_cosine_is_where_the_flow_turns_around(p, ratio):
    # Two coordinates and nothing beside: just above it the light center wins, just below the other.
    pi = np.array([1.0, ratio])
    safe = safe_cosines(pi, p)

    assert safe[1] == pytest.approx(np.sqrt(0.5))
    for off, side in ((1e-3, 0), (-1e-3, 1)):
        angle = np.arccos(safe[0]) * (1 - off)
        u0 = np.array([np.cos(angle), np.sin(angle)])
        assert winner_of(u0, pi, p) == side


def winner_of(u0, pi, p):
    """The center that two coordinates tend to."""

    def field(_, u):
        force = pi * np.maximum(u, 0) ** (p - 1)
        return force - force @ np.maximum(u, 0) * u

    return int(solve_ivp(field, (0, 300), u0, rtol=1e-9, atol=1e-12).y[:, -1].argmax())


def test_a_center_without_samples_is_never_safe():
    assert safe_cosines(np.array([1.0, 0.0]), 3.0)[1] == 1.0
