"""Scenario files and overrides: where they are, how they are read, and what is blamed."""

from pathlib import Path

import pytest
from tables import TABLES, mistakes, text

from gflow.errors import ScenarioError
from gflow.scenario import load_scenario, parse_scenario
from gflow.scenario.toml_lines import write_toml

SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))


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


def test_an_override_may_vary_a_key():
    scenario = parse_scenario(text(), overrides=["vary.network.power=[1, 3]"])

    assert [point.label for point in scenario.points()] == ["power=1", "power=3"]
