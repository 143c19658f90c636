"""Reading TOML text as a scenario, or as the list of all its mistakes with their lines.

Values of `--set` are substituted before anything is validated, so an override is judged in the same
words as the key it replaces; only the place of the mistake differs.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gflow.errors import ScenarioError
from gflow.scenario.axis import Axis
from gflow.scenario.grid import read_flows, twins
from gflow.scenario.mistakes import describe
from gflow.scenario.question import Scenario, assigned
from gflow.scenario.toml_lines import key_lines, read_toml, repeated_key
from gflow.scenario.vary import read_axes
from gflow.table import Mistake


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario file.

    **Arguments:**

    - `path`: a TOML file; paths within it are relative to its folder.
    - `overrides`: "key=value" with TOML values, as given to `--set`; a bare word is a string.
        A key that is overridden no longer varies.

    **Raises:** `ScenarioError` with every mistake in the file and the overrides.
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
        wrong = f"{path}: the scenario file must exist, but does not; check its spelling."
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
    """Parse the text of a scenario.

    **Arguments:**

    - `text`: TOML.
    - `source`: the file it came from; it is named in mistakes, and names a scenario without a name.
    - `folder`: the folder that paths are relative to; None leaves relative paths as they are.
    - `overrides`: see `load_scenario`.

    **Raises:** `ScenarioError` with every mistake in the text and the overrides.
    """
    values = _read(text, source)
    if not values and not overrides:
        raise ScenarioError((f"{source}: {_EMPTY}",))
    scenario, mistakes, axes = _parsed(values, source, folder, overrides)
    if not mistakes:
        assert scenario is not None
        return scenario
    # What is wrong only with the overrides is no mistake of the file.
    own = _parsed(values, source, folder, ())[1] if overrides else mistakes
    places = _places(text, source, axes, overrides)
    given = " ".join(f"--set {override}" for override in overrides)
    for mistake in mistakes:
        if mistake not in own and not places.get(mistake.key, "").startswith("--set"):
            places[mistake.key] = f"{given}, with {places.get(mistake.key, source)}"
    raise ScenarioError(_lines(mistakes, source, places))


_EMPTY = (
    "the file must be a scenario, but is empty; `gflow init` writes one to start from, and "
    "`gflow schema` lists all keys."
)


def _parsed(
    values: dict[str, Any], source: str, folder: str | Path | None, overrides: Sequence[str]
) -> tuple[Scenario | None, list[Mistake], tuple[Axis, ...]]:
    """A file as a scenario, or every mistake in it; and the axes of its grid."""
    # Overrides come first: they replace values and end the variation of their keys.
    replaced, mistakes = _overrides(overrides)
    tables = assigned({"name": _default_name(source), **values}, replaced)
    axes, in_axes = read_axes(tables.pop("vary", {}), tables)
    axes = tuple(axis for axis in (axis.without(replaced) for axis in axes) if axis.keys)
    tables, axes = _with_absolute_paths(tables, axes, folder)
    flows, in_flows = read_flows(tables, axes)

    # A key whose entry in [vary] was refused is not reported as missing too.
    refused = {mistake.key for mistake in in_axes}
    mistakes += [*(m for m in in_flows if f"vary.{m.key}" not in refused), *in_axes]
    mistakes = mistakes or twins(flows, axes)
    scenario = None if mistakes else flows[0]
    return scenario and scenario.model_copy(update={"vary": axes} if axes else {}), mistakes, axes


def _read(text: str, source: str) -> dict[str, Any]:
    try:
        return read_toml(text)
    except RecursionError:
        where, why = source, "lists are nested too deeply"
    except ValueError as error:
        _refuse_repetition(text, source)
        line = re.search(r" \(at line (\d+), column \d+\)", str(error))
        where = f"{source}:{line[1]}" if line else source
        why = str(error).replace(line[0], "") if line else str(error)
    cure = "check quotes, brackets and `key = value`"
    raise ScenarioError((f"{where}: the file must be valid TOML, but is not ({why}); {cure}.",))


def _refuse_repetition(text: str, source: str) -> None:
    """Name a key that is given twice, which the parser does not."""
    try:
        key, first, second = repeated_key(text) or ("", 0, 0)
    except RecursionError:
        return
    if key:
        raise ScenarioError(
            (
                f"{source}:{second}: `{key}` must be given once, but is given on lines {first} and "
                f"{second}; remove one of them.",
            )
        ) from None


def _overrides(texts: Sequence[str]) -> tuple[dict[str, Any], list[Mistake]]:
    """Values of `--set` by key, and the texts that are not of its form."""
    values: dict[str, Any] = {}
    mistakes = []
    for text in texts:
        key, _, value = text.partition("=")
        try:
            values[key.strip()] = read_value(value)
        except ValueError:
            sentence = f"must be KEY=VALUE, but is {describe(text)}; try --set network.width=200."
            mistakes.append(Mistake(key.strip(), sentence))
    return values, mistakes


def read_value(value: str) -> Any:
    """A TOML value, or a bare word as a string, as given to `--set`.

    **Raises:** `ValueError` for a text that is neither.
    """
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


def _with_absolute_paths(
    tables: dict[str, Any], axes: tuple[Axis, ...], folder: str | Path | None
) -> tuple[dict[str, Any], tuple[Axis, ...]]:
    """Tables and axes with every relative path made absolute."""

    def absolute(key: str, value: Any) -> Any:
        if key != "data.path" or folder is None or not isinstance(value, str):
            return value
        return os.path.abspath(os.path.join(folder, value))

    data = tables.get("data")
    if isinstance(data, dict) and "path" in data:
        tables = assigned(tables, {"data.path": absolute("data.path", data["path"])})
    return tables, tuple(axis.mapped(absolute) for axis in axes)


def _places(
    text: str, source: str, axes: tuple[Axis, ...], overrides: Sequence[str]
) -> dict[str, str]:
    """The place of each key: its line, its override, or its entry in [vary] if it varies.

    The keys are in the order of the lines.
    """
    lines = sorted(key_lines(text).items(), key=lambda item: item[1])
    places = {key: f"{source}:{line}" for key, line in lines}
    places |= {override.partition("=")[0].strip(): f"--set {override}" for override in overrides}
    for key in (key for axis in axes for key in axis.keys):
        if place := places.get(f"vary.{key}", places.get("vary.together")):
            places[key] = place
    return places


def _lines(mistakes: list[Mistake], source: str, places: dict[str, str]) -> tuple[str, ...]:
    """One line per mistake, in the order of the file, even where a key or value has line breaks."""
    order = {key: i for i, key in enumerate(places)}
    mistakes = sorted(mistakes, key=lambda mistake: order.get(mistake.key, len(order)))
    lines = (f"{places.get(mistake.key, source)}: {mistake.text}" for mistake in mistakes)
    return tuple(" ".join(line.splitlines()) for line in lines)
