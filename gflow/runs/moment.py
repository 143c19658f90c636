"""The network of a run at a recorded time."""

import jax
import numpy as np

from gflow.errors import RecordError
from gflow.judges.evidence import Evidence
from gflow.network.given import GivenNeurons
from gflow.network.snapshot import Snapshot
from gflow.network.weights import AbstractFirstLayer

_NEEDED = {"directions": "direction", "neurons": "log_norm"}
"""Record groups that neurons are read from, and a variable of each."""


def snapshot_at(evidence: Evidence, last: AbstractFirstLayer, t: float) -> Snapshot:
    """The network at the recorded time that is closest to `t`.

    **Arguments:**

    - `evidence`: the run.
    - `last`: its weights at the last time.
    - `t`: flow time.

    **Raises:** `RecordError` for a time after the end, or if directions were not recorded.
    """
    times, p = evidence.times, evidence.p
    if not times[0] <= t <= times[-1]:
        raise RecordError(
            f"`t` must lie within the record, {times[0]:g} to {times[-1]:g}, but is {t:g}; "
            "gflow.continue_(run, until) goes on from its end."
        )
    at = int(np.abs(times - t).argmin())
    if at == len(times) - 1:
        return Snapshot(last, p, float(times[at]))
    if missing := [group for group, name in _NEEDED.items() if name not in evidence.record]:
        groups = [*evidence.scenario.record.groups, *missing]
        raise RecordError(
            f"`record.groups` must have {' and '.join(missing)} for the network at "
            f"t = {times[at]:g}, but has not; set record.groups = {groups} and simulate again. "
            "Without them the network at the end is known."
        )
    then = evidence.record.isel(time=at)
    direction, log_norm, log_output, sign = (
        then[name].values.astype(np.float64)
        for name in ("direction", "log_norm", "log_output", "sign")
    )
    neurons = GivenNeurons(direction, log_norm, log_output, sign)
    with jax.enable_x64(True):
        chart = evidence.scenario.chart
        return Snapshot(neurons.in_chart(chart, evidence.degree), p, float(times[at]))
