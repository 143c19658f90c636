"""What an exact velocity has beyond the closed form of the surrogate, read off one velocity."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gflow.flow.closed_form import closed_form
from gflow.flow.field import AbstractNeuronField, FlowState
from gflow.flow.outputs import Outputs
from gflow.flow.pull import pull_on, tangent
from gflow.flow.response import Response, expected_output
from gflow.flow.samples import Samples
from gflow.flow.subclasses import Subclasses
from gflow.network.scaled_outputs import ScaledOutputs


class Remainder(eqx.Module):
    """What an exact velocity has beyond the closed form, at one time or at several (final)."""

    force: Float[Array, "*m K"]
    """ρ_k, the force of a subclass over that at its mean output."""
    offset: Float[Array, "*m K"]
    """β_k, its mean output less the expected one f̄_k, over F."""
    climb: Float[Array, "*m h D"]
    """R_j, orthogonal to u_j at its time."""
    phi: Float[Array, "*m h"]
    """P_j."""
    outputs: Float[Array, "*m n"]
    """What f(x_i) is beyond the response of its subclass, over F."""


class Reading(eqx.Module):
    """The remainder at one time, and its size (final)."""

    remainder: Remainder
    rest: Float[Array, ""]
    """√Σ_j(‖R_j‖² + P_j²)."""
    pull: Float[Array, ""]
    """The same of the whole velocity, ‖G - radial part‖ and Φ, over S."""
    finite: Bool[Array, ""]
    values: ScaledOutputs
    """f(x_i)."""
    outputs: Outputs
    """Their sums."""


@eqx.filter_jit
def read_remainder(
    field: AbstractNeuronField, subclasses: Subclasses, samples: Samples, state: FlowState
) -> Reading:
    """The remainder at a state, by one exact velocity.

    **Source:** theory D16.
    """
    neurons = state.weights.projected()
    network, loss = neurons.network(field.p), field.loss
    u = network.direction
    y, omega = samples.labels
    # Outputs in units of the largest mass, so that none underflows however small the network is.
    top = network.log_unit
    unit = network.scaled(-top)
    pull, output, outputs = pull_on(unit, loss, samples, top)
    f, count = expected_output(unit, subclasses, subclasses.mean)
    F = jnp.sum(unit.mass)
    response = Response(f[None], (count.T @ u)[None], F[None])
    offset = (subclasses.total(omega * output) / subclasses.pi - f) / F
    # Forces: exact, and at the mean output of each subclass.
    f_i = jnp.exp(top) * output
    g = loss.force(y, f_i)
    exact = subclasses.total(omega * g)
    plain = subclasses.pi * loss.force(subclasses.label, jnp.exp(top) * (f + offset * F))
    force = jnp.where(plain == 0, 1.0, exact / jnp.where(plain == 0, 1.0, plain))
    form = closed_form(network, loss, subclasses, subclasses.mean, force=force, offset=offset)
    # The rest of what the neurons feel.
    climb, phi = tangent(pull, u) / form.size, jnp.sum(pull * u, axis=1) / (field.p * form.size)
    remainder = Remainder(
        force=force,
        offset=offset,
        climb=climb - tangent(form.pull, u) / form.size,
        phi=phi - form.phi / form.size,
        outputs=(output - response.on(samples, subclasses)[0]) / F,
    )
    leaves = jax.tree.leaves(remainder)
    return Reading(
        remainder,
        rest=_size(remainder.climb, remainder.phi),
        pull=_size(climb, phi),
        finite=jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all(),
        values=ScaledOutputs(output, top),
        outputs=outputs,
    )


def _size(climb: Float[Array, "h D"], phi: Float[Array, " h"]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.sum(climb**2) + jnp.sum(phi**2))
