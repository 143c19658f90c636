"""Text as a scenario, or as all of its mistakes, each with its place.

One idea: values of `--set` are put in before anything is judged, so an override is judged in the
words of the key it stands for, and only the place of its mistake is another.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gflow.errors import ScenarioError
from gflow.scenario.axis import Axis
from gflow.scenario.grid import read_flows, twins
from gflow.scenario.mistakes import shown
from gflow.scenario.question import Scenario, assigned
from gflow.scenario.toml_lines import key_lines, read_toml
from gflow.scenario.vary import read_axes
from gflow.table import Mistake


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario file.

    **Arguments:**

    - `path`: a TOML file; paths within it are relative to its folder.
    - `overrides`: "key=value" with TOML values, as given to `--set`; a bare word is a string.
        An override ends the variation of its key.

    **Raises:** `ScenarioError` with every mistake of file and overrides.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        wrong = f"{path}:{line}: the file must be UTF-8 text, but is not; save it as UTF-8."
    except IsADirectoryError:
        wrong = f"{path}: must be a scenario file, but is a folder; name a TOML file in it."
    except FileNotFoundError:
        wrong = f"{path}: the scenario file must be there, but is missing; check its spelling."
    except (OSError, ValueError) as error:
        wrong = f"{path}: the scenario file must be readable, but is not ({error}); check its path."
    else:
        return parse_scenario(text, str(path), path.parent, overrides)
    raise ScenarioError((wrong,))


def parse_scenario(
    text: str,
    source: str = "scenario",
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Scenario:
    """Understand a scenario.

    **Arguments:**

    - `text`: TOML.
    - `source`: the file it came from; names its mistakes, and the scenario if it has no name.
    - `folder`: what relative paths are relative to; None leaves them as they are.
    - `overrides`: see `load_scenario`.

    **Raises:** `ScenarioError` with every mistake of text and overrides.
    """
    fixed, mistakes = _overrides(overrides)
    tables = assigned({"name": _default_name(source), **_read(text, source)}, fixed)
    axes, refused = read_axes(tables.pop("vary", {}), tables.get("seed"))
    axes = tuple(axis for axis in (axis.without(fixed) for axis in axes) if axis.keys)
    tables, axes = _at_home(tables, axes, folder)
    flows, wrong = read_flows(tables, axes)
    # A key whose variation was refused is not also missing.
    spoken = {mistake.key for mistake in refused}
    mistakes += [*(m for m in wrong if f"vary.{m.key}" not in spoken), *refused]
    mistakes = mistakes or twins(flows, axes)
    if mistakes:
        raise ScenarioError(_told(mistakes, source, _places(text, source, axes, overrides)))
    scenario = flows[0]
    assert scenario is not None
    return scenario.model_copy(update={"vary": axes} if axes else {})


def _read(text: str, source: str) -> dict[str, Any]:
    try:
        return read_toml(text)
    except RecursionError:
        where, why = source, "lists are nested too deeply"
    except ValueError as error:
        line = re.search(r" \(at line (\d+), column \d+\)", str(error))
        where = f"{source}:{line[1]}" if line else source
        why = str(error).replace(line[0], "") if line else str(error)
    cure = "check quotes, brackets and `key = value`"
    raise ScenarioError((f"{where}: the file must be TOML, but is not ({why}); {cure}.",))


def _overrides(texts: Sequence[str]) -> tuple[dict[str, Any], list[Mistake]]:
    """Values of `--set` by key, and the texts that are none."""
    values: dict[str, Any] = {}
    mistakes = []
    for text in texts:
        key, _, value = text.partition("=")
        try:
            values[key.strip()] = _bare_or_toml(value)
        except ValueError:
            sentence = f"must be KEY=VALUE, but is {shown(text)}; try --set network.width=200."
            mistakes.append(Mistake(key.strip(), sentence))
    return values, mistakes


def _bare_or_toml(value: str) -> Any:
    try:
        tables = read_toml(f"value = {value}")
    except (ValueError, RecursionError):
        tables = {}
    if set(tables) == {"value"}:
        return tables["value"]
    if re.fullmatch(r"[\w./+-]+", value.strip()):
        return value.strip()
    raise ValueError


def _default_name(source: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(source).stem)[:100] or "scenario"


def _at_home(
    tables: dict[str, Any], axes: tuple[Axis, ...], folder: str | Path | None
) -> tuple[dict[str, Any], tuple[Axis, ...]]:
    """Every relative path of tables and axes made absolute."""

    def settle(key: str, value: Any) -> Any:
        if key != "data.path" or folder is None or not isinstance(value, str):
            return value
        return os.path.abspath(os.path.join(folder, value))

    data = tables.get("data")
    if isinstance(data, dict) and "path" in data:
        tables = assigned(tables, {"data.path": settle("data.path", data["path"])})
    return tables, tuple(axis.mapped(settle) for axis in axes)


def _places(
    text: str, source: str, axes: tuple[Axis, ...], overrides: Sequence[str]
) -> dict[str, str]:
    """Where each key stands; a key that varies stands in [vary]."""
    places = {key: f"{source}:{line}" for key, line in key_lines(text).items()}
    places |= {override.partition("=")[0].strip(): f"--set {override}" for override in overrides}
    for key in (key for axis in axes for key in axis.keys):
        if place := places.get(f"vary.{key}", places.get("vary.together")):
            places[key] = place
    return places


def _told(mistakes: list[Mistake], source: str, places: dict[str, str]) -> tuple[str, ...]:
    """Mistakes as one line each, whatever keys and values are made of."""
    lines = (f"{places.get(mistake.key, source)}: {mistake.text}" for mistake in mistakes)
    return tuple(" ".join(line.splitlines()) for line in lines)
