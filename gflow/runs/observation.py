"""What a record holds: the probe that sees it, and the labeled arrays it becomes.

One idea: a name in the record is written once, in `_LAYOUT`, with its dimensions, unit and meaning,
and the probe returns arrays under those names.  The core is there for every method of training;
the groups `neurons`, `centers` and `orthogonal` are optional, and a prediction that needs one
is OUTSIDE without it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from gflow.data.centers import Centers
from gflow.flow.field import AbstractField, FlowState
from gflow.flow.module_field import ModuleField
from gflow.flow.samples import Samples
from gflow.flow.trajectory import Trajectory
from gflow.flow.vector_field import VectorField
from gflow.measure.alignment import chords, cosines
from gflow.measure.margin import fit, squared_norm
from gflow.measure.outputs import margins
from gflow.network.deep import stable_rank
from gflow.network.neurons import AbstractFirstLayer, AbstractNeurons
from gflow.network.prelu import Network
from gflow.network.read_off import class_outputs

COMPLEMENT = 3
"""Number of directions orthogonal to all samples along which theory D2b is recorded."""

_LAYOUT: dict[str, tuple[tuple[str, ...], str]] = {
    "loss": (("time",), "L = Σ_i ω_i ℓ(y_i, f(x_i))"),
    "margin_min": (("time",), "min_i y_i f(x_i)"),
    "margin_mean": (("time",), "weighted mean of y_i f(x_i)"),
    "accuracy": (("time",), "weighted share of training samples with y_i f(x_i) > 0"),
    "squared_norm": (("time",), "‖θ‖² = Σ_j (‖w_j‖² + v_j²)"),
    "dissipated": (("time",), "∫₀ᵗ ‖dθ/dt‖² dt"),
    "stable_rank": (("time",), "‖H‖_F²/‖H‖₂² of the last hidden layer over training samples"),
    "layer_size": (("time", "layer"), "Frobenius norm of the weights of each layer"),
    "center_output": (("time", "center"), "f(μ_k)"),
    "cosine": (("time", "neuron", "reference"), "cosine of w_j to a center or class average"),
    "chord": (("time", "neuron", "reference"), "‖u_j - μ‖ to a center or class average"),
    "log_norm": (("time", "neuron"), "log ‖w_j‖; counts p times in log m_j without normalization"),
    "log_output": (("time", "neuron"), "log |v_j|"),
    "sign": (("time", "neuron"), "sign of v_j"),
    "orthogonal": (
        ("time", "neuron", "complement"),
        "log |<e, w_j>| + (p-1) log ‖w_j‖, without normalization log |<e, w_j>|; e orthogonal to "
        "all samples",
    ),
}


class Probe(eqx.Module):
    """What is observed of a state at every accepted step, under the record's names."""

    field: AbstractField
    samples: Samples
    mu: Float[Array, "K D"]
    groups: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, t: Float[Array, ""], state: FlowState) -> dict[str, Array]:
        network = state.weights.network(self.field.p)
        seen = self._core(network, state.weights) | {"dissipated": state.dissipated}
        if "centers" in self.groups:
            seen["center_output"] = network(self.mu)
        return seen

    def _core(self, network: Network, neurons: AbstractNeurons) -> dict[str, Array]:
        f = self.samples.outputs(network)
        y = self.samples.y.reshape(-1)[: self.samples.n]
        omega = self.samples.omega.reshape(-1)[: self.samples.n]
        return {
            "loss": jnp.sum(omega * self.field.loss.value(y, f)),
            **fit(y, f, omega)._asdict(),
            "squared_norm": squared_norm(neurons.log_norm, neurons.log_output),
        }


class DeepProbe(eqx.Module):
    """What is observed of a network of any depth or many outputs at every accepted step (final)."""

    field: AbstractField
    samples: Samples

    def __call__(self, t: Float[Array, ""], state: FlowState) -> dict[str, Array]:
        network, class_of = state.weights.network(self.field.p), state.weights.class_of

        def block(_, x):
            z = network.features(x)
            return None, (network(x), z)

        _, (f, z) = jax.lax.scan(block, None, self.samples.x)
        n, dtype = self.samples.n, state.dissipated.dtype
        f = f.reshape(-1, *f.shape[2:])[:n].astype(dtype)
        y, omega = (a.reshape(-1)[:n] for a in (self.samples.y, self.samples.omega))
        loss = jnp.sum(omega * self.field.loss.value(y, f))
        if class_of is not None:
            y, f = jnp.asarray(class_of)[y.astype(int)], class_outputs(f, class_of)
        margin = margins(y, f)
        return {
            "loss": loss,
            **fit(jnp.ones_like(margin), margin, omega)._asdict(),
            "squared_norm": jnp.sum(network.sizes**2),
            "dissipated": state.dissipated,
            "stable_rank": stable_rank(z.reshape(-1, z.shape[-1])[:n]).astype(dtype),
            "layer_size": network.sizes,
        }


class Portrait(eqx.Module):
    """What is recorded of every single neuron, under the record's names."""

    references: Float[Array, "R D"]
    complement: Float[Array, "q D"]
    """Orthonormal directions orthogonal to all samples; none where the samples span the space."""
    p: float = eqx.field(static=True)
    groups: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, neurons: AbstractFirstLayer) -> dict[str, Array]:
        seen = self._neurons(neurons) if "neurons" in self.groups else {}
        if "orthogonal" in self.groups and self.complement.shape[0]:
            along = jnp.log(jnp.abs(neurons.direction @ self.complement.T))
            seen["orthogonal"] = along + self.p / neurons.degree * neurons.log_norm[:, None]
        return seen

    def _neurons(self, neurons: AbstractFirstLayer) -> dict[str, Array]:
        return {
            "cosine": cosines(neurons.direction, self.references).astype(jnp.float32),
            "chord": chords(neurons.direction, self.references).astype(jnp.float32),
            "log_norm": neurons.log_norm,
            "log_output": neurons.log_output,
            "sign": neurons.sign.astype(jnp.int8),
        }


def observers(
    field: AbstractField,
    samples: Samples,
    centers: Centers,
    groups: tuple[str, ...],
    rng: np.random.Generator,
) -> tuple[Probe | DeepProbe, Portrait]:
    """The probe and the portrait of a run.

    **Arguments:**

    - `field`, `samples`: the flow.
    - `centers`: what neurons are held against.
    - `groups`: record groups, of "neurons", "centers", "orthogonal".
    - `rng`: picks the directions orthogonal to the samples, where there are any.
    """
    if isinstance(field, ModuleField | VectorField):
        kept = tuple(name for name in groups if name == "neurons")
        nothing = jnp.zeros((0, centers.D))
        return (
            DeepProbe(field, samples),
            Portrait(jnp.asarray(centers.references), nothing, field.p, kept),
        )
    complement = _complement(samples, rng) if "orthogonal" in groups else np.zeros((0, centers.D))
    references = jnp.asarray(centers.references)
    return (
        Probe(field, samples, jnp.asarray(centers.mu), groups),
        Portrait(references, jnp.asarray(complement), field.p, groups),
    )


def _complement(samples: Samples, rng: np.random.Generator) -> Float[np.ndarray, "q D"]:
    """Up to COMPLEMENT orthonormal directions that every sample is orthogonal to."""
    x = np.asarray(samples.x, np.float64).reshape(-1, samples.x.shape[-1])
    # R has the singular values and right singular vectors of the samples and at most D rows; the
    # Gram matrix would halve the digits.
    singular, vt = np.linalg.svd(np.linalg.qr(x, mode="r"), full_matrices=True)[1:]
    null = vt[int((singular > 1e-9 * singular.max()).sum()) :]
    mix = rng.standard_normal((null.shape[0], min(COMPLEMENT, null.shape[0])))
    return np.linalg.qr(null.T @ mix)[0].T


def to_record(trajectory: Trajectory, centers: Centers, clock: float) -> xr.Dataset:
    """A trajectory as labeled arrays.

    **Arguments:**

    - `trajectory`: observations of a `Probe`.
    - `centers`: the centers they were held against.
    - `clock`: κ·π, π the mean subclass weight; time is stored as t and as κπt.
    """
    variables = {
        name: (_LAYOUT[name][0], values, {"meaning": _LAYOUT[name][1]})
        for name, values in trajectory.observations.items()
    }
    coordinates = {
        "time": ("time", trajectory.times, {"meaning": "flow time t"}),
        "scaled_time": ("time", clock * trajectory.times, {"meaning": "κπt"}),
        "scheduled": ("time", trajectory.scheduled, {"meaning": "whether the time was asked for"}),
        "reference": ("reference", list(centers.reference_names)),
    }
    used = {dim for dims, *_ in variables.values() for dim in dims} | {"time"}
    kept = {name: c for name, c in coordinates.items() if c[0] in used}
    return xr.Dataset(variables, kept)
