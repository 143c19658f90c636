"""How fast a neuron can grow at most, whatever its direction (theory D11)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import eigvalsh

from gflow.flow.outputs import Outputs
from gflow.flow.samples import Samples
from gflow.network.geometry import smaller_gram


class Force(eqx.Module):
    """The forces g_i at one moment, as far as `Reach` and step control need them.

    One row per sign of a neuron.
    """

    peak: Float[Array, "2 2"]
    """max_i σ(s g_i), one column per class of samples."""
    total: Float[Array, "2"]
    """Σ_i ω_i σ(s g_i)."""
    outputs: Outputs

    @classmethod
    def none(cls, dtype) -> "Force":
        return cls(jnp.zeros((2, 2), dtype), jnp.zeros(2, dtype), Outputs.none(dtype))

    def with_rows(
        self,
        g: Float[Array, " b"],
        y: Float[Array, " b"],
        omega: Float[Array, " b"],
        outputs: Outputs,
    ) -> "Force":
        """These forces and those of another block; rows of weight 0 do not count."""
        toward = jnp.stack([jnp.maximum(g, 0), jnp.maximum(-g, 0)])
        mine = jnp.stack([y > 0, y < 0]) & (omega > 0)[None]
        peak = jnp.max(jnp.where(mine[None], toward[:, None], 0), axis=2)
        outputs = jax.tree.map(jnp.add, self.outputs, outputs)
        return Force(jnp.maximum(self.peak, peak), self.total + toward @ omega, outputs)


class Reach(eqx.Module):
    """The constants of samples that bound the growth of any neuron."""

    spectral: Float[Array, "2"]
    """Λ₊, Λ₋: largest eigenvalue of Σ ω_i x_i x_iᵀ over the samples of each class."""
    radius: Float[Array, ""]
    """max ‖x_i‖."""

    @classmethod
    def of(cls, samples: Samples) -> "Reach":
        """The constants of these samples.

        **Source:** theory D11.
        """
        D = samples.x.shape[-1]
        x = np.asarray(samples.x).reshape(-1, D)
        y, omega = (np.asarray(a).reshape(-1) for a in (samples.y, samples.omega))
        spectral = [_largest_eigenvalue(x[mine], omega[mine]) for mine in (y > 0, y < 0)]
        radius = float(samples.length.max())
        return cls(jnp.asarray(spectral), jnp.asarray(radius))

    def growth(self, force: Force, p: float) -> Float[Array, "2"]:
        """Upper bounds on d log m_j/dt = 2 s_j Φ_j for neurons of sign + and -.

        With weights a_i = ω_i σ(s g_i) and Λ_s the largest eigenvalue of Σ a_i x_i x_iᵀ,
        Φ(u) <= max‖x‖^{p-2} Λ_s for p >= 2 and (Σ a_i)^{1-p/2} Λ_s^{p/2} below (Hölder).
        """
        largest = force.peak @ self.spectral
        if p >= 2:
            return 2 * self.radius ** (p - 2) * largest
        return 2 * force.total ** (1 - p / 2) * largest ** (p / 2)


def _largest_eigenvalue(x: Float[np.ndarray, "n D"], omega: Float[np.ndarray, " n"]) -> float:
    """Of Σ ω_i x_i x_iᵀ, by the smaller of its two Gram matrices."""
    rows = x.astype(np.float64) * np.sqrt(omega)[:, None]
    gram = smaller_gram(rows)
    last = len(gram) - 1
    return float(eigvalsh(gram, subset_by_index=[last, last])[0]) if len(gram) else 0.0
