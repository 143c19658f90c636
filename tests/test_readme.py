"""What the README promises is what the code does."""

import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_the_readme_test_command_to_the_letter():
    commands = re.findall(r"```sh\n(.+?)\n```", README)

    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_picture_and_file_the_readme_points_to_is_there():
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", README)

    assert targets and all((ROOT / target).is_file() for target in targets)


def test_the_readme_names_every_verb_figure_and_prediction():
    from gflow.cli import app
    from gflow.judges.catalogue import CATALOGUE
    from gflow.report.figures import known

    verbs = [command.name or command.callback.__name__ for command in app.registered_commands]
    for name in [*(f"gflow {verb}" for verb in verbs), *known(), *CATALOGUE]:
        assert name in README, name


def test_everything_of_the_package_that_the_readme_names_is_there():
    names = set(re.findall(r"`(gflow(?:\.\w+)+)", README))

    assert names
    for name in names:
        pkgutil.resolve_name(name)


@pytest.mark.slow
def test_the_python_example_runs_as_it_stands(tmp_path):
    example = re.search(r"```python\n(.+?)```", README, re.DOTALL)
    assert example is not None
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")

    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", example[1]],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "conjecture-1 HOLDS" in done.stdout
    assert (tmp_path / "alignment.pdf").stat().st_size > 10_000
