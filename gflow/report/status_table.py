"""The states of points, runs and studies as text: columns with a head, and a line that counts."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from gflow.judges.finding import Verdict
from gflow.runs.shelf import Result
from gflow.runs.status import State, Status, count, count_verdicts

_COUNTED = {Verdict.HOLDS: "H", Verdict.FAILS: "F", Verdict.UNDECIDED: "U"}
"""Verdicts that have a column, and its head where space is short."""

_SHORT = {
    "Conjecture 1": "Conj. 1", "on Conjecture 1": "", "flow time": "", "seconds": "", **_COUNTED,
}  # fmt: skip
"""Heads where space is short; a column with an empty one is left out there."""


def status_lines(statuses: Sequence[Status], width: int) -> list[str]:
    """One line per point, in columns with a head; then why some have not ended, and a sum."""
    rows = [
        {
            "point": _name(status),
            "state": status.state.value,
            "flow time": "" if status.t is None else f"{status.t:.5g}",
            "seconds": "" if status.seconds is None else f"{status.seconds:.1f}",
            "Conjecture 1": status.verdict,
            **_numbers([status]),
        }
        for status in statuses
    ]
    reasons = [(_name(status), _reason(status)) for status in statuses]
    total = f"{_plural(len(statuses), 'point')}: {_sum(statuses)}"
    return [*_columns(rows, width), *_reasons(reasons, width), *textwrap.wrap(total, width)]


def shelf_lines(results: Sequence[Result], width: int) -> list[str]:
    """One line per run or study, in columns with a head; then what is wrong, and a sum."""
    rows = [
        {
            "folder": result.folder.name,
            "state": _state(result),
            "on Conjecture 1": _tally(Counter(s.verdict for s in result.statuses if s.verdict)),
            **_numbers(result.statuses),
        }
        for result in results
    ]
    reasons = [
        ("/".join(filter(None, (result.folder.name, status.label))), _reason(status))
        for result in results
        for status in result.statuses
    ]
    statuses = [status for result in results for status in result.statuses]
    total = f"{_plural(len(results), 'folder')}, {_plural(len(statuses), 'point')}"
    total = f"{total}: {_sum(statuses)}"
    return [*_columns(rows, width), *_reasons(reasons, width), *textwrap.wrap(total, width)]


def _name(status: Status) -> str:
    return status.label or status.folder.name


def _reason(status: Status) -> str:
    return status.reason or ("" if status.sound else "numerics NOT SOUND, see gflow check")


def _sum(statuses: Sequence[Status]) -> str:
    parts = [count(statuses), count_verdicts(statuses)]
    return "; ".join(", ".join(f"{n} {word}" for word, n in part.items()) for part in parts if part)


def _tally(number: Mapping[str, int]) -> str:
    """A word, or each with its number where there are several."""
    if len(number) < 2:
        return next(iter(number), "")
    return ", ".join(f"{n} {word}" for word, n in number.items())


def _state(result: Result) -> str:
    """The state of a run; of a study how many points are finished, and the worst of the others."""
    number = count(result.statuses)
    if not result.is_study:
        return next(iter(number))
    finished = number.pop(State.FINISHED.value, 0)
    others = [f", {n} {word}" for word, n in number.items()]
    return f"{finished}/{len(result.statuses)} finished{''.join(others[-1:])}"


def _numbers(statuses: Sequence[Status]) -> dict[str, str]:
    number = count_verdicts(statuses)
    return {verdict: str(number.get(verdict, 0)) if number else "" for verdict in _COUNTED}


def _reasons(reasons: Iterable[tuple[str, str]], width: int) -> list[str]:
    """A paragraph for each reason, paths in one piece."""
    return [
        line
        for name, reason in reasons
        if reason
        for line in textwrap.wrap(
            f"{name}: {' '.join(reason.split())}",
            width,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _columns(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """A table with all columns, or with those that matter most where that is too wide."""
    heads = {name: name for name in rows[0]}
    lines = _aligned([heads, *rows], list(heads))
    if max(map(len, lines)) <= width:
        return lines
    short = {name: _SHORT.get(name, name) for name in heads}
    return _aligned([short, *rows], [name for name, head in short.items() if head])


def _aligned(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> list[str]:
    widths = {name: max(len(row[name]) for row in rows) for name in names}
    return ["  ".join(row[name].ljust(widths[name]) for name in names).rstrip() for row in rows]


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
