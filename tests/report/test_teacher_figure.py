"""The figure `student`: whose neurons copy which of the teacher's."""

import numpy as np
import pytest

import gflow
from gflow.report import figures
from gflow.report.figure import NotDrawable
from gflow.scenario import parse_scenario

TAUGHT = """
name = "taught"
[data]
kind = "teacher"
teacher = "network"
teacher_neurons = [[1, 0], [0, 2]]
teacher_outputs = [0.5, -1]
dimension = 2
samples = 20
test_samples = 0
[network]
width = 3
power = 1
init_scale = 1e-3
[flow]
loss = "half_square"
end_time = 1e-6
"""


def test_masses_add_up_around_each_neuron_of_the_teacher():
    # Two neurons near (1, 0) and one near (0, 1), with masses 0.3 + 0.1 and 2.
    W = np.array([[0.3, 0.01], [0.1, 0.0], [0.02, 2.0]])
    W *= (np.array([0.3, 0.1, 2.0]) ** 0.5 / np.linalg.norm(W, axis=1))[:, None]
    v = np.linalg.norm(W, axis=1) * [1, 1, -1]
    run = gflow.simulate(parse_scenario(TAUGHT), neurons=(W, v), progress=False)

    loss, angle, mass = figures.student(run).axes[:3]

    heights = [bar.get_height() for bar in mass.patches]
    assert heights == pytest.approx([0.4, 2.0], abs=1e-5)
    (lines,) = mass.collections
    assert [segment[0][1] for segment in lines.get_segments()] == pytest.approx([0.5, 2.0])
    (first,) = (line for line in angle.lines if line.get_gid() == "neuron 0")
    assert first.get_ydata()[0] == pytest.approx(np.degrees(np.arctan(1 / 30)), rel=1e-3)
    assert loss.get_yscale() == "log"


def test_data_without_a_teacher_have_no_such_figure(prelu):
    with pytest.raises(NotDrawable, match=r'must have data\.kind = "teacher"'):
        figures.student(prelu)
