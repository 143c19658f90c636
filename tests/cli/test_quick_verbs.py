"""Verbs that answer at once, without jax, and readers that do not wait for the end."""

import json
import subprocess
import sys

from commands import only_study
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


def test_whoever_reads_the_output_may_stop_reading():
    # The reader is gone before the first word: Python has yet to start.
    program = [sys.executable, "-m", "gflow", "schema"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as verb:
        verb.stdout.close()
        errors = verb.stderr.read()

    assert errors == b"" and verb.returncode == Exit.OK
