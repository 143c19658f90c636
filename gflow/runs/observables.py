"""Functions of a caller's that are recorded with a flow."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from gflow.errors import ScenarioError
from gflow.network.snapshot import Snapshot
from gflow.runs.fingerprint import fingerprint, first_line
from gflow.runs.layout import COORDINATES, QUANTITIES

Observable = Callable[[Snapshot], Any]
"""From a network at one time to a number or an array; jax must be able to trace it."""


def observables(observe: Any) -> dict[str, Observable]:
    """Functions by the names they are recorded under, checked.

    **Raises:** `ScenarioError` for a name that cannot be one, or is another's.
    """
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


def name_of(name: str, function: Observable, network: Snapshot) -> str:
    """Name and checksum of a function that observes networks like this one.

    **Raises:** `ScenarioError` if jax cannot trace it.
    """
    try:
        return f"{name} {fingerprint(lambda net: jnp.asarray(function(net)), network)}"
    # Whatever the code of a caller raises.
    except Exception as error:
        raise ScenarioError(
            (
                f"`observe` must be functions that jax can trace, but {name!r} raises "
                f"{type(error).__name__} ({first_line(error)}); use jax.numpy on `net.u`, `net.W` "
                "and others, as gflow.network.snapshot says.",
            )
        ) from error
