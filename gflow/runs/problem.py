"""The problem that a scenario of one flow poses: data, initial weights, and integration settings.

This is where the words of scenario files become the letters of the code.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from gflow.cost.memory import ROWS
from gflow.cost.minutes import worth_few
from gflow.data.centers import Centers
from gflow.data.dataset import Dataset
from gflow.errors import DataError
from gflow.flow.charts import field_of
from gflow.flow.field import AbstractField
from gflow.flow.losses import LOSSES, AbstractLoss, AbstractNamedLoss, CrossEntropy
from gflow.flow.recipe import Recipe
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.subclasses import Subclasses
from gflow.laws.timescales import alignment_end
from gflow.network.kinds import start_of
from gflow.network.weights import AbstractFirstLayer, Task
from gflow.random import stream
from gflow.runs.given import Given
from gflow.scenario import PLAIN_CHARTS, SAFE_TOLERANCE, Scenario
from gflow.scenario.rules import CLOSEST


class Problem(NamedTuple):
    """One gradient flow, ready to be integrated."""

    train: Dataset
    test: Dataset | None
    validation: Dataset | None
    centers: Centers
    pi: Float[np.ndarray, " K"]
    """Weight π_k of each subclass in the loss; of real labels |y| at the samples closest to it."""
    alpha: float | None
    """Noise within subclasses, set or measured; None if the subclasses are unknown."""
    weights: AbstractFirstLayer
    samples: Samples
    field: AbstractField
    schedule: Schedule
    controls: Controls
    subclasses: Subclasses | None
    """What few exact velocities suffice with; None to integrate directly."""
    recipe: Recipe | None
    """How to descend in steps; None for the flow."""


def prepare(scenario: Scenario, start: float = 0.0, given: Given = Given()) -> Problem:  # noqa: B008
    """Read or draw the data of a scenario, initialize the weights and set up the integration.

    **Arguments:**

    - `scenario`: one flow; the question of what is given.
    - `start`: flow time at which integration starts; only later record times are scheduled.
    - `given`: what a caller gave beside the scenario.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    flow, power, grain = scenario.flow, scenario.network.power, scenario.network.grain
    with jax.enable_x64(True):
        # The data: samples with their weights and targets, in blocks.
        split = scenario.data.training(scenario.seed)
        train, centers = split.train, split.centers_for(grain)
        _check_lengths(train, power, flow.precision)
        omega = np.full(train.n, 1.0 if flow.convention == "sum" else 1.0 / train.n)
        targets = train.targets(grain).astype(np.float64)
        samples = Samples.blocked(train.x, targets, omega, ROWS, dtype=flow.precision)

        # The network: its initial weights and their velocity.
        weights = (
            start_of(scenario, _task(scenario, train, centers))
            if given.neurons is None
            else given.neurons.in_chart(scenario.chart, scenario.network.degree)
        )
        field = field_of(weights, _loss(scenario, given), float(power))
        recipe = _recipe(scenario, train.n)

        # The integration: record times, scaled by the rate of alignment, and error control.
        # At f = 0 the force on a sample is κ|y|, which is κ where labels are classes.
        strength = omega * np.abs(train.labels("sign"))
        pi = np.bincount(train.subclass, weights=strength, minlength=centers.K)
        rate = power * field.loss.kappa * pi if weights.aligns else np.ones(centers.K)
        end = _end(scenario, recipe, train.n)
        times = (
            _alignment_times(scenario, centers, rate * _pace(weights), end)
            if weights.aligns
            else _even_times(scenario, end)
        )
        times = _with_own_times(times, np.asarray(scenario.record.times))
        # A sample pulls on a neuron by ‖x‖^p at most, so long ones call for shorter steps.
        length = np.linalg.norm(train.x, axis=1) ** power
        pull = float(rate.mean() * (strength @ length) / strength.sum())
        controls = _controls(scenario, pull, float(weights.scale))
        subclasses = _subclasses(scenario, train, field, omega)
    return Problem(
        train=train,
        test=split.test,
        validation=split.validation,
        centers=centers,
        pi=pi,
        alpha=_noise(scenario, train, centers),
        weights=weights,
        samples=samples,
        field=field,
        schedule=Schedule(times).after(start),
        controls=controls,
        subclasses=subclasses,
        recipe=recipe,
    )


def _check_lengths(train: Dataset, power: float, precision: str) -> None:
    """Refuse inputs so long or short that forces leave the range of their precision.

    **Raises:** `DataError` naming the longest input, and a length that will do.
    """
    largest = np.abs(train.x).max()
    # Of inputs divided by their largest entry, since squares of the entries may overflow.
    with np.errstate(divide="ignore"):
        length = np.log10(largest) + np.log10(np.linalg.norm(train.x / (largest or 1.0), axis=1))
    longest, limit = float(length.max()), LARGEST_PULL[precision] / power
    if abs(longest) > limit:
        size = f"1e{longest:.0f}" if largest else "0"
        raise DataError(
            f"inputs must be of a length whose power {power:g} is within 1e±"
            f"{LARGEST_PULL[precision]} in {precision}, but the longest is {size}; divide "
            "all by one number, such as their mean length."
        )


LARGEST_PULL = {"float32": 30, "float64": 250}
"""Decimal exponent of the largest ‖x‖^p, which a force is proportional to, by `flow.precision`."""


def _task(scenario: Scenario, train: Dataset, centers: Centers) -> Task:
    grain = scenario.network.grain
    return Task(
        centers=centers.mu,
        averages=centers.averages,
        outputs=train.outputs(grain),
        class_of=train.class_of if grain == "subclasses" else None,
        seed=scenario.seed,
    )


def _loss(scenario: Scenario, given: Given) -> AbstractLoss:
    """The loss of a single output, given or by its name; several outputs have the cross-entropy."""
    if given.loss is not None:
        return given.loss
    return LOSSES[scenario.flow.loss] if scenario.network.grain == "sign" else CrossEntropy()


def _end(scenario: Scenario, recipe: Recipe | None, n: int) -> float:
    """End time of a flow, or of descent on `n` samples, by time or by epochs."""
    end = scenario.flow.end_time
    if recipe is None or recipe.epochs is None:
        return end
    last = recipe.epochs * recipe.batches(n)
    return min(end, recipe.time(last)) if recipe.sizes.steps >= last else end


def _even_times(scenario: Scenario, end: float) -> Float[np.ndarray, " T"]:
    """Evenly spaced times, and geometrically spaced ones before the first of them."""
    linear = np.linspace(0, end, scenario.record.linear + 1)[1:]
    early = np.geomspace(1e-3 * linear[0], linear[0], scenario.record.geometric + 1)
    return np.unique(np.concatenate([early[:-1], linear]))


def _with_own_times(
    times: Float[np.ndarray, " T"], own: Float[np.ndarray, " S"]
) -> Float[np.ndarray, " U"]:
    """Both, without those of the first that are one of the second up to rounding."""
    near = np.isclose(times[:, None], own[None], rtol=CLOSEST, atol=0).any(axis=1)
    return np.union1d(times[~near], own[own <= times[-1] * (1 + CLOSEST)])


def _pace(weights: AbstractFirstLayer) -> float:
    """Initial speed of directions relative to a normalized flow: ‖w_j‖^{q-1}, at most 1."""
    return float(np.exp(min((weights.degree - 1) * np.asarray(weights.log_norm).mean(), 0.0)))


def _noise(scenario: Scenario, train: Dataset, centers: Centers) -> float | None:
    """α as the scenario sets it, or else the root mean square of ‖x - μ‖ over samples."""
    noise = scenario.data.facts.noise
    if noise is not None or not train.subclasses_known:
        return noise
    return float(np.sqrt(((train.x - centers.mu[train.subclass]) ** 2).sum(axis=1).mean()))


def _subclasses(
    scenario: Scenario, train: Dataset, field: AbstractField, omega: Float[np.ndarray, " n"]
) -> Subclasses | None:
    """The subclasses of the samples where few velocities are to be tried; else None."""
    known = train.subclasses_known and len(np.unique(train.subclass)) <= train.D
    known = known and train.flipped is None  # flipped samples pull another way than their subclass
    known = known and isinstance(field.loss, AbstractNamedLoss)
    possible = field.has_surrogate and scenario.train.is_flow and known
    if scenario.flow.method == "multirate" and not possible:
        raise DataError(
            '`flow.method` must be "direct" or "auto" unless a flow of neurons with one output has '
            "samples of known subclasses, at most one per dimension, and a loss with a name of its "
            'own, but is "multirate"; try flow.method = "auto".'
        )
    if not possible or not worth_few(scenario):
        return None
    return Subclasses.of(train.x, train.labels("sign").astype(float), train.subclass, omega)


def _recipe(scenario: Scenario, n: int) -> Recipe | None:
    train = scenario.train
    if train.method == "flow":
        return None
    return Recipe(
        method=train.method,
        step_size=train.step_size,
        batch=train.batch,
        momentum=train.momentum,
        epochs=train.epochs,
        seed=int(stream(scenario.seed, "batches").integers(2**31)),
        time_of_step=train.time_of_step,
        sizes=train.sizes(scenario.flow.end_time, n),
    )


def _alignment_times(
    scenario: Scenario, centers: Centers, rate: Float[np.ndarray, " K"], end: float
) -> Float[np.ndarray, " T"]:
    """Times evenly spaced during alignment, then geometrically spaced to the end."""
    # A class without any weight, as a teacher's neuron far from all samples, sets no pace.
    signs = [s for s in centers.signs if rate[centers.label == s].any()]
    turn = min(max(_class_alignment_end(scenario, centers, rate, s) for s in signs), end)
    linear = np.linspace(0, turn, scenario.record.linear + 1)[1:]
    later = np.geomspace(turn, end, scenario.record.geometric + 1)[1:]
    times = np.unique(np.concatenate([linear, later, [end]]))
    # Rounding may leave two times that differ only in the last digit.
    return times[np.append(np.diff(times) > 1e-9 * end, True)]


def _class_alignment_end(
    scenario: Scenario, centers: Centers, rate: Float[np.ndarray, " K"], sign: int
) -> float:
    own = centers.label == sign
    D, p = centers.D, float(scenario.network.power)
    return 1.5 * alignment_end(D, int(own.sum()), p, float(rate[own].mean()))


def _controls(scenario: Scenario, pull: float, scale: float) -> Controls:
    """Tolerances and limits, `pull` being the most that an average subclass pulls on a neuron.

    Across one kink of such a subclass the velocity jumps by `pull`, so a step of the smallest
    length across it is wrong by min_step, in radians; a forced step may be as wrong as that.
    """
    flow = scenario.flow
    plain = scenario.chart in PLAIN_CHARTS
    # By default the absolute tolerance follows the smallest initial neuron or layer.
    absolute = flow.absolute_tolerance or min(SAFE_TOLERANCE, flow.tolerance) * scale
    return Controls(
        solver=scenario.solver,
        rtol=flow.tolerance if plain else 0.0,
        atol=absolute if plain else flow.tolerance,
        min_step=scenario.min_step / pull,
        max_steps=flow.max_steps,
        largest_forced=max(1.0, scenario.min_step / flow.tolerance),
    )
