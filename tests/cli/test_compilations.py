"""How many programs jax compiles for a command: the number does not depend on the machine."""

import subprocess
import sys

import pytest
from questions import GRID

MOST = {"direct": 16, "multirate": 20}
"""Programs of a study of two powers. For each the observations and the outputs on test samples, and
how to step: `begin` and `attempt`, or `read_remainder`, `follow`, `look` and `outputs`; for both
the forces of a loss, for the judges."""

STEPS = {"direct": "attempt", "multirate": "follow"}

COUNTED = """
import jax
def count(event, seconds, **about):
    if event.endswith("backend_compile_duration"):
        print("compiled", about["fun_name"])
jax.monitoring.register_event_duration_secs_listener(count)
from gflow.cli import app
app()
"""


@pytest.mark.parametrize("method", [pytest.param("direct", marks=pytest.mark.slow), "multirate"])
def test_a_study_of_two_powers_compiles_few_programs(method, tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    options = ["--set", f"flow.method={method}", "--json"]
    command = [sys.executable, "-c", COUNTED, "run", "grid.toml", *options]

    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    compiled = [line for line in result.stdout.splitlines() if line.startswith("compiled ")]
    assert result.returncode == 0, result.stderr
    assert f"compiled jit({STEPS[method]})" in compiled  # programs are counted at all
    assert len(compiled) <= MOST[method], compiled
