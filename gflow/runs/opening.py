"""A population start, as a scenario asks for it: refused with the reason, or recorded like a flow.

While the network is negligible a record needs no pass over the samples.  The loss is what it was
less the energy dissipated, outputs at the centers cost nothing, and margins, which are of size ε²
and decide nothing, are left out (nan).
"""

from typing import cast

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gflow.errors import PrecisionError
from gflow.flow.blurred import Mixture
from gflow.flow.field import FlowState
from gflow.flow.observer import Observer
from gflow.flow.population_start import Refusal, Start, population_start
from gflow.measure.balance import squared_norm
from gflow.network.neurons import PolarNeurons
from gflow.runs.problem import Problem
from gflow.scenario import Scenario


class QuietProbe(eqx.Module):
    """What `Probe` observes, as far as it is known without the samples (final)."""

    loss_at_zero: Float[Array, ""]
    mu: Float[Array, "K D"]
    p: float = eqx.field(static=True)
    groups: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, t: Float[Array, ""], state: FlowState) -> dict[str, Array]:
        neurons, unknown = state.weights, jnp.full_like(state.dissipated, jnp.nan)
        observation = {
            "loss": self.loss_at_zero - state.dissipated,
            "margin_min": unknown,
            "margin_mean": unknown,
            "accuracy": unknown,
            "squared_norm": squared_norm(neurons.log_norm, neurons.log_output),
            "dissipated": state.dissipated,
        }
        if "centers" in self.groups:
            observation["center_output"] = neurons.network(self.p)(self.mu)
        return observation


def opening(scenario: Scenario, problem: Problem, observer: Observer) -> Start:
    """Follow a scenario's flow in expectation until its neurons are aligned.

    **Raises:** `PrecisionError` with the reason where that is impossible, or where the expected
    error exceeds `flow.start_error`.

    **Source:** theory D4.
    """
    train, field = problem.train, problem.field
    # At f = 0 the loss is known; from there on it is what the motion dissipates.
    omega = np.asarray(problem.samples.omega).reshape(-1)[: train.n]
    at_zero = float(omega.sum()) * field.loss.value(jnp.ones(()), jnp.zeros(()))
    probe = QuietProbe(at_zero, jnp.asarray(problem.centers.mu), field.p, scenario.recorded_groups)
    # No unscheduled record is worth its place while nothing happens.
    start = population_start(
        cast(PolarNeurons, problem.weights),
        Mixture.of(train.x, train.labels("sign"), train.subclass, omega),
        problem.schedule,
        loss=field.loss,
        p=field.p,
        controls=problem.controls,
        observer=Observer(probe, observer.portrait, watch=observer.watch),
    )
    if isinstance(start, Refusal):
        raise _refused(start.reason)
    if reason := start.deviation.refused(scenario.flow.start_error):
        raise _refused(reason)
    return start


def _refused(reason: str) -> PrecisionError:
    return PrecisionError(f'`flow.start` must be "sample" here, but is "population". {reason}')
