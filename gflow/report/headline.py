"""The answer to a question in a dozen lines: where neurons end, Conjecture 1, and what is wrong.

A headline holds plain values, so that it can be stored and told again without jax; it is told at
any width from 60 columns.
"""

import itertools
import textwrap
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gflow.judges.finding import UNSOUND, Finding, Verdict
from gflow.report.words import readable
from gflow.runs.status import State

if TYPE_CHECKING:
    from gflow.judges.evidence import Evidence
    from gflow.runs.run import Run
    from gflow.runs.study import Study
    from gflow.scenario import Scenario

AT_PLACE = 0.95
"""Share of the final mass that must lie within 10 degrees of centers, or of class averages."""

MOST_LINES = 10
"""Most lines about points; those of long grids are put together."""

CONJECTURE = "conjecture-1"

CENTERS, AVERAGES, BETWEEN, NOT_YET = "subclass centers", "class averages", "between", "not yet"
ONLY_CENTERS = "class centers"
"""Where neurons end; the last where every class has one center, which is its average."""

_SHORT = {CENTERS: "centers", AVERAGES: "averages", ONLY_CENTERS: "centers"}

Findings = Mapping[str, Sequence[Finding]]
"""Findings by point label."""


@dataclass(frozen=True)
class PointAnswer:
    """What the flow of one point answers."""

    label: str
    """Varied keys and their values; empty for a run that stands alone."""
    parts: tuple[str, ...]
    """The label without its seed, one part per axis of the grid."""
    fit: dict[str, float]
    """Loss, accuracy, and accuracy on test samples, at the end."""
    place: str
    """Where neurons end; empty where that was not recorded or there are no laws of it."""
    shares: tuple[float, float] | None
    """Shares of the final mass within 10 degrees of an own center, of the class average."""
    cosines: tuple[float, float] | None
    """To the closest own center and the class average at the end, weighted by mass."""
    conjecture: str
    """Verdict on Conjecture 1; empty if it was not judged."""
    distance: tuple[float, float] | None
    """Bracket of the distance to the classifier it claims, in units of sup |target|."""
    target: str
    """Name of that classifier."""
    sound: bool
    """Whether the numerics are sound."""
    numerics: str
    """Why they are, or what to do, in a sentence or two."""
    stopped: str = ""
    """Why the flow ended before its end, and the cure; empty if it did not."""

    @property
    def cosine(self) -> float | None:
        """Cosine to where neurons end; to the closest own center where that is neither."""
        return self.cosines and self.cosines[self.place == AVERAGES]


@dataclass(frozen=True)
class Remark:
    """What a verdict other than HOLDS says, and of which points."""

    verdict: str
    predictions: tuple[str, ...]
    """Numbers and ids, such as "P8 partial-activation"."""
    points: tuple[str, ...]
    """Labels; "" for a run that stands alone, and for all runs of a study together."""
    text: str

    @property
    def number(self) -> str:
        """Number of the first prediction, as `--explain` takes it."""
        return self.predictions[0].split()[0]


@dataclass(frozen=True)
class Headline:
    """The answer to a question, as plain values (final)."""

    question: str
    points: tuple[PointAnswer, ...]
    sound: bool
    """Whether the numerics of every point are sound."""
    needed: float
    """Largest distance, certified, at which Conjecture 1 holds."""
    counts: dict[str, int]
    """Verdicts on all other predictions, at all points."""
    remarks: tuple[Remark, ...]
    unanswered: tuple[str, ...]
    """Points without a run, or whose last attempt failed, and the reason."""
    folder: str
    """Where the result is stored."""
    attacked: bool
    """Whether radii of test samples were measured."""

    @classmethod
    def of(cls, result: "Run | Study", findings: Findings) -> "Headline":
        """The answer of a stored result, given its findings by point label."""
        from gflow.judges.conjecture import OWN_BAR

        scenario = result.scenario
        parts = _parts(scenario)
        points = tuple(
            _answer(label, parts.get(label, ()), run, findings.get(label, ()))
            for label, run in result.entries
        )
        others = (row for rows in findings.values() for row in rows if row.id != CONJECTURE)
        number = Counter(row.verdict.value for row in others)
        return cls(
            question=scenario.question or scenario.name,
            points=points,
            sound=all(point.sound for point in points),
            needed=OWN_BAR,
            counts={verdict.value: number[verdict] for verdict in Verdict if number[verdict]},
            remarks=_remarks(findings, {point.numerics for point in points if not point.sound}),
            unanswered=tuple(f"{point}" for point in result.unanswered),
            folder=str(result.folder or ""),
            attacked=any(run.evidence.robustness for _, run in result.entries),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `--json` and for the stored answer."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Headline":
        """The inverse of `to_json`, also after a round trip through JSON."""
        points = tuple(PointAnswer(**_tuples(point)) for point in values["points"])
        remarks = tuple(Remark(**_tuples(remark)) for remark in values["remarks"])
        return cls(**_tuples(values) | {"points": points, "remarks": remarks})


def where_neurons_end(run: "Evidence") -> tuple[str, tuple[float, float]]:
    """The place that holds most of the final mass, in words, and the shares it is read from.

    "subclass centers" and "class averages" hold at least 0.95 of the mass within 10 degrees; else
    it is "between".  The only center of a class is its average, and counts for both; where every
    class has one, they are "class centers".  As long as no |f(μ_k)| has reached 1/2 neurons have
    not grown, and wherever they point it is "not yet".

    **Returns:** the word, and the shares within 10 degrees of an own center and of the class
    average.
    """
    import numpy as np

    from gflow.judges.alignment_phase import own, signs
    from gflow.measure.alignment import CONE

    cosine, K = run.record["cosine"].values[-1].astype(np.float64), run.centers.K
    center = np.where(own(run), cosine[:, :K], -1).max(axis=1)
    average = np.where(signs(run) > 0, cosine[:, K], cosine[:, K + 1])
    shares = float(run.share[center >= CONE].sum()), float(run.share[average >= CONE].sum())
    if run.phases is None or not np.isfinite(run.phases.escape):
        return NOT_YET, shares
    if max(shares) < AT_PLACE:
        return BETWEEN, shares
    if run.centers.K1 == run.centers.K2 == 1:
        return ONLY_CENTERS, shares
    return (CENTERS if shares[0] >= shares[1] else AVERAGES), shares


def headline_lines(headline: Headline, width: int) -> list[str]:
    """The answer for a person, in lines of at most `width` characters, at least 60.

    Longer are only lines with a path, which stays in one piece.
    """
    rest = [
        _stopped(headline.points),
        _numerics(headline.points),
        _counts(headline.counts),
        *map(_sentence, headline.remarks),
        _unanswered(headline.unanswered),
    ]
    parts = [
        textwrap.wrap(headline.question, width),
        _point_lines(headline, width),
        [line for text in rest for line in _wrapped(text, width)],
    ]
    return [line for part in parts if part for line in ("", *part)][1:]


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


# From runs to plain values.


def _answer(
    label: str, parts: tuple[str, ...], run: "Run", findings: Sequence[Finding]
) -> PointAnswer:
    from gflow.judges.soundness import soundness_of

    evidence, last = run.evidence, run.record.isel(time=-1)
    fit = {"loss": float(last["loss"]), "accuracy": float(last["accuracy"])}
    if run.test:
        fit["test_accuracy"] = run.test["accuracy"]
    known = evidence.has_laws and evidence.has("neurons") and evidence.has("centers")
    place, shares = where_neurons_end(evidence) if known else ("", None)
    conjecture = next((row for row in findings if row.id == CONJECTURE), None)
    soundness = soundness_of(evidence) if evidence.has_laws else None
    return PointAnswer(
        label=label,
        parts=parts,
        fit=fit,
        place=place,
        shares=shares,
        cosines=evidence.mean_cosines(len(evidence.times) - 1) if known else None,
        conjecture=conjecture.verdict.value if conjecture else "",
        distance=conjecture.opinion.bracket if conjecture else None,
        target="F" if evidence.p < 2 else f"F^({evidence.p:g})",
        sound=soundness is None or soundness.sound,
        numerics=soundness.text if soundness else "",
        stopped="" if run.outcome.complete else run.outcome.text,
    )


def _parts(scenario: "Scenario") -> dict[str, tuple[str, ...]]:
    """The parts of every label, one per axis of the grid, without that of the seed."""
    steps = [[(axis.keys, label) for _, label in axis.steps()] for axis in scenario.vary]
    return {
        ",".join(label for _, label in point): tuple(
            label for keys, label in point if keys != ("seed",)
        )
        for point in itertools.product(*steps)
    }


def _remarks(findings: Findings, unsound: Container[str]) -> tuple[Remark, ...]:
    """FAILS and UNDECIDED, and where Conjecture 1 does not apply: one for each prediction.

    Predictions with the same reason at the same points share one; those that are undecided because
    the numerics are not sound have none, since that is said before.
    """
    from gflow.judges.catalogue import CATALOGUE

    rows: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for label, row in ((label, row) for label, rows in findings.items() for row in rows):
        verdict = row.verdict
        if row.opinion.reason in unsound:
            continue
        if verdict in (Verdict.FAILS, Verdict.UNDECIDED) or (
            verdict is Verdict.OUTSIDE and row.id == CONJECTURE
        ):
            number = CATALOGUE[row.id].number if row.id in CATALOGUE else ""
            key = verdict.value, f"{number} {row.id}".strip()
            rows.setdefault(key, []).append((label, _reason(row)))
    # What is said once for each prediction, then once for those of which the same is said.
    together: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for (verdict, name), told in rows.items():
        key = verdict, tuple(label for label, _ in told), told[0][1]
        together.setdefault(key, []).append(name)
    order = [Verdict.OUTSIDE, Verdict.FAILS, Verdict.UNDECIDED]
    remarks = [Remark(verdict, tuple(n), at, text) for (verdict, at, text), n in together.items()]
    return tuple(sorted(remarks, key=lambda remark: order.index(Verdict(remark.verdict))))


def _reason(row: Finding) -> str:
    """The reason of a verdict; of a FAILS also what was expected and measured."""
    opinion = row.opinion
    if row.verdict is not Verdict.FAILS:
        return _capital(readable(opinion.reason.removeprefix("Undecided: ")))
    return readable(f"{opinion.reason} Expected: {opinion.expected}. Measured: {opinion.measured}.")


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with tuples in place of lists."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


# From plain values to lines.


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
    head = ["", "neurons end at", "cosine", "Conjecture 1", f"distance (needs <= {needed:g})"]
    if short:
        head = ["", "end at", "cosine", "Conj. 1", f"distance <= {needed:g}"]
    head += ["loss", "accuracy", "on test samples", "numerics"]
    rows = [[label, *_cells(points, short)] for label, points in groups]
    lawless = not any(point.place or point.conjecture for _, points in groups for point in points)
    hidden = {1, 2, 3, 4} if lawless else {5, 6, 7}
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
        _span((point.fit.get(name) for point in points), digits)
        for name, digits in (("loss", ".2g"), ("accuracy", ".4f"), ("test_accuracy", ".4f"))
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
    place, cosine, conjecture, distance, loss, accuracy, test, unsound = _cells(points)
    clauses = []
    if place:
        why = ", since no output has reached 1/2" if place == NOT_YET else ""
        clauses.append(f"neurons end at: {place}{why}, cosine {cosine}")
    if conjecture:
        far = f", distance {distance} (needs\xa0<=\xa0{needed:g})" if distance else ""
        clauses.append(f"Conjecture 1: {conjecture}{far}")
    if not clauses:
        tested = f", {test} on test samples" if test else ""
        clauses.append(f"loss {loss}, accuracy {accuracy}{tested}")
    if unsound:
        clauses.append("numerics: not sound")
    first = f"{label}: {clauses[0].removeprefix('neurons end at: ')}" if label else clauses[0]
    return [first if label else _capital(first), *clauses[1:]]


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
    return f"{_capital(at)}: {stopped[0].stopped}" if at else stopped[0].stopped


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


def _unanswered(unanswered: Sequence[str]) -> str:
    if not unanswered:
        return ""
    failed = [text for text in unanswered if f": {State.FAILED}" in text]
    first = (failed or list(unanswered))[0]
    return f"Not answered: {len(unanswered)} points, such as {first}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines, those after the first set in; none for an empty text."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    lines = textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines]
