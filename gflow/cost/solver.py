"""The facts about each solver that a cost is made of; one row per solver."""

from typing import NamedTuple


class Solver(NamedTuple):
    """Facts about a solver."""

    order: int
    stages: int
    evaluations: int
    """Evaluations of the velocity in one step: one less than `stages` if the last is reused."""
    steps: int
    """Steps of a flow at tolerance 1e-3 and init_scale 1e-7, measured with few record times."""


SOLVERS = {
    "tsit5": Solver(order=5, stages=7, evaluations=6, steps=50),
    "bosh3": Solver(order=3, stages=4, evaluations=3, steps=110),
    "dopri8": Solver(order=8, stages=14, evaluations=13, steps=45),
    "heun": Solver(order=2, stages=3, evaluations=2, steps=400),
}
"""The solvers by the names scenario files use."""
