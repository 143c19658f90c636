"""Late rates of residuals against the flow of plain weights."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gflow.laws.residual_rates import decay_rates, decayed, residual_matrix


@pytest.mark.parametrize("m", [1, 2, 3, 6])
def test_one_neuron_of_m_subclasses_has_two_rates(m):
    # v w_k = 1 for all k and v² = ‖w‖², so v² = √m.
    v = np.array([m**0.25])
    w = np.full((1, m), m**-0.25)

    rates = decay_rates(residual_matrix(w, v), np.full(m, 0.1), 2.0)

    expected = 2 * 0.1 * m**0.5 * np.array([*[1] * (m - 1), 2])
    assert rates == pytest.approx(expected, rel=1e-12)


def test_residuals_decay_as_the_weights_descend():
    # Plain weights of six ReLU neurons, half square loss; one opposite neuron is awake to center 0.
    rng = np.random.default_rng(0)
    w, v = rng.standard_normal((6, 4)), np.array([1.0, 1, 1, -1, -1, 1])
    pi = np.array([0.4, 0.3, 0.2, 0.1])
    y = np.maximum(w, 0).T @ v + 1e-5 * rng.standard_normal(4)  # so that it is almost fitted

    def outputs(w, v):
        return np.maximum(w, 0).T @ v

    def descent(t, state):
        w, v = state[:24].reshape(6, 4), state[24:]
        force = pi * (y - outputs(w, v))
        return np.append(v[:, None] * force * (w > 0), np.maximum(w, 0) @ force)

    times = np.array([1.0, 3.0, 10.0])
    flow = solve_ivp(descent, [0, 10], np.append(w, v), "DOP853", times, rtol=1e-12, atol=1e-14).y.T
    law = decayed(y - outputs(w, v), residual_matrix(w, v), pi, 1.0, t=times)

    # H changes by its derivative times the residual, 1e-5 of it and some.
    for state, e in zip(flow, law, strict=True):
        actual = y - outputs(state[:24].reshape(6, 4), state[24:])
        np.testing.assert_allclose(actual, e, atol=1e-4 * np.abs(law[0]).max())


def test_the_matrix_of_a_fitted_network_is_at_least_the_identity():
    # Σ_j v_j² over the awake is at least f_k = 1 if |v_j| >= w_jk, as in a balanced network.
    rng = np.random.default_rng(1)
    for _ in range(20):
        w = rng.standard_normal((9, 3))
        w *= (np.abs(w) + 0.1).max() / np.linalg.norm(w, axis=1, keepdims=True)
        v = np.linalg.norm(w, axis=1)
        scale = (v[:, None] * np.maximum(w, 0)).sum(axis=0).min()
        if scale > 0:
            H = residual_matrix(w / scale**0.5, v / scale**0.5)
            assert np.linalg.eigvalsh(H)[0] > 1
