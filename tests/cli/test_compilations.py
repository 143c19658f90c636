"""How many programs jax compiles for a command: the number does not depend on the machine."""

import subprocess
import sys

from questions import GRID

MOST = 22
"""Programs of a study of two powers: for each `begin`, `Probe`, `Portrait`, `attempt` and the
outputs on test samples; a dozen small ones that both share."""

COUNTED = """
import jax
def count(event, seconds, **about):
    if event.endswith("backend_compile_duration"):
        print("compiled", about["fun_name"])
jax.monitoring.register_event_duration_secs_listener(count)
from gflow.cli import app
app()
"""


def test_a_study_of_two_powers_compiles_few_programs(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    command = [sys.executable, "-c", COUNTED, "run", "grid.toml", "--json"]

    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    compiled = [line for line in result.stdout.splitlines() if line.startswith("compiled ")]
    assert result.returncode == 0, result.stderr
    assert "compiled jit(attempt)" in compiled  # programs are counted at all
    assert len(compiled) <= MOST, compiled
