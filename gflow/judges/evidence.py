"""Everything a verdict may rest on: the question, and what the flow left behind.

Judges see values, never files and never a running flow, so a stored run can be judged
again at any time.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from gflow.data.centers import Centers
from gflow.data.kind import Facts
from gflow.errors import GflowError
from gflow.flow.losses import LOSSES, AbstractNamedLoss
from gflow.flow.trajectory import Effort, Outcome
from gflow.measure.alignment import (
    aligned_share,
    contributing,
    contributing_share,
    mass_share,
    mean_closest_cosines,
    mean_own_cosines,
    target,
    to_target,
)
from gflow.measure.phases import Phases, escape_times, find_phases
from gflow.robustness.bracket import Robustness
from gflow.scenario import NeuronsTable, Scenario


@dataclass(frozen=True)
class Evidence:
    """A finished flow, as judges see it."""

    scenario: Scenario
    """The question: one flow."""
    centers: Centers
    record: xr.Dataset
    """What was observed: times, neurons, centers (layout in `gflow.runs.store`)."""
    network: Any
    """The network at the last recorded time: a `Network`, or a `DeepNetwork` if it is deep."""
    pi: Float[np.ndarray, " K"]
    """Weight π_k of each subclass in the loss; of real labels |y| at the samples closest to it."""
    alpha: float | None
    """Within-subclass noise ‖x - μ_k‖, drawn or measured; None where the subclasses are unknown."""
    outcome: Outcome
    effort: Effort
    robustness: Robustness | None = None
    """Radii of test samples; None if they were not measured."""

    @property
    def is_flow(self) -> bool:
        """Whether the network followed the flow and did not descend in steps."""
        return self.scenario.train.is_flow

    @property
    def has_laws(self) -> bool:
        """Whether theory follows the neurons of networks of this kind one by one."""
        return self.scenario.network.has_laws

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes, and not real numbers, so that outputs have margins."""
        return self.scenario.data.has_classes

    @property
    def neurons(self) -> NeuronsTable:
        """The table of the neurons; for judges of predictions about no other kind of network."""
        return cast(NeuronsTable, self.scenario.network)

    @property
    def p(self) -> float:
        """Power of the activation."""
        return self.scenario.network.power

    @property
    def degree(self) -> float:
        """Degree q of a neuron's output in ‖w_j‖: 1, or p without normalization."""
        return self.scenario.network.degree

    @property
    def loss_is_known(self) -> bool:
        """Whether scenario files can name the loss, so that it can be judged by laws of it."""
        return self.scenario.flow.loss in LOSSES

    @property
    def loss(self) -> AbstractNamedLoss:
        """The loss of one output.

        **Raises:** `GflowError` for a loss that was given; ask `loss_is_known` first.
        """
        if not self.loss_is_known:
            raise GflowError(
                "`evidence.loss` must be one that scenario files name, but "
                f"{self.scenario.flow.given} was given; ask `evidence.loss_is_known` first."
            )
        return LOSSES[self.scenario.flow.loss]

    @property
    def facts(self) -> Facts:
        """What the scenario says of the data: imbalance, noise, samples drawn from a mixture."""
        return self.scenario.data.facts

    def has(self, group: str) -> bool:
        """Whether a group of the record was recorded."""
        return group in self.scenario.recorded_groups

    @cached_property
    def times(self) -> Float[np.ndarray, " T"]:
        """Recorded flow times."""
        return self.record["time"].values

    @cached_property
    def center_output(self) -> Float[np.ndarray, "T K"]:
        """f(μ_k) at the recorded times."""
        return self.record["center_output"].values

    @cached_property
    def escape_times(self) -> Float[np.ndarray, " K"]:
        """First time at which each |f(μ_k)| is 1/2; nan for an output that never escapes."""
        return escape_times(self.times, self.center_output, self.loss.slowing)

    @cached_property
    def log_mass(self) -> Float[np.ndarray, "T h"]:
        """log m_j = log |v_j|‖w_j‖^q of every neuron at every recorded time."""
        return self.degree * self.record["log_norm"].values + self.record["log_output"].values

    @cached_property
    def share(self) -> Float[np.ndarray, " h"]:
        """Share of each neuron in the final mass."""
        return mass_share(self.log_mass[-1])

    @cached_property
    def contributing(self) -> Bool[np.ndarray, " h"]:
        """The smallest set of neurons with 99.9 % of the final mass."""
        return contributing(self.log_mass[-1])

    @cached_property
    def target(self) -> Int[np.ndarray, " h"]:
        """Index of the reference theory sends each neuron to, read at the last time."""
        last = self.record.isel(time=-1)
        return target(last["cosine"].values, last["sign"].values, self.centers.label, self.p)

    @cached_property
    def has_target(self) -> Bool[np.ndarray, " h"]:
        """Neurons whose class has subclasses; theory sends the others nowhere."""
        return np.isin(self.record["sign"].values[-1], self.centers.signs)

    @cached_property
    def target_cosine(self) -> Float[np.ndarray, "T h"]:
        """Cosine of each neuron to its target; -1, as far as can be, for one that has none."""
        cosine = self.record["cosine"].values
        cosine = to_target(cosine, np.broadcast_to(self.target, cosine.shape[:2]))
        return np.where(self.has_target, cosine, np.float32(-1))

    @cached_property
    def target_chord(self) -> Float[np.ndarray, "T h"]:
        """‖u_j - μ‖ to the target of each neuron; 2, as far as can be, for one that has none."""
        chord = self.record["chord"].values.astype(np.float64)
        chord = to_target(chord, np.broadcast_to(self.target, chord.shape[:2]))
        return np.where(self.has_target, chord, 2.0)

    @cached_property
    def aligned_share(self) -> Float[np.ndarray, " T"]:
        """Share of the final contributing mass within 10 degrees of its target."""
        return aligned_share(self.target_cosine, contributing_share(self.log_mass[-1]))

    @cached_property
    def phases(self) -> Phases | None:
        """When alignment, escape and fitting happened.

        None without neurons and centers, and where labels are real numbers: there is no level that
        an output has to reach, nor a margin.
        """
        if not (self.has_classes and self.has("neurons") and self.has("centers")):
            return None
        return find_phases(
            self.times,
            self.aligned_share,
            self.center_output,
            self.record["margin_min"].values,
            # Outputs under an unknown loss are taken to grow exponentially between two records.
            slowing=self.loss.slowing if self.loss_is_known else np.zeros_like,
        )

    def mean_cosines(self, at: int) -> tuple[float, float]:
        """Cosines to the closest own center and class average by final mass, at a recorded time."""
        cosine = self.record["cosine"].values[at].astype(np.float64)
        sign = self.record["sign"].values[at]
        return mean_own_cosines(cosine, sign, self.centers.label, self.share)

    def closest_cosines(self, at: int) -> tuple[float, float]:
        """`mean_cosines` to the closest center and the closest class average of any class."""
        cosine = self.record["cosine"].values[at].astype(np.float64)
        return mean_closest_cosines(cosine, self.centers.K, self.share)

    @cached_property
    def largest_outputs(self) -> Float[np.ndarray, " K"]:
        """Largest |f(μ_k)| of every subclass over the recorded times; needs recorded centers."""
        return np.abs(self.record["center_output"].values).max(axis=0)
