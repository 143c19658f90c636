"""The records of a trajectory while it grows, and how they survive in a checkpoint.

Observations are trees of arrays of one structure, so a list of them is one array per leaf, and
back.
"""

import abc

import jax
import numpy as np
from jaxtyping import Bool, Float, PyTree


class AbstractCheckpoint(abc.ABC):
    """Where a loop leaves what it needs to go on after it was killed (abstract)."""

    @abc.abstractmethod
    def load(self) -> dict[str, np.ndarray] | None:
        """The arrays saved last for the same question, or None."""

    @abc.abstractmethod
    def due(self) -> bool:
        """Whether it is time to save; this has no influence on the flow."""

    @abc.abstractmethod
    def save(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace the arrays saved last."""

    @abc.abstractmethod
    def leg(self, name: str) -> "AbstractCheckpoint":
        """A checkpoint of its own for an earlier part of the same question."""


class Records:
    """Observations with their times, in the order they were made."""

    def __init__(self):
        self.times: list[float] = []
        self.scheduled: list[bool] = []
        self.observations: list[PyTree] = []

    def __len__(self) -> int:
        return len(self.times)

    def append(self, t: float, scheduled: bool, observation: PyTree) -> None:
        """Add an observation, at a scheduled time or not."""
        self.times.append(t)
        self.scheduled.append(scheduled)
        self.observations.append(observation)

    @property
    def last_scheduled(self) -> float:
        """The last scheduled time of an observation."""
        return self.times[len(self) - 1 - self.scheduled[::-1].index(True)]

    @property
    def columns(self) -> tuple[Float[np.ndarray, " T"], Bool[np.ndarray, " T"], PyTree]:
        """Times, whether they were scheduled, and observations stacked along a leading axis T."""
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *self.observations)
        return np.array(self.times), np.array(self.scheduled), stacked

    def arrays(self) -> dict[str, np.ndarray]:
        """All records, for a checkpoint."""
        times, scheduled, observations = self.columns
        leaves = {f"seen_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(observations))}
        return leaves | {"times": times, "scheduled": scheduled}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], template: PyTree) -> "Records":
        """The records that `arrays` came from; `template` has the structure of one observation."""
        structure, records = jax.tree.structure(template), cls()
        leaves = [arrays[f"seen_{i}"] for i in range(structure.num_leaves)]
        rows = zip(*leaves, strict=True)
        times, scheduled = arrays["times"].tolist(), arrays["scheduled"].tolist()
        for t, planned, row in zip(times, scheduled, rows, strict=True):
            records.append(t, planned, jax.tree.unflatten(structure, row))
        return records


def leaves_of(tree: PyTree) -> dict[str, np.ndarray]:
    """The arrays of a moment, for a checkpoint."""
    return {f"moment_{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}


def with_leaves(template: PyTree, arrays: dict[str, np.ndarray]) -> PyTree:
    """The moment that `arrays` came from, in the structure of `template`."""
    structure = jax.tree.structure(template)
    leaves = [jax.numpy.asarray(arrays[f"moment_{i}"]) for i in range(structure.num_leaves)]
    return jax.tree.unflatten(structure, leaves)
