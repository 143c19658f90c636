"""The stable rank of features has no scale."""

import jax.numpy as jnp
import numpy as np
import pytest

from gflow.measure.stable_rank import stable_rank


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e9])
def test_stable_ranks_have_no_scale(scale, dtype):
    q = np.linalg.qr(np.random.default_rng(6).standard_normal((30, 3)))[0]

    rank = float(stable_rank(jnp.asarray(scale * q, dtype)))

    assert rank == pytest.approx(3, rel=100 * float(jnp.finfo(dtype).eps))


def test_stable_ranks_of_known_features():
    rng = np.random.default_rng(6)
    q = np.linalg.qr(rng.standard_normal((30, 5)))[0]

    assert float(stable_rank(jnp.asarray(q))) == pytest.approx(5)
    assert float(stable_rank(jnp.asarray(np.outer(q[:, 0], [1, 2, 3])))) == pytest.approx(1)
    half = q * np.array([2.0, 1, 1, 1, 1])  # (4 + 4)/4
    assert float(stable_rank(jnp.asarray(half))) == pytest.approx(2, rel=1e-9)
    assert float(stable_rank(jnp.zeros((4, 3)))) == 0
