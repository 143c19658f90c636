"""gflow on machines that lack a home, a user, an encoding, a device, fcntl or a library."""

import os
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from processes import PATIENCE
from questions import SMALL

import gflow
from gflow.cli import Exit
from gflow.cli.spelling import _plain
from gflow.data.caches import cache_folder
from gflow.errors import MachineError, as_own
from gflow.runs import provenance

NOBODY = """
import ctypes, os, struct, sys
if os.getuid() == 0:
    # As a user whom no file names, who may read what the tests may read, and write nothing of it.
    libc = ctypes.CDLL(None)
    libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setgroups([])
    os.setgid(54321)
    os.setuid(54321)
    read_and_search = 1 << 2  # CAP_DAC_READ_SEARCH
    rights = struct.pack("6I", read_and_search, read_and_search, 0, 0, 0, 0)
    assert libc.capset(struct.pack("Ii", 0x20080522, 0), rights) == 0
    assert not os.access(sys.argv[1], os.W_OK)
del sys.argv[1]
from gflow.cli import main
main()
"""
"""Runs gflow as in a container; its first argument is a folder that must not be written."""

NO_FCNTL = """
import sys
sys.modules["fcntl"] = None
from gflow.cli import main
main()
"""
"""Runs gflow as on Windows, whose Python cannot import fcntl."""


def gflow_in(program, *args, env=None, drop=()):
    environment = {k: v for k, v in os.environ.items() if k not in drop} | (env or {})
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, args)],
        capture_output=True, env=environment, timeout=PATIENCE, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def command(*args, **options):
    return gflow_in("from gflow.cli import main; main()", *args, **options)


@pytest.fixture
def open_folder():
    """A folder that others may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.slow
def test_a_run_in_a_container_is_computed_judged_drawn_and_told_in_ascii(open_folder):
    # No home, an unknown user, ASCII output, and one folder that may be written.
    scenario, work = open_folder / "small.toml", open_folder / "work"
    scenario.write_text(SMALL, encoding="utf-8")
    work.mkdir()
    work.chmod(0o777)
    bare = {
        "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TMPDIR": str(work),
    }  # fmt: skip

    code, out, err = gflow_in(
        NOBODY, open_folder, "run", scenario, "--out", work / "runs", "--all", env=bare,
        drop=("HOME", "XDG_CACHE_HOME", "USER", "LOGNAME", "JAX_COMPILATION_CACHE_DIR"),
    )  # fmt: skip

    assert code == Exit.OK, err.decode()
    assert b"Conjecture 1" in out and b"alpha" in out and out.isascii()
    (run,) = (work / "runs").glob("small-*")
    assert len(list(run.glob("figures/*.png"))) >= 5
    assert gflow.load(run).outcome.complete


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_text_that_cannot_be_encoded_is_spelled(encoding):
    code, out, _ = command("theory", "P17", env={"PYTHONIOENCODING": encoding})

    assert code == Exit.OK and "inf_{c>0} sup_{||x||=1}" in out.decode(encoding)
    assert command("theory", "P17", "--json", env={"PYTHONIOENCODING": encoding})[0] == Exit.OK


def test_letters_are_spelled_as_words_or_lose_their_accents():
    spelled = {"ε": "epsilon", "Φ": "Phi", "Σ": "Sum", "ς": "final", "é": "e", "‖": "||", "²": "^2"}

    assert {letter: _plain(letter) for letter in spelled} == spelled
    assert _plain("\ud800") == _plain("字") == "?"


@pytest.mark.parametrize("args", [["--help"], ["init", "--help"], ["--version"], ["schema"]])
def test_help_needs_no_home(args):
    program = NOBODY.replace("os.access(sys.argv[1], os.W_OK)", "False")
    code, out, err = gflow_in(program, "", *args, drop=("HOME", "XDG_CACHE_HOME"))

    assert code == Exit.OK and out, err.decode()


def test_a_cache_that_cannot_be_written_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a" / "b"))
    assert cache_folder() == tmp_path / "a" / "b" / "gflow"
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache_folder() is None


@pytest.mark.slow
def test_without_fcntl_all_works_that_needs_no_lock(tmp_path):
    scenario = tmp_path / "small.toml"
    scenario.write_text(SMALL, encoding="utf-8")
    assert command("run", scenario, "--out", tmp_path / "runs")[0] == Exit.OK
    (run,) = (tmp_path / "runs").glob("small-*")

    # A finished answer is told again; a new one needs the lock.
    assert gflow_in(NO_FCNTL, "run", scenario, "--out", tmp_path / "runs")[0] == Exit.OK
    for args in (
        ["show", scenario], ["status", run], ["theory", "P17"], ["check", run],
        ["plot", run, "--only", "alignment"], ["attack", run, "--samples", "2"],
    ):  # fmt: skip
        code, _, err = gflow_in(NO_FCNTL, *args)
        assert code == Exit.OK, err.decode()
    code, _, err = gflow_in(NO_FCNTL, "run", scenario, "--out", tmp_path / "others")
    assert code == Exit.BAD_RECORD
    assert b"must be locked, but this system has no fcntl; run gflow on Linux" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("JAX_PLATFORMS=nowhere", "Unable to initialize backend 'nowhere'"),
        ("JAX_TRANSFER_GUARD=disallow", "Disallowed host-to-device transfer"),
        ("JAX_DISABLE_JIT=maybe", "invalid truth value 'maybe'"),
    ],
)
def test_a_setting_of_jax_that_keeps_it_from_computing_is_named(tmp_path, setting, words):
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    name, _, value = setting.partition("=")

    for more in ((), ("--set", "vary.network.power=[1, 3]")):
        code, out, err = command(
            "run", tmp_path / "small.toml", "--out", tmp_path / "runs", *more, env={name: value}
        )
        text = " ".join((out + err).decode().split())
        assert code == Exit.BAD_INPUT
        assert f"{setting}: must leave jax able to compute, but it says" in text
        assert words in text and "Traceback" not in text and "mistake in gflow" not in text


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["MPLBACKEND=nowhere", "JAX_DEBUG_NANS=1", "JAX_DISABLE_JIT=1"])
def test_other_settings_do_not_matter(tmp_path, setting):
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    name, _, value = setting.partition("=")

    code, _, err = command(
        "run", tmp_path / "small.toml", "--out", tmp_path / "runs", env={name: value}
    )

    assert code == Exit.OK, err.decode()
    assert list(tmp_path.glob("runs/*/figures/*.png"))


def test_errors_of_the_machine_are_told_from_mistakes_in_gflow(monkeypatch):
    for name in [name for name in os.environ if name.startswith("JAX_")]:
        monkeypatch.delenv(name)
    lost = as_own(ModuleNotFoundError("No module named 'scipy'", name="scipy"))
    assert isinstance(lost, MachineError) and "scipy: must be installed" in str(lost)
    assert as_own(ModuleNotFoundError("No module named 'gflow.x'", name="gflow.x")) is None
    assert as_own(ZeroDivisionError("division by zero")) is None
    assert as_own(FloatingPointError("invalid value (nan) encountered in mul")) is None
    monkeypatch.setenv("JAX_DEBUG_NANS", "True")
    assert "JAX_DEBUG_NANS=True: must leave jax" in str(as_own(FloatingPointError("nan")))


def test_a_version_that_is_not_known_is_no_reason_to_lose_a_flow(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(provenance, "version", version)

    versions = provenance.provenance()["versions"]
    assert versions["jax"] == "unknown" and versions["gflow"] == gflow.__version__


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))

    assert gflow.__version__ == project["project"]["version"]


def test_an_out_that_is_a_file_is_refused_as_such(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "file").write_text("")

    for out in ("file", "file/inside"):
        code, _, err = command("run", tmp_path / "small.toml", "--out", tmp_path / out)
        assert code == Exit.BAD_INPUT
        assert f"`--out` must be a folder, new or not, but {tmp_path / 'file'} is a file" in (
            err.decode()
        )
