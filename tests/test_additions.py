"""A loss, a kind of data and a figure as a user adds them: each in one place, then used by a file.

A flow on a circle descends a smooth hinge; nothing else in the package knows of either.
"""

from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from pydantic import Field

import gflow
from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, Split
from gflow.data.kind import AbstractData, Facts, Sizes
from gflow.data.kinds import DATA
from gflow.flow.losses import LOSSES, AbstractNamedLoss, register_loss
from gflow.random import stream
from gflow.report.figure import FIGURES, registered
from gflow.runs import store
from gflow.scenario import words

SHARP = 4.0


class SmoothHinge(AbstractNamedLoss):
    """ℓ = log(1 + e^{c (1 - y f)})/c, which tends to a hinge for c → ∞ (final)."""

    name: ClassVar[str] = "smooth_hinge"
    kappa: ClassVar[float] = float(1 / (1 + np.exp(-SHARP)))
    saturates: ClassVar[bool] = False

    def value(self, y, f):
        return jax.nn.softplus(SHARP * (1 - y * f)) / SHARP

    def force(self, y, f):
        return y * jax.nn.sigmoid(SHARP * (1 - y * f))

    def force_change(self, y, f):
        # σ(a - b) - σ(a) = -σ(a) (1 - σ(a)) (1 - e^{-b})/(1 - σ(a) (1 - e^{-b})).
        less = -np.expm1(-SHARP * y * f)
        return -y * self.kappa * (1 - self.kappa) * less / (1 - self.kappa * less)


class CircleData(AbstractData):
    """Points on two arcs of the unit circle, one positive and one negative (final)."""

    grains = ("sign",)

    kind: Literal["circle"] = Field(default="circle", description="where samples come from")
    samples: int = Field(ge=2, description="number of samples")
    arc: float = Field(gt=0, lt=90, description="half the length of an arc, degrees")

    @property
    def sizes(self):
        return Sizes(self.samples, 0, 2, 2, 2)

    @property
    def files(self):
        return ()

    @property
    def facts(self):
        return Facts()

    def read(self, seed):
        side = np.arange(self.samples) % 2
        turn = np.radians(self.arc) * stream(seed, "train").uniform(-1, 1, self.samples)
        angle = np.pi / 2 * side + turn
        x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        train = Dataset(x, side, names=("east", "north"), class_of=(1, 0), sign=(1, -1))
        return Split(train, None, Centers(np.eye(2), np.array([1, -1]), "given"))

    def read_test(self, seed):
        return None


def descent_curve(result):
    """The loss of a run over time."""
    figure = Figure()
    figure.subplots().plot(result.record["time"], result.record["loss"])
    return figure


QUESTION = """
name = "circle"
data = {kind = "circle", samples = 40, arc = 30.0}
network = {width = 16, power = 3, init_scale = 1e-4}
flow = {loss = "smooth_hinge", end_time = 60.0, tolerance = 1e-6, precision = "float64"}
"""


@pytest.fixture
def additions():
    known = dict(LOSSES), list(words.LOSSES), dict(DATA._tables), dict(FIGURES)
    register_loss(SmoothHinge())
    DATA.add(CircleData)
    registered(lambda study, name: True)(descent_curve)
    yield
    for registry, before in zip(
        (LOSSES, words.LOSSES.words, DATA._tables, FIGURES), known, strict=True
    ):
        registry.clear()
        registry.extend(before) if isinstance(registry, list) else registry.update(before)


def test_a_loss_a_kind_of_data_and_a_figure_run_from_a_file_to_a_drawing(additions, tmp_path):
    run = store.save(gflow.simulate(gflow.parse_scenario(QUESTION)), tmp_path / "run")
    run = store.load(run.folder)

    loss, spent = (run.record[name].values for name in ("loss", "dissipated"))
    # A flow descends, and loses what its motion dissipates (theory D2d).
    assert run.outcome.complete and (np.diff(loss) < 0).all() and loss[-1] < loss[0] / 2
    np.testing.assert_allclose(loss[0] - loss, spent, atol=1e-4 * loss[0])
    # A balanced network starts at f = 0, where the loss is ℓ(y, 0).
    assert loss[0] == pytest.approx(np.logaddexp(0, SHARP) / SHARP, rel=1e-6)
    # While it is negligible, |f| <= ‖θ‖²/2, κ sets the clock: half of the samples pull at the
    # fastest neuron, by σ(<u, x>)^p between cos³ 30° and 1, less what the other half does.
    early = run.record["squared_norm"].values[1:] < 1e-3
    rate = np.diff(run.record["log_norm"].values, axis=0)[early]
    rate = rate.max(axis=1) / np.diff(run.record["time"].values)[early]
    assert (rate <= SmoothHinge.kappa / 2 * (1 + SHARP * 1e-3)).all()
    assert rate[-1] > SmoothHinge.kappa / 4
    # Inputs have two dimensions and length 1.
    x = run.scenario.data.read(run.scenario.seed).train.x
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1)

    written = gflow.figures.draw(run, tmp_path / "figures", only="descent_curve")

    assert {path.suffix for path in written} == {".pdf", ".png"}
    (line,) = descent_curve(run).axes[0].lines
    np.testing.assert_array_equal(line.get_ydata(), loss)


def test_the_force_of_the_hinge_is_its_slope_and_changes_as_it_says(additions):
    y, f = np.array([1.0, -1.0, 1.0]), np.array([0.3, 0.9, -2.0])
    loss = LOSSES["smooth_hinge"]

    force = loss.force(jnp.asarray(y), jnp.asarray(f))

    slope = jax.grad(lambda f: loss.value(jnp.asarray(y), f).sum())(jnp.asarray(f))
    np.testing.assert_allclose(force, -np.asarray(slope), rtol=1e-14)
    np.testing.assert_allclose(loss.force_change(y, f), force - loss.kappa * y, rtol=1e-13)


def test_registries_are_as_they_were():
    assert "smooth_hinge" not in LOSSES and "circle" not in DATA.kinds
    with pytest.raises(gflow.errors.ScenarioError, match="circle"):
        gflow.parse_scenario(QUESTION)
