"""Lemma 17 of ICML 2025: its corrected form is never violated, the printed one is (theory T1)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gflow.laws import published_flow as flow

POWERS = st.floats(2.05, 6.0)
SEEDS = st.integers(0, 2**32 - 1)


def network_error(x, u, m, s, label, p):
    subclass = np.maximum(x[:, : len(label)], 0) ** p @ label
    return np.abs(np.maximum(x @ u.T, 0) ** p @ (s * m) - subclass).max()


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

    bound = flow.aligned_distance_corrected(
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

    printed = flow.aligned_distance_printed(p, K, 1 - math.cos(tilt), 0.0, void=0.0).value
    corrected = flow.aligned_distance_corrected(p, K, 1 - math.cos(tilt), 0.0, void=0.0).value

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
    printed = flow.aligned_distance_printed(p, K, slack, nu, void=void).value
    corrected = flow.aligned_distance_corrected(p, K, slack, nu, void=void).value

    assert K * nu + void <= printed <= corrected * (1 + 1e-12)
    assert corrected - K * nu - void == pytest.approx(
        (1 + nu) * flow.aligned_distance_corrected(p, K, slack, 0.0, void=0.0).value,
        abs=1e-9,
    )
