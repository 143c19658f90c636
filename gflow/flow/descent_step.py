"""Steps of gradient descent, many of them in one compiled loop.

Batches are drawn without replacement: one permutation per epoch, whose remainder is left out.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from gflow.flow.field import AbstractField, FlowState
from gflow.flow.recipe import Recipe
from gflow.flow.samples import Samples
from gflow.network.weights import AbstractWeights
from gflow.scenario.step_sizes import StepSizes


class DescentMoment(eqx.Module):
    """Everything that is carried from one step to the next (final)."""

    step: Int[Array, ""]
    state: FlowState
    memory: PyTree
    """Of the optimizer."""
    order: Int[Array, " n"]
    """Permutation of this epoch."""


class DescentMachine(eqx.Module):
    """What does not change from step to step (final)."""

    field: AbstractField
    samples: Samples
    key: PRNGKeyArray
    step_size: Float[Array, ""]
    momentum: Float[Array, ""]
    sizes: StepSizes | None = eqx.field(static=True)
    """Of steps relative to `step_size`; None if all have this size."""
    method: str = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    batches: int = eqx.field(static=True)

    @classmethod
    def of(
        cls, field: AbstractField, samples: Samples, recipe: Recipe, dtype: jnp.dtype
    ) -> "DescentMachine":
        """The steps of a recipe, in the precision of the state."""
        return cls(
            field=field,
            samples=samples,
            key=jax.random.key(recipe.seed),
            step_size=jnp.asarray(recipe.step_size, dtype),
            momentum=jnp.asarray(recipe.momentum, dtype),
            sizes=None if recipe.sizes.even else recipe.sizes,
            method=recipe.method,
            batch=min(recipe.batch, samples.n),
            batches=recipe.batches(samples.n),
        )

    def begin(self, weights: AbstractWeights) -> DescentMoment:
        """The moment before the first step."""
        return DescentMoment(
            jnp.zeros((), jnp.int64),
            FlowState.begin(weights),
            self.optimizer(self.step_size).init(weights),  # pyright: ignore[reportArgumentType]
            jnp.arange(self.samples.n),
        )

    def optimizer(self, step_size: Float[Array, ""]) -> optax.GradientTransformation:
        """What makes a step of this size of a gradient."""
        if self.method == "adam":
            return optax.adam(step_size)  # pyright: ignore[reportArgumentType]
        return optax.sgd(step_size, self.momentum)  # pyright: ignore[reportArgumentType]

    def size_of(self, step: Int[Array, ""]) -> Float[Array, ""]:
        """The size of a step."""
        if self.sizes is None:
            return self.step_size
        return self.step_size * jnp.asarray(relative(self.sizes)(step), self.step_size.dtype)

    def permutation(self, epoch: Int[Array, ""]) -> Int[Array, " n"]:
        """The order of the samples in an epoch."""
        return jax.random.permutation(jax.random.fold_in(self.key, epoch), self.samples.n)

    def batch_of(self, step: Int[Array, ""], order: Int[Array, " n"]) -> Samples:
        """The batch of a step, its weights scaled up to those of all samples."""
        if not self.batch:
            return self.samples
        place = (step % self.batches) * self.batch
        some = jax.lax.dynamic_slice(order, (place,), (self.batch,))
        D = self.samples.x.shape[2]
        scale = self.samples.n / self.batch
        return Samples(
            self.samples.x.reshape(-1, D)[some][None],
            self.samples.y.reshape(-1)[some][None],
            self.samples.omega.reshape(-1)[some][None] * scale,
            self.samples.length.reshape(-1)[some][None],
            self.batch,
        )

    def advanced(self, moment: DescentMoment) -> DescentMoment:
        """One step."""
        # A new permutation where an epoch begins.
        order = moment.order
        if self.batch:
            order = jax.lax.cond(
                moment.step % self.batches == 0,
                lambda: self.permutation(moment.step // self.batches),
                lambda: order,
            )
        # The gradient of the batch is minus the velocity of its flow.
        state = moment.state
        velocity = self.field(jnp.zeros(()), state, self.batch_of(moment.step, order))
        slope = jax.tree.map(jnp.negative, velocity.weights)
        weights: Any = state.weights
        with jax.numpy_dtype_promotion("standard"):  # optax counts in int32
            size = self.size_of(moment.step)
            change, memory = self.optimizer(size).update(slope, moment.memory, weights)
            weights = optax.apply_updates(weights, change)
        spent = state.dissipated + size / (1 - self.momentum) * velocity.dissipated
        state = replace(state, weights=weights, dissipated=spent)
        return DescentMoment(moment.step + 1, state, memory, order)


def relative(sizes: StepSizes) -> optax.Schedule:
    """s_k as a function of k."""
    M, c, d = sizes.falling, sizes.final, sizes.drops
    # Stages may be empty, so that several drops come at one step.
    drops = {edge: c ** (count / d) for edge, count in Counter(sizes.edges[1:-1]).items()}
    fall = {
        "constant": lambda: optax.constant_schedule(1.0),
        "linear": lambda: optax.linear_schedule(1.0, c, M),
        "cosine": lambda: optax.cosine_decay_schedule(1.0, M, alpha=c),
        "exponential": lambda: optax.exponential_decay(1.0, M, c),
        "step": lambda: optax.piecewise_constant_schedule(1.0, drops),
    }[sizes.schedule]()
    # The first step of a warmup is not 0, so that every step counts.
    W = sizes.warmup
    rise = optax.linear_schedule(1 / (W + 1), 1.0, W)
    return optax.join_schedules([rise, fall], [W]) if W else fall


@eqx.filter_jit
def advance(machine: DescentMachine, moment: DescentMoment, count: Int[Array, ""]) -> DescentMoment:
    """The moment `count` steps later."""
    return jax.lax.fori_loop(0, count, lambda _, m: machine.advanced(m), moment)
