"""Finished flows, and the same as if their scenario or their record had said something else."""

from dataclasses import replace

from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario


def evidence_of(text, **overrides):
    """What a scenario leaves behind; `flow__end_time=20` sets `flow.end_time`."""
    chosen = [f"{key.replace('__', '.')}={value}" for key, value in overrides.items()]
    return simulate(parse_scenario(text, overrides=chosen)).evidence


def as_if(evidence, table, **values):
    """The same record, as if the scenario had said something else."""
    changed = getattr(evidence.scenario, table).model_copy(update=values)
    return replace(evidence, scenario=evidence.scenario.model_copy(update={table: changed}))


def altered(evidence, **changes):
    """The same scenario, as if arrays of the record had been changed by these functions."""
    record = evidence.record.copy(deep=True)
    for name, change in changes.items():
        record[name] = record[name].copy(data=change(record[name].values))
    return replace(evidence, record=record)


def slowed(evidence, factor):
    """The same flow with all of its times multiplied."""
    return replace(evidence, record=evidence.record.assign_coords(time=evidence.times * factor))
