"""Hypotheses of published statements: what they say, and the gap, which most of them need."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gflow.data.centers import Centers
from gflow.laws import hypothesis as asks
from gflow.laws import published
from gflow.laws import published_flow as flow
from gflow.laws.hypothesis import CENTER_GAP, Hypothesis, all_met, gap

POWERS = st.floats(2.05, 6.0)
SEEDS = st.integers(0, 2**32 - 1)


def test_a_hypothesis_says_what_was_measured():
    hypothesis = Hypothesis.that("α² N", 0.25, ">=", 1)

    assert hypothesis == Hypothesis("α² N >= 1", "α² N = 0.25", False)
    assert str(hypothesis) == "α² N >= 1: α² N = 0.25, not met"
    assert str(Hypothesis.that("p", 3, ">", 2)) == "p > 2: p = 3, met"
    assert str(Hypothesis.that("ν", math.nan, "<=", 4, written="2²")) == (
        "ν <= 2² = 4: ν is not known, not decided"
    )
    assert str(Hypothesis.whether("two classes", False)) == "two classes, not met"


def test_a_hypothesis_is_a_plain_sentence():
    noisy = Hypothesis.that("α", 0.123456789, "=", 0)
    unknown = Hypothesis.that("α", math.nan, "<=", 0.3)
    yes_or_no = Hypothesis.whether("two classes", False)
    short = Hypothesis("an escape", "the flow ended before it", None, "give a later end")

    assert noisy.clause == "it needs α = 0, and here α = 0.1235"
    assert yes_or_no.clause == "it needs two classes"
    assert unknown.clause == "α is not known"
    assert short.clause == "the flow ended before it; give a later end"
    assert asks.number(math.nan) == "not reached" and asks.number(16040.123) == "16040"


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
    answers = [Hypothesis.that("a", a, relation, 2).met for a in (1, 2, 3)]

    assert answers == [below, equal, above]
    assert Hypothesis.that("a", math.nan, relation, 2).met is None
    assert Hypothesis.that("a", 1, relation, math.nan).met is None


def test_one_unmet_hypothesis_outweighs_an_undecided_one():
    yes, no, open_ = (Hypothesis.that("a", a, "<", 2) for a in (1, 3, math.nan))

    assert all_met(()) is all_met((yes,)) is True
    assert all_met((yes, open_)) is None
    assert all_met((open_, no)) is all_met((yes, no)) is False


def test_a_published_statement_prints_its_value_and_every_hypothesis():
    bound = published.bayes_robust_accuracy(2.0, 40, 10, 0.1)
    order = flow.learned_distance(0.1, bound.hypotheses)

    text = str(bound).splitlines()
    assert text[0] == f"{bound.value:.4g}"
    assert [line.strip() for line in text[1:]] == [str(h) for h in bound.hypotheses]
    assert str(order).startswith("of order 0.01\n")
    assert "ν <= √2 = 1.414: ν = 2, not met" in str(bound)


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
    assert asks.balanced_start(norm_, off).measured.endswith(f" = {math.expm1(2e-3):.4g}")
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
    assert occupied([1, 1, -1, -1]).measured == "fewest neurons of a cell = 1"
    assert occupied([1, -1], (0, 2)).met is False
    assert occupied([1, 1, -1], (1, 3, 2)).met is False  # only the void one is closest to μ_1


# The gap.


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
        distance = gap(u[None, : len(label)], np.array([sign]), label)
        expected = sampled_gap(u, own, rays) if own.size else 1.0

        assert distance <= expected + 1e-12
        assert expected <= distance * (1 + (np.pi / rays) ** 2) + 1e-12


@settings(deadline=None)
@given(seed=SEEDS, K=st.integers(1, 6), h=st.integers(1, 8))
def test_the_gap_knows_neither_order_nor_class_names_and_takes_the_least(seed, K, h):
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((h, K + 3))
    u = u[:, :K] / np.linalg.norm(u, axis=1, keepdims=True)
    sign, label, turn = rng.choice([-1, 1], h), rng.choice([-1, 1], K), rng.permutation(K)

    least = gap(u, sign, label)

    assert least == gap(u[:, turn], sign, label[turn]) == gap(u, -sign, -label)
    assert least == min(gap(u[[j]], sign[[j]], label) for j in range(h))
    assert 0 <= least <= 1


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
    width = gap(u[None, :K], np.ones(1), np.ones(K))
    assume(0 < width <= CENTER_GAP)

    b1, b2 = flow.start_constants(p, width)

    second, winner = np.sort(u[:K])[-2:]
    assert winner >= b1 * (1 - 1e-12)
    assert (max(second, 0) / winner) ** (p - 2) <= 1 - b2 + 1e-12
