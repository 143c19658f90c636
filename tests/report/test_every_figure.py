"""Every figure, of 1, 2 and 20 runs, at one and two columns: no text is cut off or collides.

What is drawn is checked elsewhere; here it must be readable.
"""

import functools
from dataclasses import replace

import pytest
from drawing import clipped, colliding
from made_up import judged
from matplotlib.figure import Figure
from questions import POLYNOMIAL

from gflow.report import figures, paper, style
from gflow.report.figure import NotDrawable
from gflow.report.movie import Movie
from gflow.runs import store
from gflow.runs.experiment import simulate
from gflow.runs.findings import save_findings
from gflow.runs.radii import attacked
from gflow.runs.run import Entry
from gflow.runs.study import Study
from gflow.scenario import parse_scenario

OF_A_STUDY = {"bands", "overview", "escape", "power_map", "critical_radius", "conjecture_map",
              "critical_power", "bottleneck"}  # fmt: skip
"""Figures of a varied key."""

APART = {"input_space": "planar", "training": "deep", "adversarial": "digits",
         "loss_steps": "steps", "rank_one": "polynomial", "off_manifold": "flat",
         "bottleneck": "small_layers",
         "student": "taught"}  # fmt: skip
"""Figures of other data or networks, and where their runs are from: `ALIKE`, or a fixture."""

NARROW = """
name = "narrow"
[data]
dimension = 20
subclasses = 4
positive_subclasses = 3
noise = 0.05
samples = 80
test_samples = 8
[network]
power = 3
width = 16
init_scale = 1e-5
[flow]
end_time = 150.0
[record]
linear = 8
geometric = 8
[checks]
predictions = ["conjecture-1"]
[robustness]
norms = ["l2", "linf"]
"""

TWENTY = """
[vary]
"network.power" = [1, 3]
"network.init_scale" = [1e-2, 1e-4, 1e-6, 1e-8, 1e-10]
seed = {count = 2}
"""

PLANAR = """
[data]
dimension = 3
subclasses = 2
positive_subclasses = 1
noise = 0.1
samples = 20
test_samples = 0
[network]
width = 6
power = 3
init_scale = 1e-3
[flow]
end_time = 20.0
"""

DEEP = """
[data]
dimension = 5
subclasses = 2
positive_subclasses = 1
noise = 0.1
samples = 20
test_samples = 0
[network]
kind = "layers"
width = 6
power = 3
init_scale = 1.0
[flow]
loss = "logistic"
end_time = 5.0
"""

STEPS = PLANAR.replace("noise = 0.1", "noise = 0").replace("[flow]", '[flow]\nloss = "half_square"')

TAUGHT = """
[data]
kind = "teacher"
teacher = "network"
teacher_neurons = 3
dimension = 3
samples = 20
test_samples = 0
[network]
width = 6
power = 3
init_scale = 1e-3
[flow]
loss = "half_square"
end_time = 20.0
"""

FLAT = NARROW.replace("noise = 0.05", "noise = 0").replace(
    "[record]", "[record]\n" + ('groups = ["neurons", "centers", "directions"]')
)

DIGITS = """
[data]
kind = "mnist"
extract = true
samples = 100
test_samples = 12
classes = 2
length = "mean"
[network]
width = 10
power = 1
init_scale = 1e-1
[flow]
loss = "logistic"
end_time = 5.0
[robustness]
norms = ["linf"]
attacked = 12
"""


def labeled(run):
    """Twenty labels of the same run."""
    return [(f"power=3,width={h},seed={seed}", run) for h in range(10) for seed in (0, 1)]


ALIKE = {
    "planar": PLANAR, "deep": DEEP, "steps": STEPS, "taught": TAUGHT, "flat": FLAT,
    "polynomial": POLYNOMIAL.replace("[flow]", "init_scale = 1e-3\n[flow]"),
}  # fmt: skip
"""Scenarios of one run, which stands for twenty."""


@functools.cache
def alike(name):
    return labeled(simulate(parse_scenario(ALIKE[name])))


@pytest.fixture(scope="module")
def small_layers():
    text = DEEP.replace("power = 3", "power = 2").replace("end_time = 5.0", "end_time = 50.0")
    vary = '[vary]\n"network.init_scale" = [0.03, 0.01, 0.003, 0.001]\n'
    grid = parse_scenario(f"{text}{vary}seed = {{count = 5}}")
    points = sorted(grid.points(), key=lambda point: point.scenario.seed)
    return [(point.label, simulate(point.scenario)) for point in points]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    scenario = parse_scenario(DIGITS)
    run = store.save(simulate(scenario), tmp_path_factory.mktemp("digits") / "run")
    return labeled(attacked(run, scenario.robustness))


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    """A study of twenty points, whose runs are two runs under other questions."""
    scenario, folder = parse_scenario(NARROW + TWENTY), tmp_path_factory.mktemp("twenty")
    runs = {}
    for p in (1, 3):
        flow = parse_scenario(NARROW, overrides=[f"network.power={p}"])
        runs[p] = attacked(simulate(flow), flow.robustness)
    entries = []
    for number, point in enumerate(scenario.points()):
        run = runs[point.scenario.network.power]
        asked = replace(run.evidence, scenario=point.scenario)
        stored = store.save(replace(run, evidence=asked), folder / str(number))
        save_findings(stored.folder, judged(0.01 + 0.01 * number, 0.02 + 0.02 * number))
        entries.append(Entry(point.label, replace(stored, evidence=asked)))
    return Study(scenario, tuple(entries), folder)


def some_of(runs, count):
    """A run of each power, or the first runs, or all."""
    if not isinstance(runs, Study):
        return runs[:count]
    return runs if count == 20 else [*runs.entries[:: len(runs.entries) // 2]][-count:]


CASES = [
    pytest.param(
        name, count, columns,
        marks=[] if (count, columns) == (20, 1) and name not in APART else pytest.mark.slow,
    )
    for name in sorted(figures.known())
    for count in (1, 2, 20)
    for columns in (1, 2)
]  # fmt: skip


@pytest.mark.parametrize(("name", "count", "columns"), CASES)
def test_no_text_is_cut_off_or_collides(request, name, count, columns):
    place = APART.get(name, "twenty")
    runs = some_of(alike(place) if place in ALIKE else request.getfixturevalue(place), count)

    with paper.spanning(columns):
        try:
            drawing = figures.known()[name].draw(runs)
        except NotDrawable:
            assert name in OF_A_STUDY and count < 20
            return

    figure = drawing.figure if isinstance(drawing, Movie) else drawing
    with style.styled():
        style.lay_out(figure)
        assert clipped(figure) == [] and colliding(figure) == []


def test_what_is_cut_off_or_collides_is_noticed():
    figure = Figure(figsize=(2, 2))
    ax = figure.add_axes((0.2, 0.2, 0.7, 0.7))
    ax.set_title("a title that is far longer than its figure is wide")
    ax.text(0.5, 0.5, "one")
    ax.text(0.52, 0.5, "other")

    assert clipped(figure) == [ax.get_title()]
    assert colliding(figure) == [("other", "one")]
