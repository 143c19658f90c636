"""Calling verbs of the command line in this process."""

from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from gflow import cli


def call(*args: object) -> Result:
    """Call `gflow` with arguments."""
    return CliRunner().invoke(cli.app, [str(arg) for arg in args])


def only_study(folder: Path) -> Path:
    """The only study that was computed in a folder."""
    (study,) = (folder / "runs").iterdir()
    return study
