"""What a scenario means: defaults, its digest, its schema, and the words it may use."""

import json
import re
import subprocess
import sys
from typing import get_args

import pytest
from tables import mistakes, text

from gflow import scenario as scenarios
from gflow.flow import stepper
from gflow.flow.losses import LOSSES
from gflow.network.deep import INITIALIZATIONS
from gflow.network.initial import SHAPES
from gflow.robustness.norm import NORMS
from gflow.scenario import FlowTable, Scenario, parse_scenario, question, schema
from gflow.scenario import words as vocabulary
from gflow.scenario.tables import HEAD


def test_own_record_times_increase_and_end_with_the_flow():
    assert parse_scenario(text(record={"times": [1, 2.5, 16000]})).record.times == (1, 2.5, 16000)
    assert "must increase" in mistakes(text(record={"times": [2.0, 1.0]}))[0]
    assert "must not be after `flow.end_time`" in mistakes(text(record={"times": [16001.0]}))[0]
    assert "a list of numbers > 0" in mistakes(text(record={"times": [0.0]}))[0]


def test_the_solver_follows_the_power_unless_it_is_named():
    relu = parse_scenario(text(network={"power": 1}))
    prelu = parse_scenario(text())
    named = parse_scenario(text(flow={"solver": "heun"}))

    assert (relu.solver, prelu.solver, named.solver) == ("bosh3", "tsit5", "heun")
    assert (relu.min_step, prelu.min_step) == (scenarios.SLIDING_STEP, 0.0)


def test_the_digest_counts_what_changes_numbers_only():
    plain = parse_scenario(text())
    renamed = parse_scenario(
        'name = "other"\nquestion = "why?"\n' + text(checks={"predictions": []})
    )
    as_float = parse_scenario(text(network={"power": 3.0}))

    assert plain.digest() == renamed.digest() == as_float.digest()
    assert re.fullmatch("[0-9a-f]{8}", plain.digest())
    for key in ("data.imbalance", "data.center_angle", "network.normalized"):
        table, _, name = key.partition(".")
        default = getattr(getattr(plain, table), name)
        assert parse_scenario(text(**{table: {name: default}})).digest() == plain.digest()
    for other in (
        text(data={"noise": 0.2}),
        text(data={"imbalance": 2}),
        text(data={"center_angle": 80}),
        text(network={"power": 2}),
        text(network={"normalized": False}, flow={"chart": "cartesian"}),
        text(flow={"tolerance": 1e-4}),
        text(record={"linear": 5}),
        "seed = 1\n" + text(),
    ):
        assert parse_scenario(other).digest() != plain.digest()


def test_the_digest_counts_the_version_of_the_numerics(monkeypatch):
    before = parse_scenario(text()).digest()

    monkeypatch.setattr(question, "NUMERICS", scenarios.NUMERICS + 1)

    assert parse_scenario(text()).digest() != before


def test_a_scenario_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        parse_scenario(text()).network.width = 3


def test_every_key_of_the_schema_has_a_meaning():
    whole = schema()

    for table in whole["$defs"].values():
        for field in table["properties"].values():
            assert field["description"]
    assert whole["properties"]["vary"]["propertyNames"]["enum"][0] == "seed"
    json.dumps(whole)


def test_sentences_know_every_key_of_a_scenario():
    assert tuple(HEAD) == tuple(Scenario.model_fields)


def test_words_of_files_are_words_of_the_code():
    assert set(vocabulary.LOSSES) == set(LOSSES)
    assert set(vocabulary.NORMS) == set(NORMS)
    assert set(vocabulary.NEURON_INITS) == set(SHAPES)
    assert set(vocabulary.LAYER_INITS) == set(INITIALIZATIONS) - {"balanced"}
    assert set(get_args(FlowTable.model_fields["solver"].annotation)) == {
        "auto",
        *stepper.SOLVERS,
    }


def test_reading_a_scenario_imports_no_jax():
    program = "import gflow.scenario, gflow.cost, sys; sys.exit('jax' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
