"""A run: a flow together with the question it answers; a flow that ended early is a run too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from gflow.data.centers import Centers
from gflow.flow.field import FlowState
from gflow.flow.trajectory import Effort, Outcome
from gflow.judges.evidence import Evidence
from gflow.markup import table, titled
from gflow.measure.phases import Phases
from gflow.network.snapshot import Snapshot
from gflow.runs.given import Given
from gflow.runs.layout import COORDINATES
from gflow.runs.moment import snapshot_at
from gflow.runs.score import score_of
from gflow.runs.status import Status
from gflow.scenario import Scenario


class Entry(NamedTuple):
    """A run and the label of its point."""

    label: str
    """Varied keys and their values, such as "power=3"; empty for a run that stands alone."""
    run: "Run"


@dataclass(frozen=True, repr=False)
class Run:
    """A flow and the question it answers; prints as a card."""

    evidence: Evidence
    state: FlowState
    """The final state, from which a continuation starts."""
    next_step: float
    """Step size that a continuation tries first."""
    test: dict[str, float]
    """Mean loss and the score of test samples by name, such as their accuracy; empty if there are
    none."""
    manifest: dict[str, object]
    """Versions, device, threads, wall time."""
    folder: Path | None = None
    """The run folder; None if the run is not stored."""
    given: Given = Given()  # noqa: RUF009 (frozen)
    """What was given beside the scenario; of a run that was read from its folder, its neurons."""
    validation: dict[str, float] = field(default_factory=dict)
    """The same on samples held out to validate on."""

    def _repr_html_(self) -> str:
        return titled(self.scenario.name, table(self.card.items()))

    def __repr__(self) -> str:
        return "\n".join([self.scenario.name, *(f"  {k:<8} {v}" for k, v in self.card.items())])

    @property
    def card(self) -> dict[str, str]:
        """The run at a glance: outcome, effort, phases, fit, test, folder."""
        last = self.record.isel(time=-1)
        loss, score = float(last["loss"]), score_of(self.scenario.data)
        fit = score.train_text({name: float(last[name]) for name in score.recorded})
        return {
            "outcome": self.outcome.text,
            "effort": f"{self.effort}, {self.manifest['seconds']:.1f} s",
            **({"method": str(self.manifest["method"])} if "method" in self.manifest else {}),
            **self.state.weights.card_rows(self.record),
            **self._progress,
            "fit": f"loss {loss:.3g}, {fit}",
            **({"validate": self._validated} if self.validation else {}),
            "test": score.test_text(self.test) if self.test else "no test samples",
            "folder": str(self.folder or "not stored"),
        }

    @property
    def _validated(self) -> str:
        """How samples that were held out are fitted."""
        text = score_of(self.scenario.data).test_text(self.validation)
        return f"{text}, loss {self.validation['loss']:.3g}"

    @property
    def _progress(self) -> dict[str, str]:
        """When phases ended and where neurons pointed, as far as recorded."""
        evidence = self.evidence
        if "centers" not in self.scenario.network.groups:
            return {"cosines": self._closest} if evidence.has("neurons") else {}
        phases, end = self._phases, {"the end": len(evidence.times) - 1}
        own = f"closest own {self.centers.noun}"
        if not evidence.has_classes and evidence.has("neurons"):
            cosines = _at_moments(lambda at: evidence.mean_cosines(at)[:1], end)
            return {"cosines": f"{cosines} ({own})"}
        if phases is None:
            return {"phases": "not recorded"}
        escaped = int(np.searchsorted(evidence.times, phases.escape))
        moments = {"escape": escaped} if np.isfinite(phases.escape) else {}
        cosines = _at_moments(evidence.mean_cosines, moments | end)
        meaning = self._meaning(own, "class average")
        return {"phases": str(phases), "cosines": f"{cosines} ({meaning})"}

    @property
    def _closest(self) -> str:
        """Cosines of the first layer when it is closest to the centers, and at the end."""
        evidence = self.evidence
        last = len(evidence.times) - 1
        best = max(range(last + 1), key=lambda at: evidence.closest_cosines(at)[0])
        moments = {f"t = {evidence.times[best]:.4g}": best, "the end": last}
        cosines = _at_moments(evidence.closest_cosines, moments)
        return f"{cosines} ({self._meaning('closest center', 'closest class average')})"

    def _meaning(self, center: str, average: str) -> str:
        """What a pair of cosines is to."""
        if self.centers.lacks_average:
            return f"{center}; the average of a class has length 0"
        return f"{center}, {average}"

    def at(self, t: float) -> Snapshot:
        """The network at the recorded time closest to flow time `t`; nothing is interpolated.

        `network, neurons = run.at(t)` unpacks it, `run.at(t).t` is the time that was recorded.
        Other times than the last need the record groups "directions" and "neurons".

        **Raises:** `RecordError` for a time after the end, or without these groups.
        """
        return snapshot_at(self.evidence, self.state.weights, t)

    def save(self, folder: str | Path) -> "Run":
        """Store the run for `gflow.load` and the commands; `gflow.attack` stores radii beside it.

        **Arguments:**

        - `folder`: a new one, an empty one, or a run folder, which is replaced.

        **Returns:** the run with its folder.

        **Raises:** `RecordError` for a folder that holds something else, or cannot be written.
        """
        from gflow.runs.store import save_in

        return save_in(Path(folder), self)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The run under an empty label, as a study has one for each of its points."""
        return (Entry("", self),)

    @property
    def unanswered(self) -> tuple[Status, ...]:
        """No points: only those of a study wait, run, or fail."""
        return ()

    @property
    def scenario(self) -> Scenario:
        """The question."""
        return self.evidence.scenario

    @property
    def network(self) -> Any:
        """The final network; call it with inputs (n, D).

        A `Network`, a `DeepNetwork` or a `VectorNetwork`, or the `ReadOff` of one that was trained
        on subclasses.
        """
        return self.evidence.network

    @cached_property
    def record(self) -> xr.Dataset:
        """What was observed at every recorded time, and the phase of each if phases are known."""
        record, phases = self.evidence.record, self._phases
        if phases is None:
            return record
        names = [phases.name(float(t)) for t in self.evidence.times]
        return record.assign_coords(phase=("time", names, COORDINATES["phase"].attrs))

    @property
    def _phases(self) -> Phases | None:
        """When phases ended; None where they are not known."""
        return self.evidence.phases if "centers" in self.scenario.network.groups else None

    @property
    def centers(self) -> Centers:
        """Subclass centers and class averages."""
        return self.evidence.centers

    @property
    def outcome(self) -> Outcome:
        """How the integration ended."""
        return self.evidence.outcome

    @property
    def effort(self) -> Effort:
        """What the integration cost."""
        return self.evidence.effort


def _at_moments(cosines: Callable[[int], tuple[float, ...]], moments: Mapping[str, int]) -> str:
    """Cosines, such as to a center and an average, as text, at record indices by the word for each.

    One that is nan, as to an average of length 0, is left out.
    """
    pairs = {word: [f"{c:.3f}" for c in cosines(at) if c == c] for word, at in moments.items()}
    return ", ".join(f"{' and '.join(pair)} at {word}" for word, pair in pairs.items() if pair)
