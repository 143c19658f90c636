"""Universal perturbations of F and F^(p) against an optimizer that knows no closed form."""

import numpy as np
import pytest
from scipy.optimize import minimize

from gflow.laws.universal import (
    contrast,
    contrast_radii,
    contrast_radius_of_averages,
    universal_vector,
)

LABEL = np.array([1, 1, 1, -1, -1])


def output(x, m, p):
    return (LABEL * m) @ np.maximum(x, 0) ** p


def flips_all(delta, m, p, sign):
    """The largest y f over the centers of a class, each moved by δ."""
    return max(sign * output(np.eye(5)[k] + delta, m, p) for k in np.flatnonzero(sign == LABEL))


def shortest(m, p, sign):
    """Length of the shortest δ that an optimizer finds from many starts."""
    rng, best = np.random.default_rng(0), np.inf
    own = np.flatnonzero(sign == LABEL)
    constraint = {
        "type": "ineq",
        "fun": lambda d: np.array([-sign * output(np.eye(5)[k] + d, m, p) for k in own]),
    }
    for _ in range(30):
        start = -sign * LABEL * rng.uniform(0.2, 1.0, 5)
        end = minimize(
            lambda d: d @ d, start, jac=lambda d: 2 * d, constraints=constraint,
            method="SLSQP", options={"maxiter": 400, "ftol": 1e-14},
        )  # fmt: skip
        if flips_all(end.x, m, p, sign) < 1e-7:
            best = min(best, np.linalg.norm(end.x))
    return best


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("m", [np.ones(5), np.array([1.0, 1.2, 0.8, 0.9, 1.3])])
def test_no_shorter_vector_flips_a_whole_class(m, p, sign):
    delta = universal_vector(m, LABEL, p, sign)

    # On the boundary at every center that has to fall, within rounding of a sum of powers.
    assert abs(flips_all(delta, m, p, sign)) < 1e-12
    # The optimizer's own constraint is met to 1e-7, which moves a length by about as much.
    assert np.linalg.norm(delta) == pytest.approx(shortest(m, p, sign), rel=1e-5)


@pytest.mark.parametrize("n", [2, 3])
def test_equal_subclasses_cost_the_square_root_of_n_over_n_plus_1(n):
    sign = 1 if n == 3 else -1

    assert np.linalg.norm(universal_vector(np.ones(5), LABEL, 3.0, sign)) == pytest.approx(
        (n / (n + 1)) ** 0.5, rel=1e-14
    )


def test_a_weak_center_need_not_fall():
    m = np.array([1.0, 1.0, 1e-6, 1.0, 1.0])
    delta = universal_vector(m, LABEL, 3.0, 1)

    # Two centers fall, and the third is flipped by what rises against them.
    assert delta[2] == 0 and delta @ delta == pytest.approx(2 / 3, rel=1e-14)
    assert flips_all(delta, m, 3.0, 1) < 1e-12


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
def test_every_center_is_on_the_boundary_at_its_radius_along_the_contrast(p, sign):
    m = np.array([1.0, 1.2, 0.8, 0.9, 1.3])
    radii, way = contrast_radii(m, LABEL, p, sign), contrast(LABEL, sign)

    assert np.linalg.norm(way) == pytest.approx(1, rel=1e-15)
    for k, radius in zip(np.flatnonzero(sign == LABEL), radii, strict=True):
        assert abs(output(np.eye(5)[k] + radius * way, m, p)) < 1e-12


@pytest.mark.parametrize("sign", [1, -1])
def test_a_network_of_averages_is_on_the_boundary_at_its_radius_along_the_contrast(sign):
    gain = {1: 1.3, -1: 0.7}  # outputs at the centers of a class
    K_own, K_opp = int((sign == LABEL).sum()), int((sign != LABEL).sum())
    radius = contrast_radius_of_averages(gain[sign], gain[-sign], K_own, K_opp)

    x = np.eye(5)[np.flatnonzero(sign == LABEL)[0]] + radius * contrast(LABEL, sign)
    sums = [max(x[s == LABEL].sum(), 0) * gain[s] for s in (1, -1)]
    assert abs(sums[0] - sums[1]) < 1e-14
    assert contrast_radius_of_averages(1.0, 1.0, K_own, K_opp) == pytest.approx(5**-0.5)
