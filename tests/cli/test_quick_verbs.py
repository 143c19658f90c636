"""Verbs that answer at once, without jax, and readers that do not wait for the end."""

import json
import subprocess
import sys

from commands import call, only_study
from questions import GRID, SMALL

from gflow.cli import Exit
from gflow.runs.index import write_index
from gflow.scenario import parse_scenario

QUICK = """
import json, sys
from gflow.cli import app
for args in json.loads(sys.argv[1]):
    try:
        app(args)
    except SystemExit as end:
        assert not end.code, (args, end.code)
    heavy = {"jax", "diffrax", "equinox", "matplotlib", "xarray"} & set(sys.modules)
    assert not heavy, (args, heavy)
"""
"""Calls verbs one after another; what one imports stays imported."""


def test_quick_verbs_never_import_jax(ran, tmp_path):
    scenario, waiting = tmp_path / "s.toml", tmp_path / "study"
    scenario.write_text(SMALL)
    write_index(parse_scenario(GRID), waiting)
    verbs = [
        ["--help"], ["--version"], ["help"], ["plot", "-h"], ["check", "-h"],
        ["init", "--out", f"{tmp_path}/new.toml"], ["show", f"{scenario}"], ["schema"],
        ["status", f"{waiting}"], ["status", f"{only_study(ran[0])}"], ["status", f"{ran[0]}/runs"],
    ]  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-c", QUICK, json.dumps(verbs)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_show_warns_of_subclasses_that_are_too_faint_to_be_fitted(tmp_path):
    # 10^{-16 / (2 - 2/4)} = 2.2e-11 at sizes 4 : 1.
    scenario = tmp_path / "s.toml"
    scenario.write_text(SMALL)
    faint = ["network.power=2", "data.noise=0", "data.imbalance=4", "network.init_scale=1e-20"]

    def shown(*changes):
        return call("show", scenario, *(word for one in changes for word in ("--set", one))).stdout

    assert "Use init_scale >= 2.2e-11." in shown(*faint)
    for change in ("network.power=3", "data.noise=0.1", "data.imbalance=1",
                   "network.init_scale=1e-10"):  # fmt: skip
        assert "Caution" not in shown(*faint, change), change


def test_whoever_reads_the_output_may_stop_reading():
    # The reader is gone before the first word: Python has yet to start.
    program = [sys.executable, "-m", "gflow", "schema"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as verb:
        verb.stdout.close()
        errors = verb.stderr.read()

    assert errors == b"" and verb.returncode == Exit.OK
