"""What the README and the documents promise is what the code does."""

import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from gflow.judges.catalogue import ALL

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
    if not {"generated", "_build"} & set(path.parts)
}
"""Documents by path, without those that are made of the package."""

MOST_LINES = 180
"""A README is a door; what it has no room for is a page behind it."""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_readme_counts_the_predictions():
    assert "forty-six such statements" in " ".join(README.split())
    assert len(ALL) == 46


def test_the_readme_is_short():
    assert len(README.splitlines()) <= MOST_LINES


def test_ci_runs_the_readme_test_command_to_the_letter():
    commands = [block.strip() for block in blocks(README, "sh")]

    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_and_file_a_page_points_to_is_there(page):
    targets = re.findall(r"\]\((?!http|#)([^)#]+)", PAGES[page])
    made = re.compile(r"generated/")

    lost = [
        target
        for target in targets
        if not made.search(target) and not (ROOT / page).parent.joinpath(target).exists()
    ]

    assert lost == []


def test_the_documents_name_every_verb_and_prediction():
    from gflow.judges.catalogue import CATALOGUE

    verbs, catalogue = PAGES["docs/reference/verbs.md"], PAGES["docs/results/catalogue.md"]

    assert [verb for verb in command().commands if f"gflow {verb}" not in verbs] == []
    assert [id for id in CATALOGUE if id not in catalogue] == []


def test_everything_of_the_package_that_a_page_names_is_there():
    names = {name for page in PAGES.values() for name in re.findall(r"`(gflow(?:\.\w+)+)", page)}

    assert names
    for name in names:
        pkgutil.resolve_name(name)


def command() -> Any:
    from gflow.cli import app

    return typer.main.get_command(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_verb_and_option_a_page_shows_exists(page):
    # A command is a line of a block of shell, or a piece of code in a sentence.
    text = PAGES[page]
    lines = "\n".join([*blocks(text, "sh"), *blocks(text, r"\{code-cell\} ipython3\n%%sh")])
    shown = re.findall(r"(?:^|/|&& )gflow ([^|&#\n]+)", lines, re.MULTILINE)
    shown += re.findall(r"`gflow ([^`\n]+)`", text)
    commands = [words for words in map(str.split, shown) if words[0].islower()]

    assert [" ".join(words) for words in commands if not is_known(words)] == []


def is_known(words: list[str]) -> bool:
    """Whether a verb and its options exist."""
    verb = command().commands.get(words[0])
    if words[0] == "data" and len(words) > 1:
        verb = verb.commands.get(words[1])
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    return verb is not None and used <= {
        name for one in verb.params for name in (*one.opts, *one.secondary_opts)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_key_a_page_sets_exists(page):
    from gflow.scenario.tables import meanings

    known = meanings()
    tables = [tomllib.loads(block) for block in blocks(PAGES[page], "toml")]
    keys = {
        f"{name}.{key}"
        for table in tables
        for name, value in table.items()
        if isinstance(value, dict) and name != "vary"
        for key in value
    } | {
        key
        for table in tables
        for name, entry in table.get("vary", {}).items()
        for key in ([name] if name != "together" else entry[0])
    }

    assert keys - set(known) == set()


def test_the_scenario_of_the_readme_is_a_grid_of_two_flows():
    from gflow.scenario import parse_scenario

    (file,) = blocks(README, "toml")

    assert len(list(parse_scenario(file).points())) == 2


def test_the_prediction_on_the_page_about_additions_is_one(tmp_path):
    from gflow.cli.request import predictions_in

    (file,) = blocks(PAGES["docs/how-to/extend.md"], "python")
    (tmp_path / "mine.py").write_text(file, encoding="utf-8")

    assert [one.id for one in predictions_in(tmp_path / "mine.py")] == ["small-loss"]


@pytest.mark.slow
def test_the_first_command_prints_what_the_readme_shows(tmp_path):
    (shown,) = blocks(README, "text")

    done = subprocess.run(
        [sys.executable, "-m", "gflow", "run", str(ROOT / "scenarios" / "quickstart.toml")],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip

    # Digits may differ from one machine to another, and with them which verdicts are UNDECIDED.
    promised = shown[: shown.index("Other verdicts")]
    assert without_digits(promised) in without_digits(done.stdout), done.stderr


@pytest.mark.slow
def test_the_scenario_of_the_readme_runs_and_fails_nothing(tmp_path):
    (file,) = blocks(README, "toml")
    (tmp_path / "mine.toml").write_text(file, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "gflow", "run", "mine.toml"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "power=3" in done.stdout and "FAILS" not in done.stdout


def without_digits(text: str) -> str:
    return " ".join(re.sub(r"\d+", "0", text).split())


@pytest.mark.slow
def test_the_python_example_runs_as_it_stands(tmp_path):
    (example,) = blocks(README, "python")
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")

    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", example],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "conjecture-1 HOLDS" in done.stdout
    assert (tmp_path / "alignment.pdf").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_the_page_about_pytorch_runs_and_the_two_agree(tmp_path):
    example = "\n".join(blocks(PAGES["docs/how-to/pytorch.md"], "python"))

    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    differences = re.findall(r"by (\S+?)(?: at most)?\n", done.stdout)
    loss, outputs = (float(number) for number in differences)
    # Growth is late by κπη/2 = 0.6 % of 100, the end, and the loss falls by 2π max z exp(-2z) < 0.1
    # per unit of time; at the end outputs grow by 2π z exp(-z) < 0.02.
    assert loss < 0.06 and outputs < 0.02
