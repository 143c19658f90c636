"""What the command line refuses: mistakes, names it does not know, options that do nothing."""

import pytest
from commands import call, only_study
from questions import SMALL

from gflow.cli import Exit
from gflow.runs.study import load


def test_bad_input_lists_every_mistake_and_no_traceback(tmp_path):
    text = SMALL.replace("width = 12", "widht = 12").replace("power = 3", "power = 0.5")
    (tmp_path / "bad.toml").write_text(text)

    result = call("run", tmp_path / "bad.toml")

    assert result.exit_code == Exit.BAD_INPUT
    assert "network.width" in result.stderr and "network.power" in result.stderr
    assert "bad.toml:" in result.stderr and "Traceback" not in result.output


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("run", "absent.toml"), Exit.BAD_INPUT, "absent.toml"),
        (("check", "absent"), Exit.BAD_RECORD, "no such run folder"),
        (("plot", "absent"), Exit.BAD_RECORD, "no such run folder"),
        (("show", "absent.toml"), Exit.BAD_INPUT, "absent.toml"),
        (("status", "absent"), Exit.BAD_RECORD, "no such run folder"),
    ],
)
def test_what_is_not_there_is_said(args, code, words):
    result = call(*args)

    assert result.exit_code == code and words in result.stderr


def test_unknown_names_are_refused_with_the_known_ones(ran):
    folder = only_study(ran[0])

    wrong_check = call("check", folder, "--only", "conjecture")
    wrong_figure = call("plot", folder, "--only", "alignmnt")

    assert wrong_check.exit_code == Exit.BAD_INPUT and "conjecture-1" in wrong_check.stderr
    assert wrong_figure.exit_code == Exit.BAD_INPUT and "alignment" in wrong_figure.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("run", "RUN", "--fresh"), "`--fresh` must not be given with a run folder"),
        (("run", "RUN", "--out", "x"), "`--out` must not be given with a run folder"),
        (
            ("check", "RUN", "--explain", "P1", "--json"),
            "`--json` must not be given with --explain",
        ),
        (("theory", "RUN", "--with", "x.py"), "`--with` must not be given with run folders"),
        (("run", "FLOW", "--workers", "2"), "`--workers` must not be given with one flow"),
        (("run", "FLOW", "--dask", "tcp://x:1"), "`--dask` must not be given with one flow"),
        (("run", "GRID", "--workers", "0"), "`--workers` must be at least 1, but is 0"),
        (
            ("run", "GRID", "--workers", "2", "--dask", "tcp://x:1"),
            "`--workers` must not be given with --dask",
        ),
    ],
)
def test_options_that_would_do_nothing_are_refused(ran, tmp_path, args, words):
    (tmp_path / "flow.toml").write_text(SMALL)
    known = {
        "RUN": load(only_study(ran[0])).runs[0].folder,
        "FLOW": tmp_path / "flow.toml",
        "GRID": ran[0] / "small.toml",
    }

    result = call(*(known.get(arg, arg) for arg in args))

    assert result.exit_code == Exit.BAD_INPUT and words in result.output
