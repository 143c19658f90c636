"""Loading a value from a Python file that the user wrote.

Extending gflow takes one small file that defines one name, and whatever is wrong with that file is
reported in one sentence.
"""

import functools
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from gflow.errors import ScenarioError

P = ParamSpec("P")
R = TypeVar("R")


def load_value(path: Path, name: str, what: str) -> Any:
    """The value that a file defines under a name; the file is executed.

    **Arguments:**

    - `path`: a Python file.
    - `name`: the name it must define.
    - `what`: what that name must stand for, as the message says if it is not defined.

    **Raises:** `ScenarioError` naming what is wrong with the file.
    """
    place = path.absolute()
    spec = importlib.util.spec_from_file_location(f"gflow_plugin_{path.stem}", place)
    if not path.is_file() or spec is None or spec.loader is None:
        raise refused(path, "must be a Python file, but is not one; try a path that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names of their fields
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise _mistake(path, error) from error
    if not hasattr(module, name):
        raise refused(path, f"must define `{name}`, {what}, but does not; add it")
    return getattr(module, name)


def traced(function: Callable[P, R], path: Path) -> Callable[P, R]:
    """A function of the user's own file, whose errors say where in the file they are."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise _mistake(path, error) from error

    return called


def refused(path: Path, text: str) -> ScenarioError:
    """A mistake in the user's own file."""
    return ScenarioError((f"{path}: {text}.",))


def _mistake(path: Path, error: Exception) -> ScenarioError:
    """An error that code of the user's own file raised: its file, its last line there, and why."""
    # A file that does not compile has no frame of its own, but says where.
    line = error.lineno if isinstance(error, SyntaxError) else None
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path.absolute()]
    line = lines[-1] if lines else line
    where = path if line is None else f"{path}, line {line}"
    why = error.msg if isinstance(error, SyntaxError) else error
    return ScenarioError(
        (f"{where}: must run without errors, but raises {type(error).__name__}: {why}; fix it.",)
    )
