"""Certified radii of deep networks: closed forms, and no point of a ball of another class."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gflow.network.deep import DeepNetwork
from gflow.network.host_layers import HostLayers
from gflow.robustness.layers_bound import certified_of_layers
from gflow.robustness.norm import NORMS, Norm

ALL = list(NORMS.values())


def deep(seed, p, *, D=3, h=5, C=3, hidden=2, bias=True, class_of=None, **layering):
    """A random network of layers, with a bias."""
    rng = np.random.default_rng(seed)
    sizes = [D, *[h] * hidden]
    with jax.enable_x64(True):
        weights = [jnp.asarray(rng.standard_normal((b, a)) / a**0.5) for a, b in pairwise(sizes)]
        v, b = jnp.asarray(rng.standard_normal((C, h))), jnp.asarray(0.1 * rng.standard_normal(C))
        return DeepNetwork(tuple(weights), v, b if bias else None, p, class_of=class_of, **layering)


def outputs(f, x):
    with jax.enable_x64(True):
        out = np.asarray(f(jnp.asarray(x)))
    return out[:, None] if out.ndim == 1 else out


def labels(f, x):
    out = outputs(f, x)
    return np.sign(out[:, 0]) if out.shape[1] == 1 else out.argmax(axis=1).astype(float)


LAYERINGS = [
    dict(p=1.0), dict(p=2.0), dict(p=3.0, input_normalized=True), dict(p=1.0, skip=True),
    dict(p=2.0, skip=True, input_normalized=True), dict(p=1.0, layer_norm=True),
    dict(p=2.0, layer_norm=True, skip=True), dict(p=1.0, hidden=3), dict(p=1.5, C=1),
    dict(p=1.0, C=1, skip=True),
]  # fmt: skip


@pytest.mark.parametrize("layering", LAYERINGS)
def test_the_host_evaluates_layers_as_they_are(layering):
    f = deep(0, **layering)
    x = np.random.default_rng(1).standard_normal((9, 3))

    np.testing.assert_allclose(f.on_host(x), outputs(f, x), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("layering", LAYERINGS)
@pytest.mark.parametrize("norm", ALL)
def test_no_point_of_a_certified_ball_is_of_another_class(layering, norm):
    f = deep(2, **layering)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((8, 3))
    y = labels(f, x)

    certified = certified_of_layers(f.on_host, x, y, norm.size(x), norm=norm)

    # Half of the points are in the ball, half on its sphere.
    points = norm.to_size(rng.standard_normal((3000, 3)), np.ones(3000))
    points[::2] *= rng.random((1500, 1)) ** (1 / 3)
    near = x[:, None] + certified[:, None, None] * points
    assert (certified > 0).any()
    assert (labels(f, near.reshape(-1, 3)).reshape(8, -1) == y[:, None]).all()


@pytest.mark.parametrize("norm", ALL)
def test_a_layer_that_turns_its_input_loses_nothing_in_l2(norm):
    # A rotation into the positive quadrant, the identity above it, and two linear outputs: the
    # distance to the plane where they are equal, times 1/√D in l∞, where a corner is as far.
    turn = np.linalg.qr(np.random.default_rng(4).standard_normal((2, 2)))[0]
    f = HostLayers((turn, np.eye(2)), np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2), 1.0)
    z = np.array([[5.0, 4.0], [6.0, 7.5]])
    x, y = z @ turn, z.argmax(axis=1)

    certified = certified_of_layers(f, x, y, norm.size(x), norm=norm)

    distance = np.abs(z[:, 0] - z[:, 1]) / np.sqrt(2)
    # Brackets where the last layer begins are halved 14 times, from ‖x‖ at most √2 in l2 on, and
    # those of radii 20 times.
    bracket = np.sqrt(2) * norm.size(x) * (2.0**-14 + 2.0**-20)
    assert (certified <= distance / norm.largest_l2(2)).all()
    assert (certified >= distance / norm.largest_l2(2) - bracket).all()


SKIPS = [dict(p=1.0), dict(p=1.0, layer_norm=True), dict(p=3.0, input_normalized=True)]


@pytest.mark.parametrize("layering", SKIPS)
def test_close_to_the_boundary_layers_lose_a_share_of_the_distance(layering):
    # The second layer adds next to nothing to its input, and the sign of z_1 - z_2 decides.  Both
    # Dunkl and Williams' bound and that by slopes are exact for short changes: their loss is of the
    # order of the distance over the size of the input, 7.
    x = np.array([[5.0, 5.0 - 1e-3, 3.0], [6.0, 6.0 + 1e-3, 2.0]])
    output = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
    y = (x[:, 1] > x[:, 0]).astype(float)
    f = HostLayers((np.eye(3), 1e-9 * np.eye(3)), output, np.zeros(2), skip=True, **layering)

    certified = certified_of_layers(f, x, y, np.full(2, 1e-2), norm=Norm.L2)

    distance = np.abs(x[:, 0] - x[:, 1]) / np.sqrt(2)
    assert (certified <= distance).all()
    np.testing.assert_allclose(certified, distance, rtol=1e-3)


def test_without_activation_powers_a_chain_of_scalars_is_followed_as_it_grows():
    # x -> z = 2 x² -> 1 - 3 z², wrong from 12 x⁴ = 1 on.  The slope at the far end, 4 (x + R),
    # bounds the change of z by 4 (x + R) R, which may be √⅓ - 2 x²; brackets are halved.
    hidden = (np.array([[2.0]]), np.array([[3.0]]))
    f = HostLayers(hidden, np.array([[-1.0]]), np.ones(1), 2.0)
    x = np.array([[0.2]])
    assert f(x)[0, 0] > 0

    certified = certified_of_layers(f, x, np.ones(1), np.ones(1), norm=Norm.L2)

    room = np.sqrt(1 / 3) - 0.08
    R = (-0.8 + np.sqrt(0.8**2 + 16 * room)) / 8
    # The bracket of room, 16·0.08 wide, is halved 14 times; R follows at 1/(4 (x + 2R)).
    assert certified[0] <= R < (1 / 12) ** 0.25 - 0.2
    assert certified[0] >= R - 1.28 / 2**14 / (4 * (0.2 + 2 * R)) - 2.0**-20
