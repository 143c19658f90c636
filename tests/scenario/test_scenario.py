"""Scenario files: what they may contain, how mistakes are reported, and how grids are expanded."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gflow import scenario as scenarios
from gflow.errors import ScenarioError
from gflow.flow import stepper
from gflow.flow.losses import LOSSES
from gflow.network.deep import INITIALIZATIONS
from gflow.network.initial import SHAPES
from gflow.robustness.norm import NORMS
from gflow.scenario import (
    FlowTable,
    Scenario,
    load_scenario,
    parse_scenario,
    question,
    schema,
)
from gflow.scenario import words as vocabulary
from gflow.scenario.axis import label_word
from gflow.scenario.tables import HEAD, models_of, variable_keys
from gflow.scenario.toml_lines import key_lines, read_toml, write_toml

VARIABLE = variable_keys()
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.toml"))
SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))

TABLES = {
    "data": {
        "dimension": 1000,
        "subclasses": 10,
        "positive_subclasses": 6,
        "noise": 0.1,
        "samples": 2000,
    },
    "network": {"width": 200, "power": 3, "init_scale": 1e-7},
    "flow": {"end_time": 16000.0},
}


def text(**tables) -> str:
    """A valid scenario as TOML, with `tables` merged into its own."""
    merged = {name: TABLES.get(name, {}) | tables.get(name, {}) for name in {**TABLES, **tables}}
    return write_toml(merged)


def mistakes(toml: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(toml, "mine.toml", overrides=overrides)
    return caught.value.mistakes


# --- Mistakes -----------------------------------------------------------------------------------


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
        ("network.layer_norm", True), ("record.times", [3]),
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


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_are_sound(path):
    scenario = load_scenario(path)

    assert scenario.name == path.stem
    assert scenario.question.endswith("?")


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path):
    (tmp_path / "latin.toml").write_bytes("seed = 1\n# Å\n".encode("latin-1"))

    for name, words in (
        ("gone.toml", "gone.toml: the scenario file must exist"),
        ("", "is a folder"),
        ("latin.toml", "latin.toml:2: the file must be UTF-8 text"),
        ("a\0b", "must be readable"),
    ):
        with pytest.raises(ScenarioError, match=words):
            load_scenario(f"{tmp_path}/{name}")


def test_a_name_is_made_of_the_file_name(tmp_path):
    (tmp_path / "my first try.v2.toml").write_text(text(), encoding="utf-8-sig")

    assert load_scenario(tmp_path / "my first try.v2.toml").name == "my-first-try.v2"


def test_paths_are_relative_to_the_file_and_do_not_count_in_the_digest(tmp_path):
    toml = write_toml(TABLES | {"data": {"kind": "file", "path": "samples.npz"}})

    here = parse_scenario(toml, folder=tmp_path)
    there = parse_scenario(toml, folder=tmp_path / "elsewhere" / "..")

    assert here.model_dump()["data"]["path"] == tmp_path / "samples.npz"
    assert here == there == parse_scenario(here.to_toml())
    assert here.digest("abc") == parse_scenario(toml).digest("abc") != here.digest("abd")


def test_varied_paths_are_relative_to_the_file_too(tmp_path):
    data = {"kind": "file"}
    toml = write_toml(TABLES | {"data": data, "vary": {"data.path": ["a/b.npz", "a-b.npz"]}})

    points = parse_scenario(toml, folder=tmp_path).points()

    paths = [point.scenario.model_dump()["data"]["path"] for point in points]
    assert paths == [tmp_path / "a/b.npz", tmp_path / "a-b.npz"]
    assert len({point.label for point in points}) == 2
    assert not any("/" in point.label for point in points)


# --- Overrides ----------------------------------------------------------------------------------


def test_overrides_take_toml_values_and_bare_words():
    overrides = ("network.width=7", "flow.loss=logistic", 'network.init="sphere"', "seed = 3")

    scenario = parse_scenario(text(), overrides=overrides)

    assert (scenario.network.width, scenario.seed) == (7, 3)
    assert (scenario.flow.loss, scenario.network.init) == ("logistic", "sphere")


def test_a_bad_override_is_a_mistake_that_names_it():
    overrides = ("network.width=x", "network.h=3", "nonsense", "seed=1\nname='a'")

    assert [message.partition(": ")[0] for message in mistakes(text(), *overrides)] == [
        "--set network.width=x",
        "--set network.h=3",
        "--set nonsense",
        "--set seed=1 name='a'",
    ]


def test_what_is_wrong_only_with_the_overrides_is_not_blamed_on_the_file():
    toml = text(network={"init_scale": 1e-200})
    (own,) = mistakes(text(network={"width": -1}), "flow.tolerance=1e-4")
    (line,) = mistakes(toml, "flow.chart=cartesian", "seed=3")
    both = mistakes(text(data={"noise": -1.0}), "data.dimension=8")

    assert own.startswith("mine.toml:10: `network.width` must be")
    assert line.startswith(
        "--set flow.chart=cartesian --set seed=3, with mine.toml:12: `network.init_scale` must be"
    )
    assert [one.partition(": `")[0] for one in both] == [
        "--set data.dimension=8, with mine.toml:4", "mine.toml:6",
    ]  # fmt: skip


def test_an_override_ends_the_variation_of_its_key():
    rows = [{"network.power": 1, "flow.end_time": 9}, {"network.power": 3, "flow.end_time": 10}]
    vary = {"seed": {"count": 2}, "together": rows}

    scenario = parse_scenario(text(vary=vary), overrides=["seed=7", "flow.end_time=5"])

    assert [point.label for point in scenario.points()] == ["power=1", "power=3"]
    assert {(p.scenario.seed, p.scenario.flow.end_time) for p in scenario.points()} == {(7, 5.0)}


def test_tables_that_vary_together_inherit_what_they_leave_out():
    rows = (
        '{"network.power" = 1, "flow.end_time" = 100, "flow.end_loss" = 0.1}, '
        '{"network.power" = 4}, {"flow.tolerance" = 1e-4, seed = 3}'
    )
    scenario = parse_scenario(text() + f"[vary]\ntogether = [{rows}]\n")

    points = [point.scenario for point in scenario.points()]
    table = [
        (p.network.power, p.flow.end_time, p.flow.end_loss, p.flow.tolerance, p.seed)
        for p in points
    ]
    assert table == [
        (1, 100, 0.1, 1e-3, 0), (4, 16000, None, 1e-3, 0), (3, 16000, None, 1e-4, 3),
    ]  # fmt: skip
    assert [p.label for p in parse_scenario(scenario.to_toml()).points()] == [
        p.label for p in scenario.points()
    ]
    again = parse_scenario(scenario.to_toml()).points()
    assert [p.scenario.digest() for p in again] == [p.digest() for p in points]


def test_own_record_times_increase_and_end_with_the_flow():
    assert parse_scenario(text(record={"times": [1, 2.5, 16000]})).record.times == (1, 2.5, 16000)
    assert "must increase" in mistakes(text(record={"times": [2.0, 1.0]}))[0]
    assert "must not be after `flow.end_time`" in mistakes(text(record={"times": [16001.0]}))[0]
    assert "a list of numbers > 0" in mistakes(text(record={"times": [0.0]}))[0]


def test_an_override_may_vary_a_key():
    scenario = parse_scenario(text(), overrides=["vary.network.power=[1, 3]"])

    assert [point.label for point in scenario.points()] == ["power=1", "power=3"]


# --- Grids --------------------------------------------------------------------------------------


def test_a_scenario_of_one_flow_is_its_only_point():
    scenario = parse_scenario(text())

    ((alone, varied, label),) = scenario.points()

    assert (alone, varied, label, scenario.is_grid) == (scenario, {}, "", False)


def test_a_grid_is_the_product_in_the_order_of_the_file():
    vary = {"network.power": [1, 3], "seed": {"count": 2}}

    points = parse_scenario(text(vary=vary)).points()

    labels = ["power=1,seed=0", "power=1,seed=1", "power=3,seed=0", "power=3,seed=1"]
    assert [point.label for point in points] == labels
    assert [(p.scenario.network.power, p.scenario.seed) for p in points] == [
        (1.0, 0), (1.0, 1), (3.0, 0), (3.0, 1),
    ]  # fmt: skip
    assert not any(point.scenario.is_grid for point in points)
    assert points[2].varied == {"network.power": 3, "seed": 0}


def test_seeds_are_counted_from_the_scenarios_own():
    toml = "seed = 40\n" + text(vary={"seed": {"count": 3}})

    assert [p.scenario.seed for p in parse_scenario(toml).points()] == [40, 41, 42]


def test_ranges_include_both_ends_and_are_whole_where_the_key_is():
    noise = {"start": 0.01, "stop": 1.0, "count": 3, "scale": "geometric"}
    vary = {"data.noise": noise, "network.width": {"start": 10, "stop": 25, "count": 3}}

    points = parse_scenario(text(vary=vary)).points()

    assert [p.scenario.model_dump()["data"]["noise"] for p in points[::3]] == [0.01, 0.1, 1.0]
    assert [p.scenario.network.width for p in points[:3]] == [10, 18, 25]


def test_a_key_that_varies_need_not_stand_in_its_table():
    toml = text(vary={"network.power": [1, 3]}).replace("power = 3\n", "", 1)

    assert parse_scenario(toml).network.power == 1.0


def test_a_key_that_varies_is_written_once():
    written = tomllib.loads(parse_scenario(text(vary={"network.power": [1, 3]})).to_toml())

    assert written["vary"] == {"network.power": [1, 3]}
    assert "power" not in written["network"]


def test_labels_tell_close_values_apart():
    vary = {"data.noise": [0.1, 0.1000001], "record.groups": [["neurons"], ["neurons", "centers"]]}

    assert [point.label for point in parse_scenario(text(vary=vary)).points()] == [
        "noise=0.1,groups=neurons",
        "noise=0.1,groups=neurons+centers",
        "noise=0.1000001,groups=neurons",
        "noise=0.1000001,groups=neurons+centers",
    ]


def test_last_parts_of_keys_tell_them_apart():
    # Labels of points rest on it.
    labels = [label_word(key) for key in VARIABLE]

    assert len(set(labels)) == len(labels)


# --- Meaning ------------------------------------------------------------------------------------


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


# --- Properties ---------------------------------------------------------------------------------

words = st.sampled_from(
    [*scenarios.LETTERS, "kind", "power", "count", "start", "stop", "together", "network.power"]
    + [part for key in VARIABLE for part in key.split(".")]
)
keys = words | st.text(max_size=5)
plain = st.one_of(
    st.none().map(lambda _: True),
    st.integers(),
    st.integers(min_value=10**300),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["file", "mixture", "cartesian", "neurons", "auto"]),
    st.dates(),
)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
table_names = st.sampled_from(["data", "network", "flow", "record", "checks", "vary"])
lines = st.sampled_from(
    [
        *("[data]", "[vary]", "[[vary]]", "[[vary.together]]", "power = 1", "'a.b' = [", "]"),
        *("seed = 0", 'x = """', '"""', "# x", "\r", "\u2028", "[", "= 3", "network.power = 3"),
        *("a = {b = 1}", "'x' = [1,"),
    ]
)
searched = settings(max_examples=60, deadline=None)


def sound_or_mistaken(toml: str, *overrides: str) -> None:
    try:
        scenario = parse_scenario(toml, overrides=overrides)
    except ScenarioError as error:
        assert error.mistakes
        assert all(len(message.splitlines()) == 1 for message in error.mistakes)
    else:
        assert isinstance(scenario, Scenario)


@searched
@given(st.text() | st.lists(lines, max_size=12).map("\n".join), st.lists(st.text(), max_size=2))
def test_any_text_is_a_scenario_or_a_list_of_mistakes(toml, overrides):
    sound_or_mistaken(toml, *overrides)


@searched
@given(st.dictionaries(keys | table_names, values, max_size=4))
def test_any_tables_are_a_scenario_or_a_list_of_mistakes(tables):
    sound_or_mistaken(write_toml(tables))


@searched
@given(table_names, keys, values)
def test_any_value_in_a_sound_scenario_is_taken_or_refused(table, key, value):
    sound_or_mistaken(text(**{table: {key: value}}))


@searched
@given(st.sampled_from(VARIABLE), st.lists(values, max_size=3) | values)
def test_anything_that_varies_is_taken_or_refused(key, value):
    sound_or_mistaken(text(vary={key: value}))


@searched
@given(st.dictionaries(keys, values, max_size=4))
def test_what_is_written_as_toml_is_read_back(tables):
    once = read_toml(write_toml(tables))
    twice = read_toml(write_toml(once))

    # By their text, since nan is not equal to itself.
    assert repr(once) == repr(twice)
    assert set(tables) == set(once) <= set(key_lines(write_toml(tables)))


@searched
@given(st.lists(lines, max_size=12).map("\n".join))
def test_every_key_has_a_line(toml):
    try:
        tables = tomllib.loads(toml)
    except ValueError:
        return

    lines_of_keys = key_lines(toml)

    assert set(tables) <= set(lines_of_keys)
    assert all(1 <= line <= toml.count("\n") + 1 for line in lines_of_keys.values())


numbers = st.floats(min_value=1e-3, max_value=50.0)
sound_tables = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {
                "dimension": st.integers(10, 2000),
                "subclasses": st.integers(5, 10),
                "positive_subclasses": st.integers(1, 4),
                "noise": st.floats(0, 2),
                "samples": st.integers(10, 10**6),
            },
            optional={"counts": st.sampled_from(["balanced", "multinomial"])},
        ),
        "network": st.fixed_dictionaries(
            {
                "width": st.integers(1, 10**4),
                "power": st.floats(1, 10),
                "init_scale": st.floats(1e-300, 1e3),
            },
            optional={"init": st.sampled_from(["gaussian", "sphere", "nudged"])},
        ),
        "flow": st.fixed_dictionaries(
            {"end_time": numbers},
            optional={
                "min_step": numbers | st.just("auto"),
                "end_loss": numbers,
                "loss": st.sampled_from(sorted(LOSSES)),
            },
        ),
    },
    optional={"question": st.text(), "seed": st.integers(0, 2**63 - 1)},
)
grids = st.dictionaries(
    st.sampled_from(["network.power", "flow.end_time", "data.noise"]),
    st.lists(numbers.map(lambda x: 1 + x), min_size=1, max_size=3, unique=True),
) | st.fixed_dictionaries(
    {},
    optional={
        "network.init": st.just(["nudged", "sphere"]),
        "seed": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
        "together": st.lists(numbers, min_size=1, max_size=3, unique=True).map(
            lambda times: [{"flow.end_time": t, "network.power": 2 + 0.09 / t} for t in times]
        ),
    },
)


@searched
@given(sound_tables, grids)
def test_a_scenario_survives_being_written(tables, vary):
    scenario = parse_scenario(write_toml(tables | {"vary": vary}))

    again = parse_scenario(scenario.to_toml())

    assert again == scenario
    assert again.to_toml() == scenario.to_toml()
    assert again.points() == scenario.points()


@searched
@given(sound_tables, grids)
def test_points_have_their_own_labels_and_digests(tables, vary):
    points = parse_scenario(write_toml(tables | {"vary": vary})).points()

    assert len({point.label for point in points}) == len(points)
    assert len({point.scenario.digest() for point in points}) == len(points)
    assert all(re.fullmatch(r"[\w.+,=-]*", point.label) for point in points)
