"""What moves on a page: the neurons of a run at its recorded times, few and small enough to send.

A frame is a recorded time.  Frames hold the cosines of the heaviest neurons to every center and
class average, from which a page draws any plane of two centers and any sphere of three.
"""

import base64
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.colors import to_hex

from gflow.data.centers import Centers
from gflow.report import style
from gflow.runs.run import Run
from gflow.runs.score import score_of

MOST_TIMES, MOST_NEURONS = 200, 100
"""Most frames of a run, and most neurons in each."""

MOST_COSINES = 1_000_000
"""Most cosines on a page, of all runs together."""

FEWEST_TIMES, FEWEST_NEURONS = 24, 12
"""Frames and neurons that every run keeps, however many share a page."""

UNIT, UNKNOWN = 32767, -32768
"""A cosine of 1 and one that is nan as they are sent, as 16-bit integers: 3e-5 is less than a
hundredth of a pixel."""


@dataclass(frozen=True)
class Frames:
    """The recorded times and the neurons of a run that a page shows (final)."""

    run: Run
    at: Int[np.ndarray, " F"]
    """Index of each frame in the record."""
    neurons: Int[np.ndarray, " q"]
    """Index of each neuron, by class, target and share of mass; empty if none were recorded."""
    omitted: str
    """Sentences that say what is left out; empty if nothing is."""

    @classmethod
    def of(cls, run: Run, most: int = MOST_COSINES) -> "Frames":
        """The frames of a run with at most so many cosines, unless these are too few to see."""
        T = len(run.evidence.times)
        shown, references = _heaviest(run), len(run.centers.reference_names)
        neurons = shown[: max(FEWEST_NEURONS, min(MOST_NEURONS, most // (40 * references)))]
        times = min(T, MOST_TIMES, max(FEWEST_TIMES, most // max(1, len(neurons) * references)))
        at = np.unique(np.linspace(0, T - 1, times).round().astype(int))
        return cls(run, at, _ordered(run, neurons), _omitted(run, at, neurons, len(shown)))

    @property
    def times(self) -> Float[np.ndarray, " F"]:
        """Flow time of each frame."""
        return self.run.evidence.times[self.at]

    @property
    def colors(self) -> list[str]:
        """Color of each neuron: that of its target, or of the reference it ends closest to."""
        if not len(self.neurons):
            return []
        colors = reference_colors(self.run.centers)
        return [colors[r] for r in _targets(self.run)[self.neurons]]

    @property
    def share(self) -> Float[np.ndarray, " q"]:
        """Share of each neuron in the final mass."""
        return self.run.evidence.share[self.neurons]

    def to_json(self) -> dict[str, object]:
        """What a page moves, as plain values (read by templates/page.js)."""
        centers = self.run.centers
        values: dict[str, object] = {"times": self.times.tolist(), "readout": self._readout()}
        if not len(self.neurons):
            return values
        cosine = self.run.record["cosine"].values[self.at][:, self.neurons]
        sent = np.where(np.isnan(cosine), UNKNOWN, (cosine * UNIT).round()).astype("<i2")
        references = centers.references
        return values | {
            "references": reference_names(centers),
            "referenceColors": reference_colors(centers),
            "classes": centers.label.tolist() if has_classes(self.run) else [],
            "gram": (references @ references.T).round(4).tolist(),
            "view": default_view(centers),
            "neurons": [f"neuron {j + 1}" for j in self.neurons],
            "signs": self.run.record["sign"].values[-1][self.neurons].tolist(),
            "shares": self.share.round(6).tolist(),
            "colors": self.colors,
            "unit": UNIT,
            "unknown": UNKNOWN,
            "cosines": base64.b64encode(sent.tobytes()).decode(),
        }

    def _readout(self) -> dict[str, list[str]]:
        """What is read off at each frame, by name."""
        evidence, record = self.run.evidence, self.run.record.isel(time=self.at)
        shown = score_of(self.run.scenario.data).readout
        numbers = {
            "t": (record["time"], ".4g"),
            **({"κπt": (record["scaled_time"], ".4g")} if evidence.has_laws else {}),
            "loss": (record["loss"], ".3g"),
            **{word: (record[name], digits) for word, (name, digits) in shown.items()},
            "‖θ‖²": (record["squared_norm"], ".3g"),
        }
        readout = {
            name: [format(value, digits) for value in values.values.tolist()]
            for name, (values, digits) in numbers.items()
        }
        if evidence.phases is None:
            return readout
        aligned = evidence.aligned_share[self.at]
        return {
            "phase": [evidence.phases.name(t) for t in self.times],
            **readout,
            "aligned": [f"{share:.0%} of the mass" for share in aligned],
        }


def reference_names(centers: Centers) -> list[str]:
    """Names of the centers and class averages in Unicode, such as μ₁₀ and μ̄₊."""
    signs = {"plus": "₊", "minus": "₋"}
    return [
        f"μ{_subscript(end)}" if kind == "mu" else f"μ̄{signs.get(end) or _subscript(end)}"
        for kind, end in (name.split("_") for name in centers.reference_names)
    ]


def reference_colors(centers: Centers) -> list[str]:
    """Colors of the centers and class averages, as in figures."""
    colors = style.reference_colors(centers.label)
    if centers.class_of is None:
        return list(colors)
    averages = len(centers.reference_names) - centers.K
    return [*colors[: centers.K], *[to_hex(style.INK)] * averages]


def _subscript(number: str) -> str:
    return number.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _targets(run: Run) -> Int[np.ndarray, " h"]:
    """The reference that theory sends each neuron to; without laws, the one it ends closest to."""
    if run.evidence.has_laws:
        return run.evidence.target
    return np.nan_to_num(run.record["cosine"].values[-1], nan=-1).argmax(axis=1)


def _heaviest(run: Run) -> Int[np.ndarray, " q"]:
    """Contributing neurons, heaviest first; none if they were not recorded."""
    if not run.evidence.has("neurons"):
        return np.zeros(0, dtype=int)
    order = np.argsort(-run.evidence.share, kind="stable")
    return order[run.evidence.contributing[order]]


def default_view(centers: Centers) -> list[int]:
    """The centers that are shown first: the three of a class of three, else two of one class."""
    label, K = centers.label.tolist(), centers.K
    members = [[k for k in range(K) if label[k] == sign] for sign in (1, -1)]
    three = next((some for some in members if len(some) == 3), None)
    two = next((some[:2] for some in members if len(some) > 1), list(range(min(K, 2))))
    return three or two


def has_classes(run: Run) -> bool:
    """Whether each neuron belongs to one of two classes by the sign of its output."""
    return run.evidence.has_laws


def _ordered(run: Run, neurons: Int[np.ndarray, " q"]) -> Int[np.ndarray, " q"]:
    """Neurons by class, if they have one, then by target, as in the figure `cosine_map`."""
    if not len(neurons):
        return neurons
    signs = run.record["sign"].values[-1] if has_classes(run) else np.ones(len(run.evidence.share))
    return neurons[np.lexsort((_targets(run)[neurons], -signs[neurons]))]


def _omitted(
    run: Run, at: Int[np.ndarray, " F"], neurons: Int[np.ndarray, " q"], contributing: int
) -> str:
    T = len(run.evidence.times)
    sentences = [f"{len(at)} of {T} recorded times are shown."] if len(at) < T else []
    h = len(run.evidence.share) if contributing else 0
    some = f"the {len(neurons)} heaviest of " if len(neurons) < contributing else ""
    if some or contributing < h:
        heavy = f"{some}the {contributing} of {h} that hold 99.9 % of the final mass"
        sentences.append(f"Neurons shown: {heavy}.")
    return " ".join(sentences)
