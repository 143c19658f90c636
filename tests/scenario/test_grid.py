"""Grids: how keys vary, in which order, and how points are labeled."""

import tomllib

from tables import VARIABLE, text

from gflow.scenario import parse_scenario
from gflow.scenario.axis import label_word


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
