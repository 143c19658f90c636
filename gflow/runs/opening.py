"""A population start, as a scenario asks for it: refused with the reason, or recorded like a flow.

One idea: while the network is negligible a record needs no pass over the samples.  The loss is what
it was less the energy dissipated, outputs at the centers cost nothing, and margins, which are of
size ε² and decide nothing, are left out (nan).
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gflow.errors import PrecisionError
from gflow.flow.blurred import Mixture
from gflow.flow.field import FlowState
from gflow.flow.population import Refusal, Start, population_start
from gflow.flow.schedule import Portrait, Watch
from gflow.measure.balance import squared_norm
from gflow.network.neurons import PolarNeurons
from gflow.runs.problem import Problem
from gflow.scenario import Scenario


class QuietProbe(eqx.Module):
    """What `Probe` observes, as far as it can be told without the samples."""

    loss_at_zero: Float[Array, ""]
    mu: Float[Array, "K D"]
    p: float = eqx.field(static=True)
    groups: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, t: Float[Array, ""], state: FlowState) -> dict[str, Array]:
        neurons, unknown = state.weights, jnp.full_like(state.dissipated, jnp.nan)
        seen = {
            "loss": self.loss_at_zero - state.dissipated,
            "margin_min": unknown,
            "margin_mean": unknown,
            "accuracy": unknown,
            "squared_norm": squared_norm(neurons.log_norm, neurons.log_output),
            "dissipated": state.dissipated,
        }
        if "centers" in self.groups:
            seen["center_output"] = neurons.network(self.p)(self.mu)
        return seen


def opening(scenario: Scenario, problem: Problem, portrait: Portrait, watch: Watch) -> Start:
    """Follow a scenario's flow in expectation until its neurons are aligned.

    **Raises:** `PrecisionError` with the reason where that is impossible, or where the expected
    error exceeds `flow.start_error`.

    **Source:** theory D4.
    """
    train = problem.train
    assert isinstance(problem.weights, PolarNeurons)
    omega = np.asarray(problem.samples.omega).reshape(-1)[: train.n]
    loss = problem.field.loss
    at_zero = float(omega.sum()) * loss.value(jnp.ones(()), jnp.zeros(()))
    probe = QuietProbe(
        at_zero, jnp.asarray(problem.centers.mu), problem.field.p, scenario.recorded_groups
    )
    found = population_start(
        problem.weights,
        Mixture.of(train.x, train.labels("sign"), train.subclass, omega),
        loss,
        problem.field.p,
        problem.schedule,
        problem.controls,
        probe,
        lambda before, now: False,
        watch,
        portrait,
    )
    if isinstance(found, Refusal):
        raise _refused(found.reason)
    if reason := found.deviation.refused(scenario.flow.start_error):
        raise _refused(reason)
    return found


def _refused(reason: str) -> PrecisionError:
    return PrecisionError(f'`flow.start` must be "sample" here, but is "population". {reason}')
