"""What a scenario will cost: operations and memory by formula, minutes as a range."""

from gflow.cost.memory import check_memory
from gflow.cost.minutes import Cost, estimate, measure_rate

__all__ = ["Cost", "check_memory", "estimate", "measure_rate"]
