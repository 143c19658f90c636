"""The cost of a scenario before it is run: operations by formula, minutes as a range.

One idea: an evaluation of the velocity is two matrix products with 4·n·D·h operations in all, so
the cost of a flow is its number of evaluations.  That number is a range, stated with its basis,
since the steps of a flow are unknown before it has run.

No sample is drawn or read here, and jax is never imported.
"""

import math
import os
import timeit
from dataclasses import dataclass

import numpy as np

from gflow.cost.memory import disk_of, gigabytes, memory_of, short, total, weights_of
from gflow.cost.solver import SOLVERS
from gflow.data.kind import Sizes
from gflow.scenario import Scenario

CORE_RATE = 8e10
"""Operations per second of a float32 matrix product on one good core."""

MOVED_BYTES, MEMORY_RATE = 80, 5e9
"""Bytes moved per weight in one step of descent, and bytes moved per second."""

WALKS, WALK_STEPS, LINES, LINE_LOOKS = 4, 200, 8, 72
"""Attack on one sample: walks, steps of each, lines, evaluations on each."""

WORTH, PER_VELOCITY = 1e11, 2e9
"""Operations that take as long as compiling a surrogate, and as following it between two exact
velocities."""

START_SECONDS = (3.0, 20.0)
"""Shortest and longest time to compile one flow and draw its samples."""


@dataclass(frozen=True)
class Cost:
    """The cost of a scenario; a grid computes its flows one after another."""

    flows: int
    """Number of flows."""
    operations_per_evaluation: int
    """Floating-point operations of the two matrix products, 4·n·D·h, summed over flows."""
    evaluations: tuple[int, int]
    """Fewest and most evaluations of the velocity, summed over flows."""
    memory_bytes: int
    """Peak memory of the largest flow."""
    disk_bytes: int
    """Stored records and networks of all flows, at most."""
    minutes: tuple[float, float]
    """Shortest and longest time of all flows."""
    basis: str
    """The assumptions behind evaluations and minutes."""

    def __str__(self) -> str:
        return "\n".join(
            (
                f"flows        {self.flows}",
                f"evaluations  {self.evaluations[0]} to {self.evaluations[1]}",
                f"operations   {self.operations_per_evaluation:.3g} to evaluate every flow once",
                f"memory       {gigabytes(self.memory_bytes)}",
                f"disk         {gigabytes(self.disk_bytes)} at most",
                f"minutes      {short(self.minutes[0])} to {short(self.minutes[1])}",
                f"basis        {self.basis}",
            )
        )


def estimate(scenario: Scenario, rate: float | None = None) -> Cost:
    """Estimate the cost of a scenario.

    **Arguments:**

    - `scenario`: one flow or a grid.
    - `rate`: floating-point operations per second of float32 matrix products; None measures it now.

    **Returns:** a `Cost`: operations and memory follow formulas; evaluations and minutes are
    ranges, whose assumptions `basis` states.

    **Raises:** `DataError` for a file of samples whose header cannot be read.
    """
    rate = measure_rate() if rate is None else rate
    points = [point.scenario for point in scenario.points()]
    costs = [_flow_cost(point, rate) for point in points]
    attacks = sum(_attack_operations(point, point.data.sizes) for point in points)
    best = max(rate, CORE_RATE * (os.cpu_count() or 1))
    slow = 4 * attacks / rate / 60
    return Cost(
        flows=len(costs),
        operations_per_evaluation=sum(cost.operations_per_evaluation for cost in costs),
        evaluations=(sum(c.evaluations[0] for c in costs), sum(c.evaluations[1] for c in costs)),
        memory_bytes=max(cost.memory_bytes for cost in costs),
        disk_bytes=sum(cost.disk_bytes for cost in costs),
        minutes=(
            sum(c.minutes[0] for c in costs) + attacks / best / 60,
            sum(c.minutes[1] for c in costs) + slow,
        ),
        basis=costs[0].basis + (f"; up to {short(slow)} minutes of attacks" if attacks else ""),
    )


def measure_rate() -> float:
    """Floating-point operations per second of a float32 matrix product, measured now."""
    a = np.full((600, 600), 0.5, np.float32)
    seconds = min(timeit.repeat(lambda: np.matmul(a, a), number=1, repeat=3))
    return 2 * a.shape[0] ** 3 / seconds


def _flow_cost(scenario: Scenario, rate: float) -> Cost:
    sizes = scenario.data.sizes
    operations = _operations(scenario, sizes)
    if not scenario.train.is_flow:
        return _descent_cost(scenario, sizes, operations, rate)

    # Observing a step of a direct integration costs half an evaluation.
    # Only of a mixture is it known beforehand that its subclasses are blurred points.
    few = worth_few(scenario) and scenario.data.facts.noise is not None
    steps = _few_steps(scenario) if few else _steps(scenario)
    evaluations = 1 if few else SOLVERS[scenario.solver].evaluations
    work = [(evaluations + 0.5) * operations * s for s in steps]
    if scenario.flow.precision == "float64":
        work = [2 * w for w in work]

    # Time runs from a good core doing the least work to half of this machine's rate doing the most.
    best = max(rate, CORE_RATE * (os.cpu_count() or 1))
    return Cost(
        flows=1,
        operations_per_evaluation=operations,
        evaluations=(evaluations * steps[0], evaluations * steps[1]),
        memory_bytes=total(memory_of(scenario, sizes)),
        disk_bytes=disk_of(scenario, sizes),
        minutes=(
            (START_SECONDS[0] + work[0] / best) / 60,
            (START_SECONDS[1] + 2 * work[1] / rate) / 60,
        ),
        basis=(
            "steps as counted at tolerance = 1e-3 and init_scale = 1e-7, more if these are "
            "smaller and for every record time; matrix products at "
            f"{best / 1e9:.0f} GFlop/s (a good core does {CORE_RATE / 1e9:.0f}) down to "
            f"{rate / 2e9:.0f} (half of what numpy does here now); {START_SECONDS[0]:g} to "
            f"{START_SECONDS[1]:g} s to start each flow"
        ),
    )


def worth_few(scenario: Scenario) -> bool:
    """Whether few exact velocities are worth trying (theory D16), if subclasses are known.

    With `flow.method = "auto"` a direct integration must take more operations than these
    velocities, compiling the surrogate and following it are worth: not so for small problems, nor
    at p < 2 for small tolerances.  What the surrogate leaves out is measured by the flow.
    """
    if scenario.flow.method != "auto":
        return scenario.flow.method == "multirate"
    if scenario.network.grain != "sign" or scenario.chart in ("vector", "module"):
        return False
    operations = _operations(scenario, scenario.data.sizes)
    direct = _steps(scenario)[0] * SOLVERS[scenario.solver].evaluations * operations
    return _few_steps(scenario)[1] * (operations + PER_VELOCITY) + WORTH < direct


def _few_steps(scenario: Scenario) -> tuple[int, int]:
    """Fewest and most exact velocities, as counted on mixtures of noise up to 0.3."""
    kinked, finer = scenario.network.power < 2, 1e-3 / scenario.flow.tolerance
    low, high = (20, 70) if kinked else (10, 40)
    quiet = 1 + max(0.0, math.log(1e-7 / scenario.network.smallest_scale)) / 500
    powers = (0.4, 0.8) if kinked else (1 / 3, 1 / 3)
    factors = sorted(finer**power for power in powers)
    most = scenario.flow.max_steps
    counts = low * factors[0], high * factors[1] * quiet
    return min(math.ceil(counts[0]), most), min(math.ceil(counts[1]), most)


def _operations(scenario: Scenario, sizes: Sizes) -> int:
    """Operations of one gradient: two products for neurons, three per layer with autodiff."""
    return scenario.network.products * sizes.n * weights_of(scenario, sizes)


def _descent_cost(scenario: Scenario, sizes: Sizes, operations: int, rate: float) -> Cost:
    train = scenario.train
    batch = min(train.batch or sizes.n, sizes.n)
    steps = train.sizes(scenario.flow.end_time, sizes.n).steps
    work = steps * operations * batch / sizes.n
    # Weights pass through memory several times per step.
    moved = steps * MOVED_BYTES * weights_of(scenario, sizes) / MEMORY_RATE
    best = max(rate, CORE_RATE * (os.cpu_count() or 1))
    return Cost(
        flows=1,
        operations_per_evaluation=operations,
        evaluations=(steps, steps),
        memory_bytes=total(memory_of(scenario, sizes)),
        disk_bytes=disk_of(scenario, sizes),
        minutes=(
            (START_SECONDS[0] + work / best + moved / 4) / 60,
            (START_SECONDS[1] + 4 * work / rate + 4 * moved) / 60,
        ),
        basis="steps as the scenario sets them, one batch each; small products and memory traffic "
        "of weights at rates that differ by a factor of 16",
    )


def _attack_operations(scenario: Scenario, sizes: Sizes) -> int:
    """Operations of attacks on layers; on neurons with one output they take seconds."""
    network, robustness = scenario.network, scenario.robustness
    if network.certifiable:
        return 0
    samples = min(robustness.attacked or sizes.m, sizes.m)
    rivals = 1 if network.grain == "sign" else sizes.C - 1
    # A gradient costs as much again as a value.
    passes = 2 * WALKS * WALK_STEPS + LINES * LINE_LOOKS
    return len(robustness.norms) * rivals * passes * 2 * samples * weights_of(scenario, sizes)


def _steps(scenario: Scenario) -> tuple[int, int]:
    """Fewest and most steps of a flow, from the step counts in `SOLVERS`.

    The solver steps onto every record time.  Steps grow like tolerance^(-1/order), and at a kink
    (p < 2) by measurement like up to tolerance^(-3/4).  While norms grow quietly from a tiny
    `init_scale`, a step cannot exceed about 3/(p·κ·π), so steps grow with p·log(1/eps).  Without
    normalization every escape resets the step from its quiet length, of order eps^(1-p), to that of
    fitting; this took up to 100 steps per factor e between the two.
    """
    flow, p = scenario.flow, scenario.network.power
    kinked = p < 2
    solver = SOLVERS[scenario.solver]
    times = scenario.record.linear + scenario.record.geometric
    finer = 1e-3 / flow.tolerance
    powers = (1 / solver.order, 3 / 4 if kinked else 1 / solver.order)
    factors = sorted(finer**power for power in powers)
    spread = 2.5 * max(1.0, p / 3) * (4 if kinked and flow.chart == "cartesian" else 1)
    quiet = max(0.0, math.log(1e-7 / scenario.network.smallest_scale))
    low = max(0.8 * solver.steps * factors[0], times) + 0.3 * p * quiet
    apart = (
        0.0 if scenario.network.degree == 1 else (p - 1) * -math.log(scenario.network.init_scale)
    )
    high = spread * solver.steps * factors[1] + times + (6 if kinked else p / 2) * quiet
    high += 100 * max(0.0, apart)
    # A huge power makes `high` infinite; the budget of steps bounds it.
    return math.ceil(min(low, flow.max_steps)), math.ceil(min(high, flow.max_steps))
