"""How two results differ: in their questions, in their answers, and in what made them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax

from gflow.judges.catalogue import check
from gflow.judges.finding import Finding
from gflow.markup import table, titled
from gflow.runs.findings import read_findings
from gflow.runs.index import data_checksum
from gflow.runs.point import requested_predictions
from gflow.runs.run import Run
from gflow.runs.score import score_of
from gflow.runs.study import Study, load
from gflow.scenario import Scenario, load_scenario

Comparable = Run | Study | Scenario | str | Path
"""A result or a question, or where it is stored."""


class Difference(NamedTuple):
    """Something of which two results say different things."""

    what: str
    a: Any
    """None where the first says nothing of it."""
    b: Any
    """None where the second says nothing of it."""

    def __str__(self) -> str:
        return f"{self.what}: {_text(self.a)} | {_text(self.b)}"


@dataclass(frozen=True, repr=False)
class Comparison:
    """The differences of two results; prints as a table (final)."""

    names: tuple[str, str]
    """What the two are called."""
    question: tuple[Difference, ...]
    """Keys of the scenarios, and files of samples, that differ."""
    answer: tuple[Difference, ...]
    """Outcomes, numbers at the end, and verdicts that differ, with the label of their point."""
    origin: tuple[Difference, ...]
    """Versions and machines that differ."""
    recorded_alike: bool | None
    """Whether all recorded numbers are equal to the bit; None where one has no answer."""

    @property
    def sections(self) -> dict[str, tuple[Difference, ...]]:
        """The differences by what they are of."""
        return {"question": self.question, "answer": self.answer, "made by": self.origin}

    @property
    def lines(self) -> list[str]:
        """The differences as lines of text."""
        lines = [f"{self.names[0]} | {self.names[1]}"]
        for title, differences in self.sections.items():
            if differences:
                lines += ["", title, *(f"  {one}" for one in differences)]
            elif title == "question":
                lines += ["", "The questions are the same."]
        if self.recorded_alike:
            lines += ["", "All recorded numbers are equal to the bit."]
        elif self.recorded_alike is False and not self.answer:
            lines += ["", "The answers are the same, but for recorded numbers on the way."]
        return lines

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        rows = [
            (title, one.what, _text(one.a), _text(one.b))
            for title, differences in self.sections.items()
            for one in differences
        ]
        alike = "" if self.recorded_alike is None else f", recorded alike: {self.recorded_alike}"
        return titled(f"{len(rows)} differences{alike}", table(rows, ("", "", *self.names)))

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "names": list(self.names),
            "question": [one._asdict() for one in self.question],
            "answer": [one._asdict() for one in self.answer],
            "made_by": [one._asdict() for one in self.origin],
            "recorded_alike": self.recorded_alike,
        }


def compare(a: Comparable, b: Comparable) -> Comparison:
    """The differences of two questions and of their answers; simulates nothing, writes nothing.

    **Arguments:**

    - `a`, `b`: runs, studies or scenarios, or their folders or files. A run that has no stored
        verdicts is judged.

    **Returns:** a `Comparison`, which is empty where both say the same.

    **Raises:** `RecordError` or `ScenarioError` for a folder or file that cannot be read.
    """
    one, other = _read(a), _read(b)
    questions, answers = [_question(x) for x in (one, other)], [_answer(x) for x in (one, other)]
    both = all(not isinstance(x, Scenario) for x in (one, other))
    return Comparison(
        (_name(one), _name(other)),
        _differences(*questions),
        _differences(*answers) if both else (),
        _differences(_origin(one), _origin(other)) if both else (),
        _recorded_alike(one, other) if both else None,
    )


def _read(value: Comparable) -> Run | Study | Scenario:
    if not isinstance(value, str | Path):
        return value
    path = Path(value)
    return load_scenario(path) if path.is_file() else load(path)


def _name(value: Run | Study | Scenario) -> str:
    if isinstance(value, Scenario):
        return value.name
    return value.scenario.name if value.folder is None else str(value.folder)


def _question(value: Run | Study | Scenario) -> dict[str, Any]:
    scenario = value if isinstance(value, Scenario) else value.scenario
    made = value.manifest.get("data") if isinstance(value, Run) else None
    files = data_checksum(scenario) if made is None else made
    return scenario.by_key | ({"files of samples": str(files)[:16]} if files else {})


def _answer(value: Run | Study | Scenario) -> dict[str, Any]:
    if isinstance(value, Scenario):
        return {}
    answers: dict[str, Any] = {}
    for label, run in value.entries:
        answers |= {f"{label}: {what}" if label else what: x for what, x in _answer_of(run)}
    if isinstance(value, Study):
        answers |= {f"{status.label}: outcome": str(status.state) for status in value.unanswered}
        folders = [run.folder for run in value.runs if run.folder is not None]
        together = read_findings(value.folder, None, folders) if folders else None
        answers |= {f"all points: {what}": x for what, x in _verdicts(together or ())}
    return answers


def _answer_of(run: Run) -> Iterator[tuple[str, Any]]:
    """What a run says, by what it says it of."""
    last, score = run.record.isel(time=-1), score_of(run.scenario.data)
    yield "outcome", str(run.outcome.reason)
    yield "t at the end", run.outcome.t
    yield "steps", run.outcome.steps
    numbers = ("loss", *score.recorded, "squared_norm")
    yield from ((f"{name} at the end", float(last[name])) for name in numbers)
    for what, fit in (("test", run.test), ("validation", run.validation)):
        yield from ((f"{what} {name}", value) for name, value in fit.items())
    if (phases := run.evidence.phases if run.evidence.has_laws else None) is not None:
        yield from phases._asdict().items()
    yield from _verdicts(_findings(run))


def _findings(run: Run) -> tuple[Finding, ...]:
    stored = None if run.folder is None else read_findings(run.folder)
    if stored is not None:
        return stored
    with jax.enable_x64(True):
        return check(run.evidence, requested_predictions(run.scenario))


def _verdicts(findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    return ((f"verdict on {one.id}", one.verdict.value) for one in findings)


def _origin(value: Run | Study | Scenario) -> dict[str, Any]:
    """Versions and machine, of a study those of its first run."""
    if isinstance(value, Scenario) or not value.entries:
        return {}
    manifest: Any = value.entries[0].run.manifest
    rest = {key: manifest.get(key) for key in ("python", "device", "cores", "threads", "method")}
    return {**manifest.get("versions", {}), **rest}


def _recorded_alike(a: Any, b: Any) -> bool:
    records = [{label: run.record for label, run in one.entries} for one in (a, b)]
    return records[0].keys() == records[1].keys() and all(
        record.identical(records[1][label]) for label, record in records[0].items()
    )


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Difference, ...]:
    keys = dict.fromkeys((*a, *b))
    pairs = (Difference(key, a.get(key), b.get(key)) for key in keys)
    return tuple(one for one in pairs if not _same(one.a, one.b))


def _same(a: Any, b: Any) -> bool:
    return a == b or (a != a and b != b)  # a nan is as good as another


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
