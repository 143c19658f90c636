"""Loading a value from a Python file that the user wrote.

Extending gflow takes one small file that defines one name, and whatever is wrong with that file is
reported in one sentence.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from gflow.errors import ScenarioError


def load_value(path: Path, name: str, what: str) -> Any:
    """The value that a file defines under a name; the file is executed.

    **Arguments:**

    - `path`: a Python file.
    - `name`: the name it must define.
    - `what`: what that name must stand for, as the message says if it is not defined.

    **Raises:** `ScenarioError` naming what is wrong with the file.
    """
    spec = importlib.util.spec_from_file_location(f"gflow_plugin_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise refused(path, "must be a Python file, but is not one; try a path that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names of their fields
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        why = f"{type(error).__name__}: {error}"
        raise refused(path, f"must run without errors, but does not ({why}); fix it") from error
    if not hasattr(module, name):
        raise refused(path, f"must define `{name}`, {what}, but does not; add it")
    return getattr(module, name)


def refused(path: Path, text: str) -> ScenarioError:
    """A mistake in the user's own file."""
    return ScenarioError((f"{path}: {text}.",))
