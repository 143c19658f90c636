"""The verb `run`: what it prints and stores, how it ends, and what it does not do twice."""

import os

import pytest
from commands import call, only_study
from processes import finish, start
from questions import SMALL

from gflow.cli import Exit
from gflow.runs.study import load


def test_run_ends_with_verdicts_figures_and_zero(ran):
    folder, result = ran

    assert result.exit_code == Exit.OK, result.output
    assert "is left out" not in result.output  # figures over seeds are for studies of seeds
    assert "Conjecture 1" in result.output and "Other verdicts" in result.output
    assert len(result.stdout.splitlines()) <= 20
    study = only_study(folder)
    for run in load(study).runs:
        assert (run.folder / "findings.json").is_file()
    assert len(list((study / "figures").glob("*.png"))) >= 5
    assert not list((study / "figures").glob("*.pdf"))  # `gflow plot` is how to ask for them


def test_a_study_has_a_table_and_says_where_its_points_are_stored(ran):
    folder, result = ran

    study = only_study(folder)
    assert f"Points are stored in {study}" in result.output
    lines = (study / "table.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["label", "power=1", "power=3"]
    assert (study / "table.nc").is_file()


def test_a_finished_answer_is_read_back_with_its_verdicts(ran):
    folder, _ = ran
    study = only_study(folder)
    before = {p: p.stat().st_mtime_ns for p in study.rglob("*") if p.parent != study}

    again = call("run", folder / "small.toml", "--out", folder / "runs", "--quiet")

    assert again.exit_code == Exit.OK and "HOLDS" in again.output
    # Neither computed, judged nor drawn anew.
    assert before == {p: p.stat().st_mtime_ns for p in before}


@pytest.mark.slow
def test_a_flow_that_stops_early_has_its_own_exit_code(tmp_path):
    (tmp_path / "s.toml").write_text(SMALL)

    args = ("run", tmp_path / "s.toml", "--set", "flow.max_steps=5", "--out", tmp_path)
    result = call(*args)

    assert result.exit_code == Exit.STOPPED and "MAX_STEPS" in result.output


@pytest.mark.slow
def test_until_continues_a_run_folder(ran, tmp_path):
    (tmp_path / "s.toml").write_text(SMALL)
    call("run", tmp_path / "s.toml", "--out", tmp_path / "runs", "--quiet")
    folder = next((tmp_path / "runs").iterdir())

    result = call("run", folder, "--until", "250", "--quiet")

    assert result.exit_code == Exit.OK, result.output
    assert load(folder).outcome.t == 250.0


@pytest.mark.slow
def test_compiled_code_is_kept_for_the_next_run(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    caches = tmp_path / "caches"

    def computed(out):
        environ = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
        environ |= {"XDG_CACHE_HOME": str(caches), "PYTHONDONTWRITEBYTECODE": "1"}
        said = finish(start("run", "small.toml", "--out", out, cwd=tmp_path, env=environ))
        assert "Conjecture 1" in said
        return {path.name for path in caches.rglob("*-cache")}

    first = computed("one")
    second = computed("two")

    assert first and second == first


def test_several_scenarios_are_answered_one_after_the_other(tmp_path):
    for seed, name in enumerate(("first", "second")):
        (tmp_path / f"{name}.toml").write_text(SMALL.replace("seed = 1", f"seed = {seed}"))
    files = [tmp_path / "first.toml", tmp_path / "second.toml"]

    result = call("run", *files, "--out", tmp_path / "runs", "--quiet")

    assert result.exit_code == Exit.OK, result.output
    assert "[1/2]" in result.output and "[2/2]" in result.output
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_mistake_in_one_of_several_files_comes_before_all_work(tmp_path):
    (tmp_path / "good.toml").write_text(SMALL)
    for name in ("bad", "worse"):
        (tmp_path / f"{name}.toml").write_text(SMALL.replace("width = 12", "width = 0"))
    files = [tmp_path / f"{name}.toml" for name in ("good", "bad", "worse")]

    result = call("run", *files, "--out", tmp_path / "runs")

    assert result.exit_code == Exit.BAD_INPUT
    assert "bad.toml" in result.stderr and "worse.toml" in result.stderr
    assert not (tmp_path / "runs").exists()


def test_a_flow_that_stops_does_not_keep_the_others_from_being_computed(tmp_path):
    (tmp_path / "stops.toml").write_text(SMALL.replace("[flow]", "[flow]\nmax_steps = 5"))
    (tmp_path / "ends.toml").write_text(SMALL)
    files = [tmp_path / "stops.toml", tmp_path / "ends.toml"]

    result = call("run", *files, "--out", tmp_path / "runs", "--quiet")

    # The worst of the two.
    assert result.exit_code == Exit.STOPPED
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize("option", [("--json",), ("--until", "5")])
def test_options_that_mean_one_scenario_are_refused_with_several(option, tmp_path):
    (tmp_path / "s.toml").write_text(SMALL)

    result = call("run", tmp_path / "s.toml", tmp_path / "s.toml", *option)

    assert result.exit_code == Exit.BAD_INPUT and "several scenarios" in result.stderr
