"""A scenario of one flow made concrete: data drawn, neurons initialized, integration set up.

One idea: this is where words become letters.  Every random choice draws from its own named stream
of the seed, so changing the width leaves the data as they were.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from gflow.cost.memory import ROWS
from gflow.data.centers import Centers
from gflow.data.dataset import Dataset
from gflow.data.labeled import Labeled
from gflow.data.source import draw, draw_deep
from gflow.flow.charts import field_of
from gflow.flow.field import AbstractField
from gflow.flow.fold import Fold
from gflow.flow.losses import LOSSES, CrossEntropy
from gflow.flow.module_field import ModuleField
from gflow.flow.recipe import Recipe
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.vector_field import VectorField
from gflow.laws.timescales import alignment_end
from gflow.network.deep import DeepNetwork, deep_network
from gflow.network.initial import balanced, cartesian, initial_weights
from gflow.network.lightcone import lightcone
from gflow.network.neurons import AbstractFirstLayer, AbstractNeurons
from gflow.network.vector import VectorNeurons, vector_neurons
from gflow.random import stream
from gflow.scenario import SAFE_TOLERANCE, Scenario

WORTH_FOLDING = 2e11
"""Operations a flow must be expected to take before folding its neurons pays for compiling."""


class Problem(NamedTuple):
    """One gradient flow, ready to be integrated."""

    train: Dataset | Labeled
    test: Dataset | Labeled | None
    centers: Centers
    pi: Float[np.ndarray, " K"]
    """Weight π_k of each subclass in the loss."""
    alpha: float | None
    """Within-subclass noise, drawn or measured; None where the subclasses are unknown."""
    weights: AbstractFirstLayer
    samples: Samples
    field: AbstractField
    schedule: Schedule
    controls: Controls
    fold: Fold | None
    recipe: Recipe | None
    """How to descend; None to flow."""


def prepare(scenario: Scenario, start: float = 0.0) -> Problem:
    """Draw the data and the initialization of a scenario of one flow, and set up its integration.

    **Arguments:**

    - `scenario`: one flow.
    - `start`: flow time at which the integration begins; only later record times are scheduled.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    if scenario.network.is_deep:
        return _prepare_deep(scenario, start)
    with jax.enable_x64(True):
        train, test, centers = draw(scenario)
        omega = np.full(train.n, 1.0 if scenario.flow.convention == "sum" else 1.0 / train.n)
        samples = Samples.blocked(train.x, train.y, omega, ROWS, dtype=scenario.flow.precision)
        neurons = _neurons(scenario, centers)
        field = field_of(neurons, LOSSES[scenario.flow.loss], float(scenario.network.power))
        pi = _subclass_weights(train, centers, omega)
        rate = scenario.network.power * field.loss.kappa * pi
        recipe = _recipe(scenario)
        end = _end(scenario, recipe, train.n)
        schedule = _schedule(scenario, centers, rate * _pace(neurons), end).after(start)
        controls = _controls(scenario, float(rate.mean()), float(field.scale(neurons)))
    alpha = _noise(scenario, train, centers)
    return Problem(
        train, test, centers, pi, alpha, neurons, samples, field, schedule, controls,
        _fold(scenario, train), recipe,
    )  # fmt: skip


def _prepare_deep(scenario: Scenario, start: float) -> Problem:
    """The same for a network of any depth or of many outputs.

    In plain coordinates times are spread over the flow as a whole.
    """
    network, flow = scenario.network, scenario.flow
    with jax.enable_x64(True):
        train, test, centers = draw_deep(scenario)
        y, outputs, class_of = _targets(train, network.outputs)
        omega = np.full(train.n, 1.0 if flow.convention == "sum" else 1.0 / train.n)
        samples = Samples.blocked(train.x, y, omega, ROWS, dtype=flow.precision)
        loss = CrossEntropy() if isinstance(train, Labeled) else LOSSES[flow.loss]
        polar = scenario.chart == "polar"
        start_of = _vector_neurons if polar else _layers
        neurons = start_of(scenario, train.D, outputs, class_of)
        field = (VectorField if polar else ModuleField)(loss, float(network.power))
        recipe = _recipe(scenario)
        pi = _subclass_weights(train, centers, omega)
        pace = network.power * loss.kappa * pi if polar else np.ones(centers.K)
        controls = _controls(scenario, float(pace.mean()), float(field.scale(neurons)))
        end = _end(scenario, recipe, train.n)
        schedule = (
            _schedule(scenario, centers, pace, end) if polar else _even_schedule(scenario, end)
        ).after(start)
    return Problem(
        train, test, centers, pi, None, neurons, samples, field, schedule, controls, None, recipe
    )


def _vector_neurons(
    scenario: Scenario, D: int, outputs: int, class_of: tuple[int, ...] | None
) -> VectorNeurons:
    network = scenario.network
    return vector_neurons(
        network.width,
        D,
        outputs,
        float(np.log(network.init_scale)),
        stream(scenario.seed, "hidden"),
        network.bias,
        network.input_normalized,
        class_of,
    )


def _layers(
    scenario: Scenario, D: int, outputs: int, class_of: tuple[int, ...] | None
) -> DeepNetwork:
    network = scenario.network
    return deep_network(
        [D] + [network.width] * network.hidden_layers,
        outputs,
        network.init_scale,
        stream(scenario.seed, "hidden"),
        network.power,
        network.bias,
        network.input_normalized,
        network.skip,
        network.layer_norm,
        network.layer_init,
        class_of,
    )


def _targets(
    train: Dataset | Labeled, outputs: str
) -> tuple[Float[np.ndarray, " n"], int, tuple[int, ...] | None]:
    """What outputs are held against, how many there are, and what is read off them."""
    if not isinstance(train, Labeled):
        return train.y, 1, None
    if outputs == "classes":
        return train.label.astype(float), train.C, None
    return train.subclass.astype(float), train.K, train.class_of


def _end(scenario: Scenario, recipe: Recipe | None, n: int) -> float:
    """When a flow ends, or descent on `n` samples, by time or by epochs."""
    end = scenario.flow.end_time
    if recipe is None or recipe.epochs is None:
        return end
    return min(end, recipe.epochs * recipe.batches(n) * recipe.time_of_step)


def _even_schedule(scenario: Scenario, end: float) -> Schedule:
    """Linear times, and geometric ones before the first of them."""
    linear = np.linspace(0, end, scenario.record.linear + 1)[1:]
    early = np.geomspace(1e-3 * linear[0], linear[0], scenario.record.geometric + 1)
    return Schedule(np.unique(np.concatenate([early[:-1], linear])))


def _neurons(scenario: Scenario, centers: Centers) -> AbstractNeurons:
    network, seed = scenario.network, scenario.seed
    v = stream(seed, "output").standard_normal(network.width)
    sign = np.where(v < 0, -1.0, 1.0)
    average = centers.averages[np.where(v < 0, 1, 0)]
    hidden, kind = stream(seed, "hidden"), network.neuron_init
    w = initial_weights(network.width, centers.D, kind, hidden, centers.mu, average, network.nudge)
    v = network.output_scale * v
    if scenario.chart == "polar":
        return balanced(w, sign, float(np.log(network.init_scale)))
    if network.balanced:
        v = sign * np.linalg.norm(w, axis=1)
    if scenario.chart == "lightcone":
        return lightcone(w, v, float(np.log(network.init_scale)))
    return cartesian(w, v, network.init_scale, network.degree)


def _pace(neurons: AbstractNeurons) -> float:
    """How fast directions turn at the start against a normalized flow: ‖w_j‖^{q-1}, at most 1."""
    return float(np.exp(min((neurons.degree - 1) * np.asarray(neurons.log_norm).mean(), 0.0)))


def _subclass_weights(
    train: Dataset | Labeled, centers: Centers, omega: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " K"]:
    subclass = train.subclass if train.subclass is not None else np.where(train.target > 0, 0, 1)
    return np.bincount(subclass, weights=omega, minlength=centers.K)


def _noise(scenario: Scenario, train: Dataset, centers: Centers) -> float | None:
    if scenario.data.kind == "mixture":
        return scenario.data.noise
    if train.subclass is None:
        return None
    return float(np.sqrt(((train.x - centers.mu[train.subclass]) ** 2).sum(axis=1).mean()))


def _fold(scenario: Scenario, train: Dataset) -> Fold | None:
    flow, network = scenario.flow, scenario.network
    quiet = max(0.0, float(np.log(1e-7 / network.init_scale)))
    evaluations = 60 + 0.3 * network.power * quiet
    operations = 4 * train.n * train.D * network.width * evaluations
    pays = flow.coalesce == "on" or (flow.coalesce == "auto" and operations > WORTH_FOLDING)
    polar = scenario.chart == "polar"
    return Fold(flow.merge_angle, hold=True) if pays and polar else None


def _recipe(scenario: Scenario) -> Recipe | None:
    train = scenario.train
    if train.method == "flow":
        return None
    seed = int(stream(scenario.seed, "batches").integers(2**31))
    return Recipe(
        method=train.method,
        step_size=train.step_size,
        batch=train.batch,
        momentum=train.momentum,
        epochs=train.epochs,
        seed=seed,
        time_of_step=train.time_of_step,
    )


def _schedule(
    scenario: Scenario, centers: Centers, rate: Float[np.ndarray, " K"], end: float
) -> Schedule:
    """Times linear through alignment, then geometric to the end."""
    turn = min(max(_class_alignment_end(scenario, centers, rate, s) for s in (1, -1)), end)
    linear = np.linspace(0, turn, scenario.record.linear + 1)[1:]
    later = np.geomspace(turn, end, scenario.record.geometric + 1)[1:]
    times = np.unique(np.concatenate([linear, later, [end]]))
    # Rounding may leave two times that differ in the last digit.
    times = times[np.append(np.diff(times) > 1e-9 * end, True)]
    return Schedule(times)


def _class_alignment_end(
    scenario: Scenario, centers: Centers, rate: Float[np.ndarray, " K"], sign: int
) -> float:
    own = centers.label == sign
    D, p = centers.D, float(scenario.network.power)
    return 1.5 * alignment_end(D, int(own.sum()), p, float(rate[own].mean()))


def _controls(scenario: Scenario, rate: float, scale: float) -> Controls:
    flow = scenario.flow
    plain = scenario.chart == "cartesian"
    # Unless one was given, the absolute tolerance follows the smallest neuron that was drawn.
    absolute = flow.absolute_tolerance or SAFE_TOLERANCE * scale
    return Controls(
        solver=scenario.solver,
        rtol=flow.tolerance if plain else 0.0,
        atol=absolute if plain else flow.tolerance,
        min_step=scenario.min_step / rate,
        max_steps=flow.max_steps,
    )
