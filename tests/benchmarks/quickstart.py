"""The quickstart as a user runs it: first, second and finished run, and where the time goes."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
from timing import once

from gflow.judges.catalogue import CATALOGUE, check
from gflow.report import figures, style
from gflow.report.saving import Form, save
from gflow.runs.study import load

SCENARIO = Path(__file__).parents[2] / "scenarios" / "quickstart.toml"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # New commands share a cache of compiled code, as those of a user do.
        cached = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
        for name, runs in (("first", "a"), ("second", "b"), ("finished", "b")):
            print(f"{name} run      {_command(Path(folder) / runs, cached):6.1f} s", flush=True)
        study = load(next((Path(folder) / "a").iterdir()))

        judged = sum(_judged(run.evidence) for run in study.runs)
        print(f"judging       {judged:6.1f} s of processor time, {len(study.runs)} runs")
        for name, pdf in (("png", False), ("png and pdf", True)):
            began = time.process_time()
            written = figures.draw(study, Path(folder) / name, formats=None if pdf else ("png",))
            took = time.process_time() - began
            print(f"figures       {took:6.1f} s of processor time, {len(written)} files ({name})")
        print(f"one figure    {_drawn_twice(study, Path(folder)):6.2f} times faster laid out once")


def _command(runs: Path, environment: dict[str, str]) -> float:
    command = [sys.executable, "-m", "gflow", "run", SCENARIO, "--out", runs, "--quiet"]
    return once(lambda: subprocess.run(command, env=environment, stdout=subprocess.DEVNULL))[0]


def _judged(evidence) -> float:
    """Processor time of all verdicts on a run."""
    began = time.process_time()
    with jax.enable_x64(True):
        check(evidence, tuple(CATALOGUE))
    return time.process_time() - began


def _drawn_twice(study, folder: Path) -> float:
    """Time of a figure that is drawn for its layout and twice per file, over that of `save`."""

    def plainly() -> None:
        figure = figures.fit(study)
        with style.styled():
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            for suffix in ("pdf", "png"):
                figure.savefig(folder / f"plain.{suffix}", dpi=200)

    def ours() -> None:
        save(figures.fit(study), folder, "ours", Form(("png",)))

    plain, own = (min(once(work)[0] for _ in range(3)) for work in (plainly, ours))
    return plain / own
