"""What is judged of given neurons that start where random ones do not."""

import numpy as np
import pytest
from questions import NO_NOISE

import gflow
from gflow.judges.shared_hypotheses import like_random
from gflow.network.given import given_neurons
from gflow.runs.experiment import simulate
from gflow.runs.given import Given

SHORT = gflow.parse_scenario(NO_NOISE, overrides=["flow.end_time=1.0", "record.linear=2"])
"""D = 20; the centers are e_1, e_2 (positive) and e_3."""


def start(rows, norms=None):
    """Balanced neurons of some directions; the last is negative."""
    W = np.asarray(rows, float) * (1e-6 if norms is None else np.asarray(norms)[:, None])
    v = np.linalg.norm(W, axis=1) * np.append(np.ones(len(W) - 1), -1)
    run = simulate(SHORT, given=Given(given_neurons((W, v), 20, 3.0)))
    return {one.text.split(",")[0]: one.met for one in like_random(run.evidence)}, run


def directions(first=(0.8, 0.3, 0.1), second=(0.2, 0.7, 0.2), third=(0.3, 0.1, 0.9)):
    rows = np.zeros((3, 20))
    rows[:, :3], rows[:, 3:] = (first, second, third), 0.05
    return rows


CASES = {
    "generic": (directions(), None, ""),
    "on an edge": (directions(first=(0.8, 0.0, 0.1)), None, "off the boundaries"),
    "on a tie": (directions(first=(0.6, 0.59, 0.1)), None, "of every cell"),
    "in no cell": (directions(second=(0.7, 0.2, 0.2)), None, "of every cell"),
    "at two scales": (directions(), [1e-6, 1e-9, 1e-6], "the ratio of norms"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_laws_of_random_starts_ask_for_what_is_true_of_them(case):
    rows, norms, missed = CASES[case]

    hypotheses, run = start(rows, norms)

    assert [text for text, met in hypotheses.items() if not met] == [
        text for text in hypotheses if missed and missed in text
    ]
    conjecture = next(one for one in gflow.check(run, ["P17"]) if one.id == "conjecture-1")
    assert (str(conjecture.verdict) == "OUTSIDE") == bool(missed)


def test_the_start_of_a_scenario_is_taken_for_granted():
    run = simulate(SHORT)

    assert like_random(run.evidence) == ()
