"""What a caller gives a simulation beside its scenario: neurons, a loss, functions to observe.

None of it can be written into a scenario file, so the question of such a run holds a checksum of
each in its place (`network.given`, `flow.given`, `record.given`): runs that were given something
else are other questions, in other folders.  The checksum of a function is that of the program jax
makes of it, so it counts what is computed and not how it is written.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gflow.errors import ScenarioError
from gflow.flow.losses import LOSSES, AbstractScalarLoss
from gflow.network.given import GivenNeurons, given_neurons
from gflow.network.snapshot import Snapshot
from gflow.runs.layout import COORDINATES, QUANTITIES
from gflow.scenario import NeuronsTable, Scenario
from gflow.scenario.rules import SMALLEST_CARTESIAN
from gflow.table import GIVEN

Observable = Callable[[Snapshot], Any]
"""From a network at one time to a number or an array; jax must be able to trace it."""


class Given(NamedTuple):
    """What was given beside a scenario."""

    neurons: GivenNeurons | None = None
    """Where the flow starts; None for the start of the scenario."""
    loss: AbstractScalarLoss | None = None
    """The loss; None for the one that the scenario names."""
    observe: Mapping[str, Observable] = {}
    """What is recorded besides, by its name in the record."""

    def __bool__(self) -> bool:
        """Whether anything was given."""
        return self.neurons is not None or self.loss is not None or bool(self.observe)


def received(neurons: Any, loss: Any, observe: Any, scenario: Scenario) -> Given:
    """What a caller gives, checked against a scenario of one flow.

    **Arguments:** see `gflow.simulate`.

    **Raises:** `DataError` for neurons, `ScenarioError` for the rest.
    """
    return Given(
        None if neurons is None else _start(neurons, scenario),
        None if loss is None else _own_loss(loss, scenario),
        _observables(observe or {}),
    )


def question_of(scenario: Scenario, given: Given) -> Scenario:
    """The question of a scenario with given neurons and a given loss.

    Given neurons have the width and the scale that they have, are balanced if they are, and flow in
    the light-cone chart if they are not, unless the scenario wants plain weights.

    **Raises:** `ScenarioError` if something that the question names was not given again.
    """
    values: dict[str, Any] = {}
    if (start := given.neurons) is not None:
        values = {
            "network.init": GIVEN,
            "network.given": start.checksum,
            "network.width": start.width,
            "network.init_scale": start.scale,
            "network.balanced": start.balanced,
            "network.output_scale": None,
            "network.nudge": None,
        }
        if scenario.flow.chart == "polar" and scenario.network.degree == 1 and not start.balanced:
            values["flow.chart"] = "lightcone"
    if given.loss is not None:
        name = next((one.name for one in LOSSES.values() if eqx.tree_equal(one, given.loss)), None)
        named = None if name else _named(given.loss)
        values |= {"flow.loss": name or GIVEN, "flow.given": named}
    question = scenario.with_values(values) if values else scenario
    present = {
        "network.given": given.neurons is not None,
        "flow.given": given.loss is not None,
        "record.given": bool(given.observe),
    }
    if missing := [_ARGUMENTS[key] for key in question.given if not present[key]]:
        raise ScenarioError(
            (
                f"{question.name}: the question must come with what Python gave it, but "
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; call "
                "gflow.simulate, or gflow.continue_ of a run, with it.",
            )
        )
    return question


_ARGUMENTS = {
    "network.given": "`neurons`",
    "flow.given": "`loss`",
    "record.given": "`observe`",
}
"""What has to be given again, by the key that names it."""


def with_observed(question: Scenario, given: Given, network: Snapshot) -> Scenario:
    """The question with a checksum of each function that observes networks like this one.

    **Raises:** `ScenarioError` for a function that jax cannot trace.
    """
    if not given.observe:
        return question
    names = tuple(
        f"{name} {_checksum_of_observable(name, function, network)}"
        for name, function in given.observe.items()
    )
    return question.with_values({"record.given": names})


def refuse_another(question: Scenario, stored: Scenario) -> None:
    """Refuse to continue a stored question with another loss or other functions.

    **Raises:** `ScenarioError` that names them.
    """
    for key in stored.given:
        if (now := question.value(key)) != (before := stored.value(key)):
            raise ScenarioError(
                (
                    f"{_ARGUMENTS[key]} must be what the run was given, {before}, but is {now}; "
                    "give the same, or simulate anew.",
                )
            )


def _start(neurons: Any, scenario: Scenario) -> GivenNeurons:
    if not isinstance(scenario.network, NeuronsTable):
        raise ScenarioError(
            (
                '`neurons` must be given to network.kind = "neurons", but the scenario has '
                f'"{scenario.network.kind}"; give `gflow.flow_of` a module of your own.',
            )
        )
    start = given_neurons(neurons, scenario.data.sizes.D, float(scenario.network.power))
    if scenario.chart == "cartesian":
        start.refuse_underflow(SMALLEST_CARTESIAN ** (1 / scenario.network.degree))
    return start


LABELS = np.array([1.0, -1.0])
OUTPUTS = np.array([-7.3, -2.1, -0.83, -0.17, -1.3e-3, 1.3e-3, 0.19, 0.77, 1.9, 6.7])
"""Where a given loss is held against its own force: outputs that are no likely kink of it."""

CLOSE = 1e-6
"""Relative error allowed in the force of a given loss."""


def _own_loss(loss: Any, scenario: Scenario) -> AbstractScalarLoss:
    if not isinstance(loss, AbstractScalarLoss):
        hint = f"{loss.__name__}()" if isinstance(loss, type) else "a subclass of it"
        raise ScenarioError(
            (
                "`loss` must be a gflow.flow.losses.AbstractScalarLoss, but is "
                f"{type(loss).__name__}; try {hint}.",
            )
        )
    if scenario.network.grain != "sign":
        raise ScenarioError(
            (
                "`loss` must be left out for many outputs, whose loss is the cross-entropy, but is "
                f'{type(loss).__name__}; set network.outputs = "sign".',
            )
        )
    _check_loss(loss)
    return loss


def _check_loss(loss: AbstractScalarLoss) -> None:
    """Refuse a loss whose force is not its slope, or not κ y at f = 0."""
    y, f = (a.ravel() for a in np.meshgrid(LABELS, OUTPUTS))
    name = type(loss).__name__
    with jax.enable_x64(True):
        try:
            value, force = (np.asarray(g(jnp.asarray(y), jnp.asarray(f)))
                            for g in (loss.value, loss.force))  # fmt: skip
            slope = jax.grad(lambda f: loss.value(jnp.asarray(y), f).sum())(jnp.asarray(f))
            start = np.asarray(loss.force(jnp.asarray(LABELS), jnp.zeros(2)))
        # Whatever the code of a caller raises.
        except Exception as error:
            raise ScenarioError(
                (
                    f"`loss` must be functions of arrays y and f that jax can trace, but {name} "
                    f"raises {type(error).__name__} ({_first_line(error)}); use jax.numpy.",
                )
            ) from error
    slope = np.asarray(slope)
    if value.shape != f.shape or force.shape != f.shape:
        raise ScenarioError(
            (
                f"`loss` must give a number for each sample, but {name} gives shapes {value.shape} "
                f"and {force.shape} for {f.shape}; leave out sums and means.",
            )
        )
    if not (np.isfinite(value) & (value >= 0)).all():
        at = int((~(np.isfinite(value) & (value >= 0))).argmax())
        raise ScenarioError(
            (
                f"`loss.value` must be finite and at least 0, but is {value[at]:g} at y = "
                f"{y[at]:g}, f = {f[at]:g}; add a constant.",
            )
        )
    off = np.abs(force + slope)
    if not (off <= CLOSE * np.maximum(np.abs(slope), np.abs(slope).max() * CLOSE)).all():
        at = int(np.nan_to_num(off, nan=np.inf).argmax())
        raise ScenarioError(
            (
                f"`loss.force` must be minus the slope of `loss.value`, but is {force[at]:g} where "
                f"that is {-slope[at]:g} (y = {y[at]:g}, f = {f[at]:g}); mend one of them.",
            )
        )
    kappa = float(loss.kappa)
    if not (kappa > 0 and np.allclose(start, kappa * LABELS, rtol=CLOSE, atol=0)):
        raise ScenarioError(
            (
                f"`loss.kappa` must be the size of the force at f = 0, but is {kappa:g} where the "
                f"force at y = 1 and -1 is {start[0]:g} and {start[1]:g}; mend one of them.",
            )
        )


def _observables(observe: Any) -> dict[str, Observable]:
    if not isinstance(observe, Mapping) or not all(map(callable, observe.values())):
        raise ScenarioError(
            (
                "`observe` must be functions by their names, but is "
                f'{type(observe).__name__}; try observe={{"mass": lambda net: net.log_norm}}.',
            )
        )
    for name in observe:
        if not (isinstance(name, str) and name.isidentifier()) or name in _RECORDED:
            raise ScenarioError(
                (
                    f"`observe` must name functions by a word that the record has not, but has "
                    f"{name!r}; choose another.",
                )
            )
    return dict(observe)


_RECORDED = {*QUANTITIES, *COORDINATES, "input", "layer", "complement"}
"""Names that the record has."""


def _checksum_of_observable(name: str, function: Observable, network: Snapshot) -> str:
    try:
        return _checksum(lambda net: jnp.asarray(function(net)), network)
    # Whatever the code of a caller raises.
    except Exception as error:
        raise ScenarioError(
            (
                f"`observe` must be functions that jax can trace, but {name!r} raises "
                f"{type(error).__name__} ({_first_line(error)}); use jax.numpy on `net.u`, `net.W` "
                "and others, as gflow.network.snapshot says.",
            )
        ) from error


def _named(loss: AbstractScalarLoss) -> str:
    """Name and checksum of a loss."""
    y, f = jnp.ones(2), jnp.zeros(2)
    with jax.enable_x64(True):
        programs = [_checksum(function, y, f) for function in (loss.value, loss.force)]
    return f"{type(loss).__name__} {_short(f'{programs} {loss.kappa}'.encode())}"


def _checksum(function: Callable, *arguments: Any) -> str:
    """Checksum of the program that jax makes of a function of such arguments."""
    with jax.enable_x64(True):
        program = jax.make_jaxpr(lambda *args: jax.tree.leaves(function(*args)))(*arguments)
    # Addresses of functions differ from process to process.
    text = re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr))
    constants = b"".join(np.asarray(constant).tobytes() for constant in program.consts)
    return _short(text.encode() + constants)


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
