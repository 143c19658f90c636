"""Attacked radii against dense search, and flips that flip, whoever evaluates them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dense_search import Example, example, shortest_flips
from networks import network

from gflow.network.population import Population
from gflow.robustness.attack import share_beyond
from gflow.robustness.bracket import measure_radii
from gflow.robustness.norm import NORMS, Norm
from gflow.robustness.radius import radii

ALL = list(NORMS.values())


def measured(f):
    return measure_radii(network(f.u, f.m, f.s, f.p), f.x, f.y, ALL, seed=0).radii


def assert_flips(f, delta):
    """Every perturbation flips its sample, evaluated alone and with all others."""
    net = Population.of(network(f.u, f.m, f.s, f.p))
    at = f.x + delta
    for model in (net, net.network):
        together = np.asarray(model(at))
        alone = np.array([float(np.asarray(model(one[None]))[0]) for one in at])
        assert (f.y * together <= 0).all() and (f.y * alone <= 0).all()


def assert_bracket(f, seed):
    brackets = measured(f)
    known = [shortest_flips(f, i, seed) for i in range(len(f.x))]
    for norm in ALL:
        one = brackets[norm]
        certified, attacked, witness = one.certified, one.attacked, one.witness
        shortest = np.array([flips[norm] for flips in known])
        assert (attacked <= 1.02 * shortest).all()
        assert (certified <= np.minimum(shortest, attacked)).all()
        assert_flips(f, witness.perturbation)
        np.testing.assert_allclose(norm.size(witness.perturbation), attacked, rtol=1e-12)


@pytest.mark.parametrize("seed", [0, 2, 5, 7])
def test_no_search_finds_a_shorter_flip(seed):
    assert_bracket(example(seed), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_no_search_finds_a_shorter_flip_of_hundreds_of_networks(seed):
    assert_bracket(example(seed, n=2), seed)


def of(u, m, s, p, x):
    """An example of one input of label +1."""
    return Example(np.array(u), np.array(m), np.array(s), p, np.array([x]), np.ones(1))


# A trained ReLU network without a flip along any one axis, and one class beside a heavy one.
CASES = [
    (of(
        [[-0.1916959, -0.78060964, -0.59489602], [0.99222757, -0.07439048, -0.09975223],
         [-0.15179396, 0.74766441, 0.64649557], [0.99431262, -0.0743483, -0.07625453],
         [-0.18457281, 0.15659326, 0.97026359], [-0.18851519, -0.0728307, 0.97936597],
         [-0.80875497, -0.1725161, -0.56227537], [-0.15525063, 0.79992992, 0.57966315],
         [-0.18165583, -0.31958844, 0.92998085], [0.98642343, -0.13921783, -0.08710457],
         [-0.15166123, 0.74380095, 0.65096776], [-0.15061246, 0.72991741, 0.66673567]],
        [5.42090971e-04, 0.134990916, 0.183132648, 0.875340934, 0.0933716681, 0.0818808269,
         1.65195506e-03, 0.14649755, 0.0293549581, 0.160608086, 1.0, 0.189678298],
        [-1, 1, -1, 1, -1, -1, 1, -1, -1, 1, -1, -1], 1.0,
        [0.90034357, -0.05255401, -0.06290366],
    ), Norm.L1, 0.95309796),
    (of(
        [[-0.68474004, 0.7273949, -0.04503039], [-0.72320324, 0.56865565, 0.39192835],
         [-0.40176648, 0.87744559, 0.2620552], [-0.48718628, 0.78818895, 0.37604216],
         [-0.86773409, -0.23478099, 0.43808155], [-0.79988123, 0.59861893, 0.04295804],
         [-0.4302032, -0.90269293, 0.00840718], [-0.73646482, -0.56963088, 0.36488387],
         [-0.57324104, -0.73586496, 0.36041291], [-0.24051687, -0.96313465, -0.12051256],
         [-0.41159755, -0.73576644, -0.53780591], [-0.36328671, -0.7282595, 0.58108593],
         [0.56556828, -0.33357561, -0.75422797], [-0.86001858, 0.2312603, -0.45484801],
         [-0.42383067, 0.49344896, 0.75952333], [-0.19945701, -0.38937426, -0.89922444]],
        [0.532292063, 2.73525442, 77.6891008, 0.623084536, 4.97064694, 0.290844791, 0.0113833855,
         0.125624386, 0.154163027, 0.107423316, 0.914379701, 0.0415145537, 5.68637363e-03,
         3.19330281e-06, 4.13321630e-08, 1.52184490e-03],
        [1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, 1, 1, 1], 4.0,
        [-0.52858438, -1.09502065, 0.09475778],
    ), Norm.L2, 0.01763981),
]  # fmt: skip


@pytest.mark.parametrize(("f", "norm", "verified"), CASES)
def test_a_flip_that_a_walk_missed_is_not_missed(f, norm, verified):
    found = radii(network(f.u, f.m, f.s, f.p), f.x, f.y, 0, norm=norm)

    assert found.certified[0] <= found.attacked[0] <= 1.02 * verified
    assert_flips(f, found.witness.perturbation)


@pytest.mark.parametrize("norm", ALL)
def test_the_origin_bounds_every_radius(norm):
    # Neurons along both directions of three lines: f > 0 but at 0, which no rounding may miss.
    lines = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    f = of(np.concatenate([lines, -lines]), np.ones(6), np.ones(6), 3.0, [0.6, -0.3, 0.7])

    found = radii(network(f.u, f.m, f.s, f.p), f.x, f.y, 0, norm=norm)

    np.testing.assert_array_equal(found.attacked, norm.size(f.x))
    assert_flips(f, found.witness.perturbation)


def test_a_flip_in_one_norm_bounds_the_radii_in_all():
    brackets = measured(example(5, n=6))

    for norm in ALL:
        for other in ALL:
            size = norm.size(brackets[other].witness.perturbation)
            assert (brackets[norm].attacked <= size * (1 + 1e-12)).all()


@pytest.mark.parametrize(
    "p", [1.0, *(pytest.param(p, marks=pytest.mark.slow) for p in (5.0, 20.0)), 50.0]
)
@pytest.mark.parametrize("norm", ALL)
def test_radii_scale_with_inputs_at_any_power(p, norm):
    # At p = 50 a z of 1e-7 underflows in z^p, one of 1e7 overflows; some inputs see only that.
    rng = np.random.default_rng(int(p))
    u, m, s = rng.standard_normal((6, 3)), rng.lognormal(size=6), np.array([1.0, -1.0] * 3)
    f = network(u, m, s, p)
    x = rng.standard_normal((5, 3)) * np.array([1, 1, 1, 1e-7, 1e7])[:, None]
    one = Example(np.asarray(f.direction), m, s, p, x, np.ones(5))
    y = np.where(one.sign(x @ one.w.T) > 0, 1.0, -1.0)

    plain = radii(f, x, y, 0, norm=norm)

    assert (plain.certified >= 0).all() and (plain.certified <= plain.attacked).all()
    assert (plain.attacked > 0).all() and (plain.attacked <= norm.size(x)).all()
    for exponent in (-500, 500):
        scaled = radii(f, 2.0**exponent * x, y, 0, norm=norm)
        np.testing.assert_array_equal(scaled.certified, 2.0**exponent * plain.certified)
        np.testing.assert_array_equal(scaled.attacked, 2.0**exponent * plain.attacked)


def test_what_is_not_a_number_is_robust_at_no_radius():
    shares = share_beyond(np.array([np.nan, 1.0]), np.array([0.0, 0.5]))

    np.testing.assert_array_equal(shares, [0.5, 0.5])


def test_a_population_is_a_network_in_double_precision_outside_x64():
    f = example(0)
    population = Population.of(network(f.u, f.m, f.s, f.p))

    with jax.enable_x64(False):
        again = population.network
        values = np.asarray(again(f.x))

    assert again.direction.dtype == again.log_mass.dtype == again.sign.dtype == jnp.float64
    # Sums of twelve products, and logarithms of masses and back.
    np.testing.assert_allclose(values, population.unscaled()(f.x), rtol=1e-13, atol=1e-13)


# --- models


def test_the_closest_class_may_be_the_one_of_the_smallest_output():
    # Outputs are 1, 0, 0, 0, 0, -1; only the last changes fast, by 10 along the first axis.
    slopes = np.zeros((6, 7))
    slopes[1:5, 1:5], slopes[5, 0] = np.eye(4), 10.0
    bias = np.array([1.0, 0, 0, 0, 0, -1])
    x = np.zeros((1, 7)) + np.eye(1, 7, 6)  # of size 1, so that a perturbation may be that long

    found = measure_radii(
        lambda x: x @ jnp.asarray(slopes.T, x.dtype) + jnp.asarray(bias, x.dtype)[None],
        np.concatenate([x, x + 0.3 * np.eye(1, 7)]), np.array([0.0, 5.0]), [Norm.L2], seed=0,
    ).radii[Norm.L2]  # fmt: skip

    # A walk ends with steps of R/10⁴.
    assert found.attacked[0] == pytest.approx(2 / 10, rel=1e-3)


class Tower:
    """Two hidden layers of ReLU and many outputs, in the precision of the input."""

    def __init__(self, outputs, D, seed):
        rng = np.random.default_rng(seed)
        sizes = (D, 20, 20, outputs)
        self.layers = [rng.standard_normal((b, a)) / a**0.5 for a, b in itertools.pairwise(sizes)]

    def __call__(self, x):
        z = jnp.asarray(x)
        for w in self.layers[:-1]:
            z = jnp.maximum(z @ jnp.asarray(w.T, z.dtype), 0)
        z = z @ jnp.asarray(self.layers[-1].T, z.dtype)
        return z[:, 0] if z.shape[1] == 1 else z


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [1, 5])
def test_perturbations_of_a_model_are_errors_in_double_precision(outputs):
    f = Tower(outputs, 12, seed=1)
    x = np.random.default_rng(2).standard_normal((40, 12))
    z = np.asarray(f(x))
    y = np.where(z > 0, 1.0, -1.0) if outputs == 1 else z.argmax(axis=1).astype(float)

    def margin(x, y):
        z = np.array(f(x))
        if outputs == 1:
            return y * z
        own = np.take_along_axis(z, y.astype(int)[:, None], axis=1)[:, 0]
        z[np.arange(len(z)), y.astype(int)] = -np.inf
        return own - z.max(axis=1)

    brackets = measure_radii(f, x, y, ALL, seed=0).radii

    for norm in ALL:
        found = brackets[norm]
        flipped = np.isfinite(found.attacked)
        assert flipped.all()
        at = x + found.witness.perturbation
        assert (margin(at, y) <= 0).all()
        assert all(margin(at[i : i + 1], y[i : i + 1])[0] <= 0 for i in range(40))
        np.testing.assert_allclose(norm.size(found.witness.perturbation), found.attacked)
