"""What a caller gives a simulation beside its scenario."""

from typing import ClassVar

import jax
import numpy as np

import gflow


def weights(h=6, D=20, size=0.3, balanced=True, seed=0):
    rng = np.random.default_rng(seed)
    W = size * rng.standard_normal((h, D)) / np.sqrt(D)
    v = rng.choice([-1.0, 1.0], h) * np.linalg.norm(W, axis=1)
    return W, v if balanced else size * rng.standard_normal(h)


class Logistic(gflow.AbstractScalarLoss):
    """ℓ = log(1 + e^{-c y f}), which for c = 1 scenario files call logistic (final)."""

    c: float = 1.0
    kappa: ClassVar[float] = 0.5

    def value(self, y, f):
        return jax.nn.softplus(-self.c * y * f)

    def force(self, y, f):
        return self.c * y * jax.nn.sigmoid(-self.c * y * f)
