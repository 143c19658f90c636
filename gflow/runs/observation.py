"""The contents of a record: the probe that observes them, and the labeled arrays they become.

Every name in the record is defined once, in `gflow.runs.layout`, and the probe returns arrays under
these names.  Outputs and margins below 2e-308 are 0, with their sign;
the accuracy counts them all the same.  The core exists for every network and every method of
training; the groups `neurons`, `centers`, `orthogonal` and `directions` are optional, and a
prediction that needs a missing group is OUTSIDE.
"""

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from gflow.data.centers import Centers
from gflow.flow.field import AbstractField, FlowState
from gflow.flow.losses import AbstractLoss
from gflow.flow.samples import Samples
from gflow.flow.trajectory import Trajectory
from gflow.measure.alignment import chords, cosines
from gflow.measure.stable_rank import stable_rank
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.network.snapshot import Snapshot
from gflow.network.weights import AbstractFirstLayer
from gflow.runs.layout import labeled
from gflow.runs.observables import Observable
from gflow.runs.problem import Problem
from gflow.runs.score import AbstractScore

COMPLEMENT = 3
"""Number of directions orthogonal to all samples along which weights are recorded (theory D2b)."""

PICTURED = 3
"""Largest dimension whose neurons and inputs can be drawn; their directions are always recorded."""


class Probe(eqx.Module):
    """Observes a state at every accepted step, under the names of the record."""

    field: AbstractField
    samples: Samples
    mu: Float[Array, "K D"]
    score: AbstractScore = eqx.field(static=True)
    groups: tuple[str, ...] = eqx.field(static=True)

    def __call__(
        self, t: Float[Array, ""], state: FlowState, outputs: ScaledOutputs | None = None
    ) -> dict[str, Array]:
        weights, samples = state.weights, self.samples
        observed, features, numbers = weights.observe(samples.x, samples.n, self.field.p)
        # Where outputs are known the pass over the samples is not compiled.
        f = observed if outputs is None else outputs
        observation = {
            "loss": weighted_loss(self.field.loss, samples, f),
            **self.score.of(weights, samples, f),
            **numbers,
            "dissipated": state.dissipated,
        }
        if features is not None:
            observation["stable_rank"] = stable_rank(features).astype(state.dissipated.dtype)
        if "centers" in self.groups:
            observation["center_output"] = weights.network(self.field.p).in_unit(self.mu).unscaled
        return observation


def weighted_loss(loss: AbstractLoss, samples: Samples, f: ScaledOutputs) -> Float[Array, ""]:
    """Σ_i ω_i ℓ(y_i, f_i)."""
    y, omega = samples.labels
    return jnp.sum(omega * loss.value(y, f.unscaled))


class Portrait(eqx.Module):
    """Observes every single neuron, under the names of the record."""

    references: Float[Array, "R D"]
    complement: Float[Array, "q D"]
    """Orthonormal directions orthogonal to all samples; none if the samples span the space."""
    p: float = eqx.field(static=True)
    groups: tuple[str, ...] = eqx.field(static=True)
    observe: tuple[tuple[str, Observable], ...] = eqx.field(static=True, default=())
    """Names and functions that a caller gave."""

    def __call__(self, neurons: AbstractFirstLayer) -> dict[str, Array]:
        portrait = self._neurons(neurons) if "neurons" in self.groups else {}
        if "directions" in self.groups:
            portrait["direction"] = neurons.direction
        if "orthogonal" in self.groups and self.complement.shape[0]:
            along = jnp.log(jnp.abs(neurons.direction @ self.complement.T))
            portrait["orthogonal"] = along + self.p / neurons.degree * neurons.log_norm[:, None]
        network = Snapshot(neurons, self.p)
        return portrait | {name: jnp.asarray(function(network)) for name, function in self.observe}

    def _neurons(self, neurons: AbstractFirstLayer) -> dict[str, Array]:
        return {
            "cosine": cosines(neurons.direction, self.references).astype(jnp.float32),
            "chord": chords(neurons.direction, self.references).astype(jnp.float32),
            "log_norm": neurons.log_norm,
            "log_output": neurons.log_output,
            "sign": neurons.sign.astype(jnp.int8),
        }


def observers(
    problem: Problem,
    score: AbstractScore,
    groups: tuple[str, ...],
    rng: np.random.Generator,
    *,
    observe: Mapping[str, Observable],
) -> tuple[Probe, Portrait]:
    """The probe and the portrait of a run.

    **Arguments:**

    - `problem`: the flow, and the centers that neurons are compared with.
    - `score`: how outputs are held against labels.
    - `groups`: the groups to record, among "neurons", "centers", "orthogonal", "directions".
    - `rng`: chooses the directions orthogonal to the samples, if there are any.
    - `observe`: functions of a caller, by name.
    """
    centers, samples, p = problem.centers, problem.samples, problem.field.p
    if centers.D <= PICTURED and "neurons" in groups:
        groups = (*groups, "directions")
    x = np.asarray(samples.x, np.float64).reshape(-1, centers.D)
    complement = _complement(x, rng) if "orthogonal" in groups else np.zeros((0, centers.D))
    return (
        Probe(problem.field, samples, jax.device_put(centers.mu), score, groups),
        Portrait(
            jax.device_put(centers.references),
            jax.device_put(complement),
            p,
            groups,
            observe=tuple(observe.items()),
        ),
    )


def _complement(x: Float[np.ndarray, "n D"], rng: np.random.Generator) -> Float[np.ndarray, "q D"]:
    """Up to COMPLEMENT orthonormal directions that are orthogonal to every sample."""
    if _span_the_space(x):
        return np.zeros((0, x.shape[1]))

    # R has the singular values and right singular vectors of the samples but at most D rows; the
    # Gram matrix would lose half of the digits.
    singular, vt = np.linalg.svd(np.linalg.qr(x, mode="r"), full_matrices=True)[1:]
    null = vt[int((singular > 1e-9 * singular.max()).sum()) :]
    mix = rng.standard_normal((null.shape[0], min(COMPLEMENT, null.shape[0])))
    return np.linalg.qr(null.T @ mix)[0].T


def _span_the_space(x: Float[np.ndarray, "n D"]) -> bool:
    """Whether 2D of the samples show that all D singular values are above 1e-8 of the largest.

    False leaves it open.
    """
    n, D = x.shape
    if n < D:
        return False
    some = x[:: max(n // (2 * D), 1)][: 2 * D]
    # Rounding moves the Gram matrix and its factors by less than D·4e-16 of its trace, so whatever
    # factors after a larger shift is positive definite.
    try:
        np.linalg.cholesky(some.T @ some - 4e-15 * D * (x**2).sum() * np.eye(D))
    except np.linalg.LinAlgError:
        return False
    return True


def to_record(trajectory: Trajectory, centers: Centers, clock: float) -> xr.Dataset:
    """A trajectory as labeled arrays.

    **Arguments:**

    - `trajectory`: observations of a `Probe`.
    - `centers`: the centers they were compared with.
    - `clock`: κ·π, π the mean subclass weight; time is stored as t and as κπt.
    """
    names = list(centers.reference_names)
    coordinates = {
        "time": trajectory.times,
        "scaled_time": clock * trajectory.times,
        "scheduled": trajectory.scheduled,
        "neuron": np.arange(trajectory.state.weights.width),
        "center": np.array(names[: centers.K]),
        "reference": np.array(names),
    }
    return labeled(trajectory.observations, coordinates)
