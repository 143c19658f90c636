"""The samples of a run, which no record keeps: read or drawn again from its scenario.

A judge asks for them only once the kind of data says that a law may apply.
"""

import numpy as np
from jaxtyping import Float

from gflow.data.dataset import Dataset
from gflow.judges.evidence import Evidence


def training_samples(evidence: Evidence) -> Dataset:
    """What the network was trained on, with flipped labels as they were."""
    return evidence.scenario.data.training(evidence.scenario.seed).train


def tested_samples(
    evidence: Evidence, count: int | None = None
) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, " n"]]:
    """The first `count` test samples and their labels; all of them by default."""
    test = evidence.scenario.data.read_test(evidence.scenario.seed)
    assert test is not None, "test samples are a hypothesis"
    return test.x[:count], test.labels("sign")[:count]
