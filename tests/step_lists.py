"""Step sizes written out one by one, from their definition."""

import math

from gflow.scenario.step_sizes import StepSizes


def listed(sizes: StepSizes) -> list[float]:
    """s_k for k < N, written out."""
    W, M, c, d = sizes.warmup, sizes.steps - sizes.warmup, sizes.final, sizes.drops
    fall = {
        "constant": lambda j: 1.0,
        "linear": lambda j: 1 - (1 - c) * j / M,
        "cosine": lambda j: c + (1 - c) * (1 + math.cos(math.pi * j / M)) / 2,
        "exponential": lambda j: c ** (j / M),
        "step": lambda j: c ** ((d + 1) * j // M / d),
    }[sizes.schedule]
    return [(k + 1) / (W + 1) for k in range(W)] + [fall(j) for j in range(M)]
