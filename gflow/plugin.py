"""A value from a Python file of the user's own.

One idea: whoever extends gflow writes one small file with one name in it, and whatever is wrong
with the file is told in a sentence.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from gflow.errors import ScenarioError


def load_value(path: Path, name: str, what: str) -> Any:
    """What a file defines under a name; its code is run.

    **Arguments:**

    - `path`: a Python file.
    - `name`: that it must define.
    - `what`: what that must be, for the message if it is not there.

    **Raises:** `ScenarioError` naming what is wrong with the file.
    """
    spec = importlib.util.spec_from_file_location(f"gflow_plugin_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise refused(path, "must be a Python file, but is none; try a path that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names of their fields
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        why = f"{type(error).__name__}: {error}"
        raise refused(path, f"must run, but does not ({why}); mend it") from error
    if not hasattr(module, name):
        raise refused(path, f"must define `{name}`, {what}, but does not; add it")
    return getattr(module, name)


def refused(path: Path, text: str) -> ScenarioError:
    """A mistake of the user's own file."""
    return ScenarioError((f"{path}: {text}.",))
