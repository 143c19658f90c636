"""Wall times of work that jax does."""

import time
from collections.abc import Callable
from typing import TypeVar

import jax

T = TypeVar("T")


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The shortest wall time of a few repeats, after one that compiles."""
    jax.block_until_ready(work())
    return min(once(work)[0] for _ in range(repeats))


def once(work: Callable[[], T]) -> tuple[float, T]:
    """The wall time of one repeat, compilation included if it is the first, and its result."""
    began = time.perf_counter()
    result = jax.block_until_ready(work())
    return time.perf_counter() - began, result


def product_rate(size: int = 2000) -> float:
    """Operations per second of the best plain float32 product of squares up to `size`."""
    best = 0.0
    for side in (size // 2, size):
        a = jax.random.normal(jax.random.key(0), (side, side), "float32")
        product = jax.jit(lambda a: a @ a)
        best = max(best, 2 * side**3 / seconds(lambda a=a, f=product: f(a), repeats=5))
    return best
