"""Points of a study chosen by the values of varied keys, as in `--points network.power=3`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gflow.errors import ScenarioError
from gflow.runs.run import Run
from gflow.runs.study import Study
from gflow.scenario import Scenario
from gflow.scenario.axis import label_word
from gflow.scenario.reading import read_value


def select(result: Run | Study, texts: Sequence[str]) -> Run | Study:
    """The points of a study that have some values.

    **Arguments:**

    - `result`: a study; a run has no points to choose from, unless `texts` is empty.
    - `texts`: "key=value" with TOML values, several with commas; keys are dotted, or as in labels.
        Values of one key are alternatives; a point must fit every key.

    **Returns:** the study with the runs, and the unanswered points, that fit.

    **Raises:** `ScenarioError` naming what varies, if a key does not vary or no point fits.
    """
    if not texts:
        return result
    if isinstance(result, Run):
        raise ScenarioError(
            ("`--points` must be given with a study, but this is one run; leave it out.",)
        )
    points = {point.label: point.varied for point in result.scenario.points()}
    wanted = _wanted(texts, result.scenario)
    fitting = {label for label, varied in points.items() if _fits(varied, wanted)}
    entries = tuple(entry for entry in result.entries if entry.label in fitting)
    if not entries:
        raise ScenarioError(
            (
                f"`--points` must fit a run of the study, but {', '.join(texts)} fits none; "
                f"{_there_are(result.scenario)}.",
            )
        )
    others = tuple(status for status in result.unanswered if status.label in fitting)
    return replace(result, entries=entries, unanswered=others)


def _wanted(texts: Sequence[str], scenario: Scenario) -> dict[str, list[Any]]:
    """The values that each key may have."""
    keys = [key for axis in scenario.vary for key in axis.keys]
    names = {label_word(key): key for key in keys} | {key: key for key in keys}
    wanted: dict[str, list[Any]] = {}
    for text in (part for whole in texts for part in whole.split(",")):
        name, _, value = text.partition("=")
        try:
            value = read_value(value)
        except ValueError:
            raise ScenarioError(
                (f"`--points` must be KEY=VALUE, but is {text!r}; {_there_are(scenario)}.",)
            ) from None
        if name.strip() not in names:
            raise ScenarioError(
                (
                    f"`--points` must name a key that varies, but {name.strip()!r} does not; "
                    f"{_there_are(scenario)}.",
                )
            )
        wanted.setdefault(names[name.strip()], []).append(value)
    return wanted


def _fits(varied: Mapping[str, Any], wanted: Mapping[str, Sequence[Any]]) -> bool:
    return all(varied[key] in values for key, values in wanted.items())


def _there_are(scenario: Scenario) -> str:
    """The varied keys and their values, in words."""
    columns = (
        (key, dict.fromkeys(str(value) for value in column))
        for axis in scenario.vary
        for key, column in zip(axis.keys, zip(*axis.rows, strict=True), strict=True)
    )
    return "there are " + "; ".join(f"{key} = {', '.join(values)}" for key, values in columns)
