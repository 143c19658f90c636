"""Killed and resumed: every array ends equal to the bit to an uninterrupted run's."""

import numpy as np
import pytest
from systems import mixture

from gflow.errors import GflowWarning
from gflow.flow.records import AbstractCheckpoint
from gflow.flow.trajectory import Reason
from gflow.runs import checkpoint as module
from gflow.runs.checkpoint import FileCheckpoint

TIMES = np.geomspace(2, 150, 8)


class Dies(Exception):
    """The process is killed."""


class Mortal(AbstractCheckpoint):
    """Keeps a checkpoint in a file after every step, and dies after so many."""

    def __init__(self, path, steps):
        self.inner = FileCheckpoint(path, "a question", 0.0)
        self.left = steps

    def load(self):
        return self.inner.load()

    def due(self):
        self.left -= 1
        if self.left < 0:
            raise Dies
        return self.inner.due()

    def save(self, arrays):
        self.inner.save(arrays)

    def leg(self, name):
        return self.inner.leg(name)


def portrait(neurons):
    return {"direction": neurons.direction, "log_norm": neurons.log_norm}


def follow(flow, checkpoint=None, **rest):
    return flow.follow(
        TIMES, 1e-4, checkpoint=checkpoint, portrait=portrait,
        probe=lambda t, state: {"energy": state.dissipated}, **rest,
    )  # fmt: skip


def equal(a, b):
    assert np.array_equal(a.times, b.times) and np.array_equal(a.scheduled, b.scheduled)
    for name in a.observations:
        assert np.array_equal(a.observations[name], b.observations[name]), name
    assert np.array_equal(a.state.weights.direction, b.state.weights.direction)
    assert np.array_equal(a.state.weights.log_norm, b.state.weights.log_norm)
    assert a.effort == b.effort and a.outcome == b.outcome


def test_a_flow_killed_at_any_step_ends_equal_to_the_bit(tmp_path):
    flow = mixture(3.0)
    whole = follow(flow)
    rng = np.random.default_rng(0)

    for attempt in range(3):
        lives = 0
        while True:
            mortal = Mortal(tmp_path / f"{attempt}.npz", int(rng.integers(1, 15)))
            try:
                resumed = follow(flow, mortal)
                break
            except Dies:
                lives += 1
        assert lives >= 2
        equal(whole, resumed)


@pytest.mark.slow
def test_ctrl_c_keeps_where_it_was(tmp_path):
    flow, checkpoint = mixture(3.0), FileCheckpoint(tmp_path / "flow.npz", "a question", 1e9)

    def interrupt(t, observation):
        if t >= 40:
            raise KeyboardInterrupt

    stopped = follow(flow, checkpoint, watch=interrupt)
    assert stopped.outcome.reason is Reason.INTERRUPTED

    assert checkpoint.load() is not None
    equal(follow(flow), follow(flow, checkpoint))


def test_a_checkpoint_of_another_question_is_not_used(tmp_path):
    path = tmp_path / "c.npz"
    FileCheckpoint(path, "one question", 0.0).save({"a": np.arange(3)})

    assert FileCheckpoint(path, "another", 0.0).load() is None
    assert FileCheckpoint(tmp_path / "none.npz", "another", 0.0).load() is None
    arrays = FileCheckpoint(path, "one question", 0.0).load()
    assert arrays is not None and np.array_equal(arrays["a"], np.arange(3))


def test_a_damaged_checkpoint_is_not_used(tmp_path):
    checkpoint = FileCheckpoint(tmp_path / "c.npz", "a question", 0.0)
    checkpoint.save({"a": np.arange(1000)})
    data = bytearray((tmp_path / "c.npz").read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "c.npz").write_bytes(data)

    assert checkpoint.load() is None


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_flow(tmp_path):
    (tmp_path / "taken").write_text("a file where a folder should be")
    checkpoint = FileCheckpoint(tmp_path / "taken" / "c.npz", "a question", 0.0)

    with pytest.warns(GflowWarning, match="the flow itself goes on"):
        checkpoint.save({"a": np.arange(3)})


def test_another_number_of_threads_is_said(tmp_path, monkeypatch):
    checkpoint = FileCheckpoint(tmp_path / "c.npz", "a question", 0.0)
    checkpoint.save({"a": np.arange(3)})
    monkeypatch.setattr(module, "threads", lambda: 99)

    with pytest.warns(GflowWarning, match="not equal to the bit"):
        assert checkpoint.load() is not None
