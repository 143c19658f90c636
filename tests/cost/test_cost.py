"""Costs: formulas exactly, steps against measured flows, sizes of files from their headers."""

import os
import re
import time
import zipfile

import numpy as np
import pytest

from gflow.cost import check_memory, estimate, measure_rate, memory, minutes
from gflow.cost.solver import SOLVERS
from gflow.errors import DataError, ScenarioError
from gflow.flow import stepper
from gflow.robustness import bracket, minimum_norm
from gflow.scenario import Scenario, parse_scenario

SMALL = """
[data]
dimension = 100
subclasses = 10
positive_subclasses = 6
noise = 0.1
samples = 3000
test_samples = 70
[network]
width = 20
power = 3
init_scale = 1e-7
[flow]
end_time = 16000.0
"""
PLAIN = ("network.normalized=false", "flow.chart=cartesian")
FILE = re.sub(r"\[data\][^[]*", '[data]\nkind = "file"\npath = "samples.npz"\n', SMALL)


def scenario(*overrides: str, toml: str = SMALL, folder=None) -> Scenario:
    return parse_scenario(toml, folder=folder, overrides=overrides)


def test_an_evaluation_is_two_matrix_products():
    assert estimate(scenario(), rate=1e9).operations_per_evaluation == 4 * 3000 * 100 * 20


@pytest.mark.parametrize(("precision", "real"), [("float32", 4), ("float64", 8)])
@pytest.mark.parametrize(("solver", "stages"), [("tsit5", 7), ("dopri8", 14)])
def test_memory_is_the_sum_of_what_a_flow_keeps(precision, real, solver, stages):
    n, m, D, K, h = 3000, 70, 100, 10, 20000
    question = scenario(
        f"network.width={h}", f"flow.precision={precision}", f"flow.solver={solver}",
        "record.linear=2", "record.geometric=3",
    )  # fmt: skip

    expected = (
        560_000_000
        + (8 + real) * n * D
        + 8 * m * D
        + 4 * 1000 * h * real
        + (stages + 4) * h * (D + 2) * 8
        + 105 * h * (K + 2) * 8
        + 16 * (n + D) * D
        + 16 * m * h
    )
    assert estimate(question, rate=1e9).memory_bytes == expected


def test_directions_take_a_number_for_each_time_neuron_and_input():
    h, D, times = 20000, 2000, 2 + 3 + 100
    sizes = (f"network.width={h}", f"data.dimension={D}", "record.linear=2", "record.geometric=3")
    groups = ('["neurons"]', '["neurons", "directions"]')

    bare, full = (
        estimate(scenario(*sizes, f"record.groups={names}"), rate=1e9) for names in groups
    )

    # In memory twice, when the times are put together.
    assert full.memory_bytes - bare.memory_bytes == 2 * times * h * D * 8
    assert full.disk_bytes - bare.disk_bytes == times * h * D * 8
    # Two single numbers for each of K + 2 references, two logarithms, a sign; and the weights.
    assert bare.disk_bytes == times * h * (8 * (10 + 2) + 17) + 8 * h * D


def test_many_samples_cost_most_while_they_are_drawn():
    question = scenario("data.samples=100000", "record.groups=[]")

    assert estimate(question, rate=1e9).memory_bytes == 560_000_000 + 24 * 100_000 * 100


def test_groups_that_are_not_recorded_cost_nothing():
    large = ("network.width=20000", "data.dimension=2000")
    full, bare = (
        estimate(scenario(*large, *rest), rate=1e9).memory_bytes
        for rest in ((), ("record.groups=[]",))
    )

    assert full - bare == 148 * 20000 * 12 * 8 + 16 * (3000 + 2000) * 2000


@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        # Accepted and rejected steps of flows with n = 500, D = 200, h = 50.
        ((), 77),
        (("network.power=1",), 169),
        (("network.power=1.5",), 127),
        (("network.power=2",), 73),
        (("network.power=8",), 245),
        (("network.power=3", "record.linear=2", "record.geometric=2"), 49),
        (("network.power=1", "record.linear=2", "record.geometric=2"), 138),
        (("network.power=1", "flow.tolerance=1e-4"), 503),
        (("network.power=1", "flow.tolerance=1e-4"), 809),  # D = 20
        (("network.power=3", "flow.tolerance=1e-5"), 138),
        (("network.power=3", "flow.solver=dopri8"), 109),
        (("network.power=3", "flow.solver=heun", "flow.tolerance=1e-2"), 166),
        (("network.power=3", "network.init_scale=1e-100"), 297),
        (("network.power=1", "network.init_scale=1e-100"), 1399),
        (("network.power=3", "flow.chart=cartesian"), 88),
        (("network.power=1", "flow.chart=cartesian"), 1073),
        (("network.power=3", "flow.chart=lightcone", "network.balanced=false"), 109),
        (("network.power=1", "flow.chart=lightcone", "network.balanced=false"), 180),
        # Without normalization, K = 10; escape comes at t = 7e12, 7e4, 7e4, 8e6 and 1e4.
        ((*PLAIN, "flow.end_time=1e14"), 2066),
        ((*PLAIN, "network.init_scale=1e-3", "flow.end_time=1e6"), 243),
        ((*PLAIN, "network.init_scale=1e-3", "flow.end_time=1e6", "flow.tolerance=1e-5"), 380),
        ((*PLAIN, "network.power=2", "flow.end_time=1e8"), 1557),
        ((*PLAIN, "network.power=1.5", "flow.end_time=1e7"), 480),
    ],
)
def test_steps_of_flows_that_were_run_lie_in_the_range(overrides, steps):
    question = scenario(*overrides)

    low, high = estimate(question, rate=1e9).evaluations

    evaluations = steps * SOLVERS[question.solver].evaluations
    assert low <= evaluations <= high
    assert high <= 15 * low or question.network.degree != 1


def test_the_budget_of_steps_bounds_evaluations():
    question = scenario("flow.max_steps=5", "network.power=100")

    assert estimate(question, rate=1e9).evaluations == (30, 30)


def test_minutes_follow_the_rate():
    slow, fast = (estimate(scenario("data.samples=1000000"), rate).minutes for rate in (1e9, 2e9))
    start = minutes.START_SECONDS[1] / 60

    assert slow[1] - start == pytest.approx(2 * (fast[1] - start))
    assert slow[0] < slow[1]


def test_a_busy_machine_does_not_raise_the_least_time():
    # The product may be measured while other programs run; a good core is the floor.
    idle, busy = (estimate(scenario("data.samples=1000000"), rate).minutes for rate in (1e12, 1e9))
    cores = os.cpu_count() or 1

    least = estimate(scenario("data.samples=1000000"), minutes.CORE_RATE * cores).minutes

    assert busy[0] == least[0]
    assert idle[0] <= least[0]


def test_a_grid_costs_the_sum_of_its_flows_and_the_memory_of_the_largest():
    grid = scenario("vary.data.samples=[20000, 100000, 30000]")

    whole = estimate(grid, rate=1e9)
    parts = [estimate(point.scenario, rate=1e9) for point in grid.points()]

    assert whole.flows == 3
    assert whole.operations_per_evaluation == sum(p.operations_per_evaluation for p in parts)
    assert whole.evaluations == tuple(sum(p.evaluations[i] for p in parts) for i in (0, 1))
    assert whole.minutes == pytest.approx([sum(p.minutes[i] for p in parts) for i in (0, 1)])
    assert whole.memory_bytes == parts[1].memory_bytes


def test_a_cost_prints_as_a_card_with_its_basis():
    card = str(estimate(scenario(), rate=123e9))

    assert [line.split()[0] for line in card.splitlines()] == [
        "flows", "evaluations", "operations", "memory", "disk", "minutes", "basis",
    ]  # fmt: skip
    assert "down to 62" in card


LAYERS = """
data = {kind = "mnist", extract = true}
network = {width = 100, power = 3, init_scale = 1.0, kind = "layers", outputs = "classes"}
flow = {end_time = 1.5}
train = {method = "adam", step_size = 1e-3}
"""


def test_attacks_on_layers_cost_their_passes():
    # 200 images, 9 other classes each, in 2 norms: 4 walks of 200 slopes, each two products, and 8
    # lines of 72 looks, at 2·(784 + 10)·100 operations.
    norms = 'robustness = {norms = ["l2", "linf"], attacked = 200}'
    plain, attacked = (estimate(parse_scenario(LAYERS + more), rate=1e9) for more in ("", norms))

    operations = 2 * 9 * 200 * (4 * 200 * 2 + 8 * 72) * 2 * 794 * 100
    seconds = 60 * (attacked.minutes[1] - plain.minutes[1])
    assert seconds == pytest.approx(4 * operations / 1e9)
    assert attacked.minutes[0] > plain.minutes[0]
    assert "minutes of attacks" in attacked.basis and "attacks" not in plain.basis


def test_the_rate_is_measured_in_no_time():
    measure_rate()

    began = time.perf_counter()
    rate = measure_rate()

    assert 1e8 < rate < 1e14
    assert time.perf_counter() - began < 2


def test_constants_are_those_of_the_integration():
    assert SOLVERS.keys() == stepper.SOLVERS.keys()
    for name, solver in stepper.SOLVERS.items():
        assert SOLVERS[name].stages == solver.tableau.num_stages
        assert SOLVERS[name].evaluations == solver.tableau.num_stages - solver.tableau.fsal
        assert SOLVERS[name].order == solver.order(None)
    assert (minutes.WALKS, minutes.WALK_STEPS) == (minimum_norm._WALKS + 1, bracket.STEPS)
    assert minutes.LINE_LOOKS == minimum_norm._RADII + minimum_norm._HALVINGS


# --- Memory -------------------------------------------------------------------------------------


def test_what_cannot_fit_is_refused_with_its_cure(monkeypatch):
    monkeypatch.setattr(memory, "physical_memory", lambda: 24_000_000_000)

    with pytest.raises(ScenarioError) as caught:
        check_memory(scenario("data.samples=100000000", "record.groups=[]"))

    assert caught.value.mistakes == (
        "scenario: `data.samples` × `data.dimension` and `network.width` must fit in memory, but "
        "need 241 GB of 24 GB, most of it for the drawing of samples; lower data.samples or "
        "data.dimension.",
    )


@pytest.mark.parametrize(
    ("override", "cure"),
    [
        ("network.width=100000000", "network.width"),
        ("record.geometric=100000000", "lower record.linear and record.geometric"),
        ("data.dimension=40000", 'leave "orthogonal" out of record.groups'),
        ("data.test_samples=1000000000", "lower data.test_samples"),
    ],
)
def test_the_cure_is_about_what_is_largest(monkeypatch, override, cure):
    monkeypatch.setattr(memory, "physical_memory", lambda: 24_000_000_000)

    with pytest.raises(ScenarioError, match=cure):
        check_memory(scenario(override))


def test_the_point_that_cannot_fit_is_named():
    with pytest.raises(ScenarioError, match="scenario, point samples=1000000000000: "):
        check_memory(scenario("vary.data.samples=[3000, 1000000000000]"))


def test_what_fits_is_let_through():
    check_memory(scenario())


# --- Files of samples ---------------------------------------------------------------------------


def test_sizes_of_a_file_are_read_from_its_headers(tmp_path):
    x = np.zeros((3000, 100), np.float32)
    test, centers = np.zeros((70, 100)), np.zeros((10, 100))
    np.savez(tmp_path / "samples.npz", X=x, y=np.ones(3000), X_test=test, centers=centers)

    cost = estimate(scenario(toml=FILE, folder=tmp_path), rate=1e9)

    assert cost == estimate(scenario(), rate=1e9)


def test_a_file_is_not_read_to_tell_its_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "samples.npz", "w") as archive, archive.open("X.npy", "w") as f:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 100)}
        np.lib.format.write_array_header_1_0(f, header)

    cost = estimate(scenario(toml=FILE, folder=tmp_path), rate=1e9)

    assert cost.operations_per_evaluation == 4 * 10**9 * 100 * 20


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "must be an npz file, but does not exist; set data.path to one"),
        (b"", "must be an npz file of plain arrays, but cannot be read"),
        (b"PK\x03\x04 cut short", "must be an npz file of plain arrays"),
        ({"y": np.ones(3)}, "array `X` must be inputs of shape (n, D), but is missing"),
        ({"X": np.ones(3)}, "array `X` must be inputs of shape (n, D), but has shape (3,)"),
        ("folder", "must be an npz file of plain arrays, but cannot be read"),
    ],
    ids=["missing", "empty", "cut short", "without X", "a vector", "folder"],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content, words):
    path = tmp_path / "samples.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "folder":
        path.mkdir()
    elif content is not None:
        np.savez(path, **content)

    with pytest.raises(DataError, match=re.escape(words)) as caught:
        estimate(scenario(toml=FILE, folder=tmp_path), rate=1e9)

    assert str(caught.value).startswith(f"{path}: ")


def test_an_archive_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "samples.npz", "w") as archive:
        archive.writestr("X.npy", b"not an array")

    with pytest.raises(DataError, match="cannot be read"):
        estimate(scenario(toml=FILE, folder=tmp_path), rate=1e9)


def test_workers_that_would_not_fit_together_are_refused_with_the_number_that_would():
    grid = scenario("data.samples=200000", "vary.seed=" + str(list(range(300))))

    check_memory(grid)
    check_memory(scenario(), workers=300)
    with pytest.raises(ScenarioError, match=r"300 need .* GB of .* GB; try --workers \d+\.$"):
        check_memory(grid, workers=300)
