"""Any text or table is a scenario or a list of mistakes, and survives being written."""

import re
import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st
from tables import VARIABLE, text

from gflow import scenario as scenarios
from gflow.errors import ScenarioError
from gflow.flow.losses import LOSSES
from gflow.scenario import Scenario, parse_scenario
from gflow.scenario.toml_lines import key_lines, read_toml, write_toml

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
