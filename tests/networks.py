"""Networks, centers and samples written down, with numpy alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gflow.data.centers import Centers
from gflow.network.prelu import Network


def network(u, m, s, p, log_scale=0.0):
    """Σ_j s_j m_j σ(<u_j, x>)^p times e^{log_scale}; rows u of any length."""
    u = np.asarray(u) / np.linalg.norm(u, axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_mass = np.log(m) + log_scale
    return Network(jnp.asarray(u), jnp.asarray(log_mass), jnp.asarray(s, float), float(p))


class Ridges(eqx.Module):
    """Σ_j m_j σ(<u_j, x>)^p as a mere function, in the precision of x, with signed m_j."""

    u: jax.Array
    m: jax.Array
    p: float

    def __call__(self, x):
        u, m = self.u.astype(x.dtype), self.m.astype(x.dtype)
        return jnp.maximum(x @ u.T, 0) ** self.p @ m


def axes(K, K1, D):
    """K centers on the first axes, K1 of them positive."""
    return Centers(np.eye(K, D), np.where(np.arange(K) < K1, 1, -1), "given")


def rotated(K, K1, D, seed=0):
    """K orthonormal centers in random position, K1 of them positive."""
    mu = np.linalg.qr(np.random.default_rng(seed).standard_normal((D, K)))[0].T
    return Centers(np.ascontiguousarray(mu), np.where(np.arange(K) < K1, 1, -1), "given")


def noisy(centers, alpha, n, seed):
    """Samples of the mixture, and their labels."""
    rng = np.random.default_rng(seed)
    k = rng.integers(centers.K, size=n)
    x = centers.mu[k] + alpha / np.sqrt(centers.D) * rng.standard_normal((n, centers.D))
    return x, centers.label[k].astype(float)
