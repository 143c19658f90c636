"""Two and three coordinates: neurons and the sign of f where they are, from the record."""

import numpy as np
import pytest
from drawing import changed
from matplotlib.colors import to_rgb
from matplotlib.quiver import Quiver

from gflow.report import figures, input_figures
from gflow.report.figure import NotDrawable
from gflow.report.style import MINUS, PLUS
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

PLANE = """
name = "plane"
[data]
dimension = 2
subclasses = 2
positive_subclasses = 1
noise = 0.1
samples = 40
test_samples = 0
[network]
power = 3
width = 10
init_scale = 1e-4
[flow]
end_time = 100.0
[record]
linear = 6
geometric = 6
"""


@pytest.fixture(scope="module")
def planar():
    return simulate(parse_scenario(PLANE))


def test_directions_are_recorded_by_themselves_in_two_dimensions(planar):
    direction = planar.record["direction"]

    assert direction.dims[:2] == ("time", "neuron") and direction.shape[1:] == (10, 2)
    np.testing.assert_allclose(np.linalg.norm(direction.values, axis=2), 1, rtol=1e-12)
    # Cosines to the centers are recorded besides, in single precision.
    cosine = direction.values @ planar.centers.mu.T
    np.testing.assert_allclose(planar.record["cosine"].values[..., :2], cosine, atol=1e-6)


def test_of_many_dimensions_no_directions_are_recorded(prelu):
    assert "direction" not in prelu.record


def test_arrows_are_neurons_in_the_length_of_their_present_mass(planar):
    axes = figures.input_space(planar).axes

    assert [ax.get_title() for ax in axes] == ["start", "escape", "end"]
    for ax, at in zip(axes, (0, None, -1), strict=True):
        if at is None:
            at = int(np.searchsorted(planar.evidence.times, planar.evidence.phases.escape))
        (arrows,) = [c for c in ax.collections if isinstance(c, Quiver)]
        mass = np.exp(planar.evidence.log_mass[at])
        order = np.argsort(mass)
        expected = np.sqrt(mass / mass.max())[:, None] * planar.record["direction"].values[at]
        np.testing.assert_allclose(np.stack([arrows.U, arrows.V], 1), expected[order], atol=1e-7)
        positive = planar.record["sign"].values[at][order] > 0
        np.testing.assert_allclose(
            arrows.get_facecolor()[:, :3], np.where(positive[:, None], to_rgb(PLUS), to_rgb(MINUS))
        )


def test_the_decision_boundary_is_where_the_network_changes_its_sign(planar):
    last = input_figures._Moment(
        planar.record["direction"].values[-1],
        planar.evidence.log_mass[-1],
        planar.record["sign"].values[-1].astype(float),
        planar.evidence.p,
    )
    angle = np.linspace(0, 2 * np.pi, 101)
    # f is homogeneous: neither a tiny nor a huge input changes the sign; 0 where f is.
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    expected = np.sign(np.asarray(planar.network(x)))

    for length in (1e-100, 1.0, 1e100):
        np.testing.assert_array_equal(last.sign_at(length * x), expected)
    assert last.sign_at(np.zeros((1, 2))) == 0


def test_a_run_that_has_not_escaped_says_so(planar):
    asleep = changed(planar, center_output=0 * planar.record["center_output"].values)

    _, middle, _ = figures.input_space(asleep).axes

    assert [text.get_text() for text in middle.texts] == ["has not escaped"]


@pytest.mark.parametrize("x", [[1, 1, 1], [0, 0, -2], [1e-3, 5, 0]])
def test_the_sphere_is_turned_to_the_mean_of_the_centers(x):
    x = np.array(x, float)

    turn = input_figures._facing(x)

    np.testing.assert_allclose(turn @ x, [np.linalg.norm(x), 0, 0], atol=1e-12)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_inputs_of_many_coordinates_are_refused(prelu):
    with pytest.raises(NotDrawable, match=r"two or three coordinates.* but have 20; try `plane`"):
        figures.input_space(prelu)
