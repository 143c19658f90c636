"""What a caller gives a simulation beside its scenario: neurons, a loss, functions to observe.

None of it can be written into a scenario file, so the question of such a run holds a checksum of
each in its place (`network.given`, `flow.given`, `record.given`): runs that were given something
else are other questions, in other folders.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx

from gflow.errors import ScenarioError
from gflow.flow.losses import LOSSES, AbstractScalarLoss
from gflow.network.given import GivenNeurons, given_neurons
from gflow.network.snapshot import Snapshot
from gflow.runs import observables, own_loss
from gflow.runs.observables import Observable
from gflow.scenario import NeuronsTable, Scenario
from gflow.scenario.rules import SMALLEST_CARTESIAN
from gflow.table import GIVEN


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
        None if loss is None else own_loss.own_loss(loss, scenario),
        observables.observables(observe or {}),
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
        named = None if name else own_loss.name_of(given.loss)
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
        observables.name_of(name, function, network) for name, function in given.observe.items()
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
