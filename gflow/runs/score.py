"""How outputs are held against labels, in numbers and in words: classes or real numbers.

A label that is a class has a margin and is right or wrong, a real one has a residual.  Whatever
tells how a network fits asks the score of the data for the numbers there are.
"""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from gflow.data.kind import AbstractData
from gflow.flow.samples import Samples
from gflow.measure.margin import Fit, fit, margins
from gflow.measure.phases import ESCAPE_LEVEL
from gflow.measure.residual import Residual, residual
from gflow.network.read_off import class_outputs
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.network.weights import AbstractFirstLayer


class AbstractScore(abc.ABC):
    """What is measured of outputs against labels of one kind, and how it is told (abstract)."""

    recorded: ClassVar[tuple[str, ...]]
    """Names of the recorded numbers."""
    headline: ClassVar[tuple[str, str]]
    """Name and format of the number that says most."""
    readout: ClassVar[Mapping[str, tuple[str, str]]]
    """Names and formats of the numbers that a person is shown, by what they are called."""
    columns: ClassVar[Mapping[str, str]]
    """Columns of the table of a study, and what they mean."""

    @abc.abstractmethod
    def of(
        self, weights: AbstractFirstLayer, samples: Samples, f: ScaledOutputs
    ) -> dict[str, Array]:
        """The recorded numbers by name; traced."""

    @abc.abstractmethod
    def train_text(self, numbers: Mapping[str, float]) -> str:
        """How training samples are fitted, in words."""

    @abc.abstractmethod
    def test_text(self, numbers: Mapping[str, float]) -> str:
        """How test samples are fitted, in words."""

    @abc.abstractmethod
    def phase(self, numbers: Mapping[str, Any]) -> str:
        """A phase as far as one observation tells; `measure.phases` reads the whole record."""


class _ClassScore(AbstractScore):
    """Margins and accuracy (final)."""

    recorded = Fit._fields
    headline = ("accuracy", ".4f")
    readout: ClassVar = {"accuracy": ("accuracy", ".3f"), "smallest margin": ("margin_min", ".3g")}
    columns: ClassVar = {
        "margin_min": "smallest margin of a training sample at the end",
        "accuracy": "weighted share of training samples classified correctly at the end",
        "test_accuracy": "share of test samples classified correctly at the end",
    }

    def of(
        self, weights: AbstractFirstLayer, samples: Samples, f: ScaledOutputs
    ) -> dict[str, Array]:
        return fit_by_class(weights, samples, f)._asdict()

    def train_text(self, numbers: Mapping[str, float]) -> str:
        return f"smallest margin {numbers['margin_min']:.4g}"

    def test_text(self, numbers: Mapping[str, float]) -> str:
        return f"accuracy {numbers['accuracy']:.4f}"

    def phase(self, numbers: Mapping[str, Any]) -> str:
        if not numbers["margin_mean"] >= ESCAPE_LEVEL:
            return "alignment"
        return "margin growth" if numbers["margin_min"] > 0 else "fitting"


class _ValueScore(AbstractScore):
    """Residuals and R² (final)."""

    recorded = Residual._fields
    headline = ("r_squared", ".4f")
    readout: ClassVar = {"R²": ("r_squared", ".4f"), "rms residual": ("residual_rms", ".3g")}
    columns: ClassVar = {
        "residual_rms": "root mean square of y - f over training samples at the end",
        "r_squared": "share R² of the variance of training labels explained at the end",
        "test_r_squared": "share R² of the variance of test labels explained at the end",
    }

    def of(
        self, weights: AbstractFirstLayer, samples: Samples, f: ScaledOutputs
    ) -> dict[str, Array]:
        return fit_by_value(samples, f)._asdict()

    def train_text(self, numbers: Mapping[str, float]) -> str:
        explained = float(numbers["r_squared"])
        share = "" if explained != explained else f", R² {explained:.4f}"
        return f"rms residual {numbers['residual_rms']:.3g}{share}"

    def test_text(self, numbers: Mapping[str, float]) -> str:
        return self.train_text(numbers)

    def phase(self, numbers: Mapping[str, Any]) -> str:
        return "alignment" if not numbers["r_squared"] >= ESCAPE_LEVEL else "fitting"


def score_of(data: AbstractData) -> AbstractScore:
    """What is measured of outputs against the labels of these data."""
    return _CLASSES if data.has_classes else _VALUES


def fit_by_class(weights: AbstractFirstLayer, samples: Samples, f: ScaledOutputs) -> Fit:
    """How outputs fit; a network that is trained on subclasses is judged by its classes."""
    y, omega = samples.labels
    if (class_of := weights.class_of) is not None:
        y = jnp.asarray(class_of)[y.astype(int)]
        f = f.map(lambda values: class_outputs(values, class_of))
    return fit(f.map(lambda values: margins(y, values)), omega)


def fit_by_value(samples: Samples, f: ScaledOutputs) -> Residual:
    """How outputs fit real labels."""
    y, omega = samples.labels
    return residual(y, f.unscaled, omega)


_CLASSES, _VALUES = _ClassScore(), _ValueScore()

ALL_COLUMNS: Mapping[str, str] = {**_CLASSES.columns, **_VALUES.columns}
"""Columns of all scores, and what they mean."""
