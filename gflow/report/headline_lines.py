"""A headline as lines for a person, at any width from 60 columns."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gflow.judges.finding import UNSOUND, Verdict
from gflow.report.headline import (
    AVERAGES,
    CENTERS,
    NOT_YET,
    ONLY_CENTERS,
    Headline,
    PointAnswer,
    Remark,
)
from gflow.report.words import capital
from gflow.runs.status import State

MOST_LINES = 10
"""Most lines about points; those of long grids are put together."""

_COLUMNS = (
    "neurons end at", "cosine", "Conjecture 1", "distance",
    "loss", "accuracy", "R²", "on test samples", "numerics",
)  # fmt: skip
"""Columns of a table of points."""

_FITS = (
    (("loss",), ".2g"), (("accuracy",), ".4f"), (("r_squared",), ".4f"),
    (("test_accuracy", "test_r_squared"), ".4f"),
)  # fmt: skip
"""Names of the numbers in the columns about the fit, and their format."""

_SHORT = {CENTERS: "centers", AVERAGES: "averages", ONLY_CENTERS: "centers"}


def headline_lines(headline: Headline, width: int) -> list[str]:
    """The answer for a person, in lines of at most `width` characters, at least 60.

    Longer are only lines with a path, which stays in one piece.
    """
    parts = [
        textwrap.wrap(headline.question, width),
        _point_lines(headline, width),
        [line for text in remarks(headline) for line in _wrapped(text, width)],
    ]
    return [line for part in parts if part for line in ("", *part)][1:]


def remarks(headline: Headline) -> list[str]:
    """What is said of all points together, after what each one answers: one text per paragraph."""
    texts = [
        _stopped(headline.points),
        _numerics(headline.points),
        headline.over_seeds and f"Conjecture 1 over seeds {headline.over_seeds}.",
        _counts(headline.counts),
        *map(_sentence, headline.remarks),
        _unanswered(headline),
    ]
    return [text for text in texts if text]


def clauses(point: PointAnswer, needed: float) -> list[str]:
    """What one point answers: where neurons end, Conjecture 1, or how it fits."""
    return [clause.replace("\xa0", " ") for clause in _clauses("", [point], needed)]


def cells(point: PointAnswer) -> dict[str, str]:
    """The same by the name of its column in a table; one without a text says nothing."""
    return dict(zip(_COLUMNS, _cells([point]), strict=True))


def next_lines(headline: Headline, figures: bool) -> list[str]:
    """Where figures are, and what to type next."""
    folder, where = headline.folder, Path(headline.folder) / "figures"
    commands = [f"gflow check {folder} --all"]
    if decided := [r for r in headline.remarks if r.verdict != Verdict.OUTSIDE]:
        commands.append(f"gflow check {folder} --explain {decided[0].number}")
    elif not headline.attacked:
        commands.append(f"gflow attack {folder}")
    lines = [f"Figures  {where}"] if figures else []
    return [*lines, f"Next     {commands[0]}", *(f"         {command}" for command in commands[1:])]


def quiet_lines(headline: Headline) -> list[str]:
    """One line per point: where neurons end, the cosine, and Conjecture 1."""
    return [
        "; ".join(_clauses(p.label, [p], headline.needed)).replace("\xa0", " ")
        for p in headline.points
    ]


def _point_lines(headline: Headline, width: int) -> list[str]:
    """One line for each group of points in a table; where that is too wide, a few for each."""
    groups = _groups(headline.points)
    shown = groups[:MOST_LINES]
    hidden = len(headline.points) - sum(len(points) for _, points in shown)
    more = [f"and {hidden} more: gflow status {headline.folder}"] if hidden else []
    if len(headline.points) > 1:
        tables = (_table(shown, headline.needed, short=short) for short in (False, True))
        table = next((table for table in tables if max(map(len, table)) <= width), None)
        if table is not None:
            return [*table, *more]
    lines = [
        line
        for label, points in shown
        for i, clause in enumerate(_clauses(label, points, headline.needed))
        for line in _wrapped(f"  {clause}" if label and i else clause, width)
    ]
    return [*lines, *more]


def _groups(points: Sequence[PointAnswer]) -> list[tuple[str, list[PointAnswer]]]:
    """Points in groups that differ in their seeds only, and in few enough groups to be read.

    Of a long grid the axes that vary fastest are left out, one after the other.
    """
    axes = max((len(point.parts) for point in points), default=0)
    groups = _by_parts(points, axes)
    while len(groups) > MOST_LINES and axes > 1 and len(_by_parts(points, axes - 1)) > 1:
        axes -= 1
        groups = _by_parts(points, axes)
    return [(_title(name, group), group) for name, group in groups.items()]


def _by_parts(points: Sequence[PointAnswer], axes: int) -> dict[str, list[PointAnswer]]:
    groups: dict[str, list[PointAnswer]] = {}
    for point in points:
        groups.setdefault(", ".join(point.parts[:axes]), []).append(point)
    return groups


def _title(name: str, group: Sequence[PointAnswer]) -> str:
    if len(group) == 1:
        return group[0].label.replace(",", ", ")
    same = len({point.parts for point in group}) == 1
    return f"{name} ({len(group)} {'seeds' if same else 'points'})".strip()


def _table(
    groups: Sequence[tuple[str, list[PointAnswer]]], needed: float, *, short: bool
) -> list[str]:
    """One line per group, in columns with a head; columns without an entry are left out."""
    head = ["", *_COLUMNS]
    head[4] += f" (needs <= {needed:g})"
    if short:
        head[1:5] = ["end at", "cosine", "Conj. 1", f"distance <= {needed:g}"]
    rows = [[label, *_cells(points, short)] for label, points in groups]
    lawless = not any(point.place or point.conjecture for _, points in groups for point in points)
    hidden = {1, 2, 3, 4} if lawless else {5, 6, 7, 8}
    columns = [
        (name, *column)
        for i, (name, *column) in enumerate(zip(head, *rows, strict=True))
        if i not in hidden and any(column)
    ]
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*columns, strict=True)
    ]


def _cells(points: Sequence[PointAnswer], short: bool = False) -> list[str]:
    """What a group answers, column by column; in short without "subclass", "class" and target."""
    fits = [
        _span((point.fit.get(name) for name in names for point in points), digits)
        for names, digits in _FITS
    ]
    sound = all(point.sound for point in points)
    return [
        _tally(_SHORT.get(point.place, point.place) if short else point.place for point in points),
        _span((point.cosine for point in points), ".3f"),
        _tally(point.conjecture for point in points),
        _distance(points, short),
        *fits,
        "" if sound else "not sound",
    ]


def _clauses(label: str, points: Sequence[PointAnswer], needed: float) -> list[str]:
    """The same in words: where neurons end, Conjecture 1, and whether numerics are not sound."""
    place, cosine, conjecture, distance, loss, accuracy, explained, test, unsound = _cells(points)
    clauses = []
    if place:
        why = ", since no output has reached 1/2" if place == NOT_YET else ""
        clauses.append(f"neurons end at: {place}{why}, cosine {cosine}")
    if conjecture:
        far = f", distance {distance} (needs\xa0<=\xa0{needed:g})" if distance else ""
        clauses.append(f"Conjecture 1: {conjecture}{far}")
    if not clauses:
        tested = f", {test} on test samples" if test else ""
        score = f"accuracy {accuracy}" if accuracy else f"R² {explained}"
        clauses.append(f"loss {loss}, {score}{tested}")
    if unsound:
        clauses.append("numerics: not sound")
    first = f"{label}: {clauses[0].removeprefix('neurons end at: ')}" if label else clauses[0]
    return [first if label else capital(first), *clauses[1:]]


def _distance(points: Sequence[PointAnswer], short: bool) -> str:
    brackets = [point.distance for point in points if point.distance]
    if not brackets:
        return ""
    low, high = f"{min(b[0] for b in brackets):.3f}", f"{max(b[1] for b in brackets):.3f}"
    targets = {point.target for point in points}
    to = f" to {targets.pop()}" if len(targets) == 1 and not short else ""
    return f"{low if low == high else f'[{low}, {high}]'}{to}"


def _tally(words: Iterable[str]) -> str:
    """A word, or each with its number where there are several."""
    number = Counter(word for word in words if word)
    if len(number) < 2:
        return next(iter(number), "")
    return ", ".join(f"{word} {n}" for word, n in number.most_common())


def _span(values: Iterable[float | None], digits: str) -> str:
    """The least and the largest value, or one if they agree in so many digits."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return ""
    low, high = format(min(numbers), digits), format(max(numbers), digits)
    return low if low == high else f"{low} to {high}"


def _numerics(points: Sequence[PointAnswer]) -> str:
    unsound = [point for point in points if not point.sound]
    if unsound:
        at = _place(tuple(point.label for point in unsound))
        why = unsound[0].numerics.removeprefix(f"{UNSOUND}: ")
        return f"Numerics are NOT SOUND{at}: {why} No prediction is judged there."
    if len(points) == 1:
        return points[0].numerics
    return "The numerics are sound at all points." if any(p.numerics for p in points) else ""


def _stopped(points: Sequence[PointAnswer]) -> str:
    stopped = [point for point in points if point.stopped]
    if not stopped:
        return ""
    at = _place(tuple(point.label for point in stopped)).removeprefix(" ")
    return f"{capital(at)}: {stopped[0].stopped}" if at else stopped[0].stopped


def _counts(counts: Mapping[str, int]) -> str:
    words = [f"{n} {verdict}" for verdict, n in counts.items() if verdict != Verdict.OUTSIDE]
    outside = counts.get(Verdict.OUTSIDE, 0)
    parts = [", ".join(words) or "none", *([f"{outside} do not apply (OUTSIDE)"] * bool(outside))]
    return f"Other verdicts: {'; '.join(parts)}." if counts else ""


def _sentence(remark: Remark) -> str:
    names = remark.predictions
    what = ", ".join(names) if len(names) < 4 else f"{len(names)} predictions"
    if remark.verdict == Verdict.OUTSIDE:  # its reason names the prediction
        return f"OUTSIDE{_place(remark.points)}: {remark.text}"
    return f"{remark.verdict} {what}{_place(remark.points)}: {remark.text}"


def _place(labels: Sequence[str]) -> str:
    """Where: nothing for a run that stands alone or a study as a whole."""
    named = [label for label in labels if label]
    if len(named) < 2:
        return f" at {named[0]}" if named else ""
    return f" at {len(named)} points, such as {named[0]}"


def _unanswered(headline: Headline) -> str:
    """How many points of a study have no answer, and the first of them, a failed one if any."""
    missing = headline.unanswered
    if not missing:
        return ""
    failed = [text for text in missing if f": {State.FAILED}" in text]
    first = (failed or list(missing))[0].rstrip(".")
    such_as = first if len(missing) == 1 else f"such as {first}"
    points = len(headline.points) + len(missing)
    return f"Not answered: {len(missing)} of {points} points, {such_as}."


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines, those after the first set in; none for an empty text."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    lines = textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines]
