"""How mistakes in a scenario are reported: one sentence each, in the words of a user."""

from pathlib import Path

import pytest
from tables import VARIABLE, mistakes, text

from gflow.errors import ScenarioError
from gflow.scenario import parse_scenario
from gflow.scenario.tables import models_of
from gflow.scenario.toml_lines import write_toml

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.toml"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_mistakes_read_as_expected(path):
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(path.read_text(encoding="utf-8"), path.name)

    message = f"{caught.value}\n"
    assert message == path.with_suffix(".txt").read_text(encoding="utf-8")
    for foreign in ("Input should", "Field required", "pydantic", "NoneType", "loc", "<class", "'"):
        assert foreign not in message


def test_the_tolerance_that_is_recommended_is_the_largest_accepted():
    flow = {"chart": "cartesian", "absolute_tolerance": 1e-13}

    assert parse_scenario(text(flow=flow)).flow.absolute_tolerance == 1e-13
    assert "far below" in mistakes(text(flow=flow | {"absolute_tolerance": 1.01e-13}))[0]


@pytest.mark.parametrize(("power", "smallest"), [(1, 1e-140), (3, 1e-46), (2.5, 1e-56)])
def test_the_scale_that_is_recommended_without_normalization_is_the_smallest_accepted(
    power, smallest
):
    def scaled(scale):
        network = {"power": power, "init_scale": scale, "normalized": False}
        return text(network=network, flow={"chart": "cartesian"})

    assert parse_scenario(scaled(smallest)).network.init_scale == smallest
    assert f"try {smallest:g}." in mistakes(scaled(0.99 * smallest))[0]


def test_the_degree_is_the_power_without_normalization_only():
    flow = {"chart": "cartesian"}

    assert parse_scenario(text()).network.degree == 1
    assert parse_scenario(text(network={"normalized": False}, flow=flow)).network.degree == 3


@pytest.mark.parametrize("key", [key for key in VARIABLE if key != "data.path"])
def test_no_key_takes_values_of_another_kind(key):
    table, _, name = key.rpartition(".")
    right = [
        ("network.balanced", True), ("network.normalized", True), ("flow.end_margin", -1.5),
        ("data.extract", True), ("data.centered", True), ("data.positive", [3]),
        ("network.input_normalized", True), ("network.bias", True), ("network.skip", True),
        ("network.layer_norm", True), ("record.times", [3]), ("data.paired", True),
        ("network.mirrored", True),
    ]  # fmt: skip
    wrong = ["3", True, [3], {"a": 3}, float("nan"), float("inf"), -1.5]
    models = models_of(table)
    kind = next((m for m in models if name in m.model_fields), None)
    of_a_kind = (
        {"kind": kind.model_fields["kind"].default} if kind not in (*models[:1], None) else {}
    )

    for value in (value for value in wrong if (key, value) not in right):
        values = of_a_kind | {name: value}
        toml = text(**{table: values}) if table else write_toml({name: value}) + text()

        assert any(f"`{key}" in line and "must be" in line for line in mistakes(toml)), value


def test_numbers_may_be_written_as_integers_but_not_the_other_way():
    assert parse_scenario(text(flow={"end_time": 100})).flow.end_time == 100.0
    assert "must be an integer >= 1, but is 200.0" in mistakes(text(network={"width": 200.0}))[0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("[" * 100_000, "must be valid TOML, but is not (lists are nested too deeply)"),
        ("9" * 5000, "must be valid TOML, but is not"),
        (hex(16**5000), "must be an integer >= 1, but is inf"),
        (f"{2**63}", "must be an integer >= 1 of at most 64 bits, but is 9.223372036854776e+18"),
    ],
    ids=["deep", "long", "vast", "beyond 64 bits"],
)
def test_values_that_no_file_should_hold_are_refused_too(value, words):
    assert words in mistakes(text().replace("width = 200", f"width = {value}"))[0]


# --- Files --------------------------------------------------------------------------------------
