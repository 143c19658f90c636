"""Data of kind "teacher": real labels that a fixed function, the teacher, gives to random inputs.

The teacher is linear, or a network of a few neurons that a student with the same activation can
copy.  Its neurons stand where centers do otherwise, so that neurons of the student are compared
with them; a linear teacher <β, x> = σ(<β, x>) - σ(-<β, x>) is two.
"""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from gflow.data.centers import Centers, unit_rows
from gflow.data.dataset import Dataset, Split
from gflow.data.kind import AbstractDrawnData, Facts, Sizes, TeacherNeurons
from gflow.random import stream
from gflow.table import rule

_Row = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]


class TeacherData(AbstractDrawnData):
    """Random inputs with the real labels of a teacher, and noise (final)."""

    grains = ("sign",)

    kind: Literal["teacher"] = Field(default="teacher", description="where samples come from")
    inputs: Literal["gaussian", "sphere"] = Field(
        default="gaussian",
        description="inputs: entries N(0, 1), or uniform directions of length 1",
    )
    teacher: Literal["linear", "network"] = Field(
        default="linear",
        description="what gives the labels: <β, x> with a random β of length 1, or a network of "
        "neurons v σ(<w, x>)^power/‖w‖^(power-1)",
    )
    teacher_neurons: (
        Annotated[int, Field(ge=1)]
        | Annotated[tuple[_Row, ...], Field(strict=False, min_length=1)]
        | None
    ) = Field(
        default=None,
        description="neurons of a teacher that is a network: the number of random directions w of "
        "length 1, or a list of their w",
        examples=[3],
    )
    teacher_outputs: Annotated[tuple[float, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None,
        description="output weights v of the neurons of the teacher; all 1 by default",
        examples=[[1.0, -1.0]],
    )
    teacher_power: float = Field(
        default=1.0, ge=1, le=100, description="power of the neurons of the teacher; 1 is ReLU"
    )
    label_noise: float = Field(
        default=0.0,
        ge=0,
        description="standard deviation of Gaussian noise on training labels; test labels have "
        "none",
        examples=[0.5],
    )

    @property
    def subclass_count(self) -> int:
        neurons = 2 if self.teacher_neurons is None else self.teacher_neurons
        return neurons if isinstance(neurons, int) else len(neurons)

    @property
    def sizes(self) -> Sizes:
        return super().sizes._replace(C=1)

    @property
    def facts(self) -> Facts:
        linear = self.teacher == "linear"
        return Facts(scale="features", label_noise=self.label_noise if linear else None)

    @property
    def has_classes(self) -> bool:
        return False

    def read(self, seed: int) -> Split:
        x, y = self._draw(self.samples, seed, "train")
        y = y + self.label_noise * stream(seed, "label noise").standard_normal(self.samples)
        centers = self._centers(seed)
        return Split(Dataset.of_values(x, y, centers), self.read_test(seed), centers)

    def read_test(self, seed: int) -> Dataset | None:
        if not self.test_samples:
            return None
        return Dataset.of_values(*self._draw(self.test_samples, seed, "test"), self._centers(seed))

    def teacher_neurons_of(self, seed: int) -> TeacherNeurons:
        """The neurons of the teacher; those along ±β if it is linear."""
        K, D = self.subclass_count, self.dimension
        if self.teacher == "linear":
            beta = unit_rows(stream(seed, "teacher").standard_normal((1, D)))
            return TeacherNeurons(np.concatenate([beta, -beta]), np.array([1.0, -1.0]))
        w = (
            unit_rows(stream(seed, "teacher").standard_normal((K, D)))
            if isinstance(self.teacher_neurons, int)
            else np.array(self.teacher_neurons, np.float64)
        )
        return TeacherNeurons(w, np.array(self.teacher_outputs or [1.0] * K, np.float64))

    def _centers(self, seed: int) -> Centers:
        w, v = self.teacher_neurons_of(seed)
        return Centers(unit_rows(w), np.sign(v).astype(int), "teacher neurons")

    def _draw(
        self, n: int, seed: int, name: str
    ) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, " n"]]:
        """Inputs and what the teacher says of them."""
        x = stream(seed, name).standard_normal((n, self.dimension))
        if self.inputs == "sphere":
            x = unit_rows(x)
        neurons = self.teacher_neurons_of(seed)
        power = 1.0 if self.teacher == "linear" else self.teacher_power
        return x, np.maximum(x @ unit_rows(neurons.w).T, 0) ** power @ neurons.mass


@rule("data.teacher_neurons", "data.teacher")
def _neurons_of_a_network(data: TeacherData) -> str | None:
    if data.teacher == "network" and data.teacher_neurons is None:
        return 'must be given for data.teacher = "network", but is missing; try 3.'
    return _unused(data, data.teacher_neurons is not None)


@rule("data.teacher_outputs", "data.teacher")
def _outputs_of_a_network(data: TeacherData) -> str | None:
    return _unused(data, data.teacher_outputs is not None)


@rule("data.teacher_power", "data.teacher")
def _power_of_a_network(data: TeacherData) -> str | None:
    return _unused(data, data.teacher_power != 1)


def _unused(data: TeacherData, given: bool) -> str | None:
    """That a key about neurons is left out of a teacher without any."""
    if data.teacher == "linear" and given:
        return (
            "must be left out for a linear teacher, but is given; remove it, or set data.teacher = "
            '"network".'
        )


@rule("data.teacher_neurons", "data.dimension")
def _neurons_have_the_dimension(data: TeacherData) -> str | None:
    if data.teacher_neurons is None or isinstance(data.teacher_neurons, int):
        return None
    D = data.dimension
    if wrong := [row for row in data.teacher_neurons if len(row) != D]:
        return (
            f"must hold rows of `data.dimension` = {D} entries, but one has {len(wrong[0])}; give "
            f"{D} in each."
        )
    if not all(map(any, data.teacher_neurons)):
        return "must hold no row of zeros, but does; leave it out."


@rule("data.teacher_outputs", "data.teacher_neurons")
def _an_output_for_each_neuron(data: TeacherData) -> str | None:
    if data.teacher_outputs is None or data.teacher_neurons is None:
        return None
    K = data.subclass_count
    if len(data.teacher_outputs) != K:
        return (
            f"must have one entry for each of the {K} neurons of the teacher, but has "
            f"{len(data.teacher_outputs)}; give {K}."
        )
    if not all(data.teacher_outputs):
        return "must hold no 0, which makes a neuron none, but does; leave that neuron out."
