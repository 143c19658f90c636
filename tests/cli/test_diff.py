"""The verb `diff`."""

import json

from commands import call
from questions import GRID, SMALL

from gflow.cli import Exit


def test_diff_prints_what_differs_between_two_points_of_a_study(study):
    one, other = sorted(path for path in study.iterdir() if path.name.startswith("power="))

    text, plain = call("diff", one, other), call("diff", one, other, "--json")

    assert text.exit_code == Exit.OK and "network.power: 1 | 3" in text.output
    values = json.loads(plain.output)
    assert [row["what"] for row in values["question"]] == ["network.power"]
    assert values["recorded_alike"] is False and values["made_by"] == []
    assert "verdict on voronoi-rule: OUTSIDE | HOLDS" in text.output


def test_diff_of_scenarios_needs_no_answer(tmp_path):
    (tmp_path / "a.toml").write_text(SMALL)
    (tmp_path / "b.toml").write_text(GRID)

    result = call("diff", tmp_path / "a.toml", tmp_path / "b.toml")

    assert result.exit_code == Exit.OK and "vary.network.power: - | [1, 3]" in result.output
    absent = call("diff", tmp_path / "a.toml", tmp_path / "absent")
    assert absent.exit_code == Exit.BAD_RECORD and "no such run folder" in absent.stderr
