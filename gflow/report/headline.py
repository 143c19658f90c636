"""The answer to a question in a dozen lines: where neurons end, Conjecture 1, and what is wrong.

A headline holds plain values, so that it can be stored and told again without jax; it is told at
any width from 60 columns.
"""

import itertools
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gflow.judges.finding import Finding, Verdict
from gflow.report.words import capital, readable

if TYPE_CHECKING:
    from gflow.judges.evidence import Evidence
    from gflow.runs.run import Run
    from gflow.runs.study import Study
    from gflow.scenario import Scenario

AT_PLACE = 0.95
"""Share of the final mass that must lie within 10 degrees of centers, or of class averages."""

CONJECTURE = "conjecture-1"

CENTERS, AVERAGES, BETWEEN, NOT_YET = "subclass centers", "class averages", "between", "not yet"
ONLY_CENTERS = "class centers"
"""Where neurons end; the last where every class has one center, which is its average."""

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
    """Loss and the number that says most of the score, such as the accuracy, at the end; of test
    samples with "test_" before it."""
    place: str
    """Where neurons end; empty where that was not recorded or there are no laws of it."""
    shares: tuple[float, float] | None
    """Shares of the final mass within 10 degrees of an own center, of the class average."""
    cosines: tuple[float | None, float | None] | None
    """To the closest own center and the class average at the end, weighted by mass; None to an
    average of length 0."""
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


def _cosines(evidence: "Evidence") -> tuple[float | None, float | None]:
    center, average = evidence.mean_cosines(len(evidence.times) - 1)
    return None if center != center else center, None if average != average else average


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
    """Whether radii of test samples were measured, or labels are no classes to attack."""
    over_seeds: str = ""
    """How often Conjecture 1 holds over seeds; empty unless several of them were judged."""

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
            attacked=any(
                run.evidence.robustness or not run.evidence.has_classes for _, run in result.entries
            ),
            over_seeds=_over_seeds(findings.get("", ())) if scenario.is_grid else "",
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


def _over_seeds(together: Sequence[Finding]) -> str:
    row = next((row for row in together if row.id == CONJECTURE), None)
    return "" if row is None else f"{row.verdict.value}: {row.opinion.measured}"


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
    if max(run.centers.K1, run.centers.K2) == 1:
        return ONLY_CENTERS, shares
    return (CENTERS if shares[0] >= shares[1] else AVERAGES), shares


def _answer(
    label: str, parts: tuple[str, ...], run: "Run", findings: Sequence[Finding]
) -> PointAnswer:
    from gflow.judges.soundness import soundness_of
    from gflow.runs.score import score_of

    evidence, last = run.evidence, run.record.isel(time=-1)
    name, _ = score_of(run.scenario.data).headline
    fit = {"loss": float(last["loss"]), name: float(last[name])}
    if run.test:
        fit[f"test_{name}"] = run.test[name]
    recorded = evidence.has("neurons") and evidence.has("centers")
    known = recorded and evidence.has_laws and evidence.has_classes
    place, shares = where_neurons_end(evidence) if known else ("", None)
    judged = findings if evidence.has_classes else ()
    conjecture = next((row for row in judged if row.id == CONJECTURE), None)
    soundness = soundness_of(evidence) if evidence.has_laws else None
    return PointAnswer(
        label=label,
        parts=parts,
        fit=fit,
        place=place,
        shares=shares,
        cosines=_cosines(evidence) if known else None,
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
        return capital(readable(opinion.reason.removeprefix("Undecided: ")))
    return readable(f"{opinion.reason} Expected: {opinion.expected}. Measured: {opinion.measured}.")


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with tuples in place of lists."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
