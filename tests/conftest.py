"""Shapes are checked, promotion is strict, and 64 bits are on in every test."""

import os
from pathlib import Path

import equinox as eqx
import jax
import pytest
from jaxtyping import install_import_hook

HOT = {
    f"gflow.robustness.{name}"
    for name in (
        "attack", "ball_walk", "bisection", "leaning", "lengths", "lines", "norm", "refinement",
        "starts", "witness",
    )
}  # fmt: skip
"""Modules whose functions run a million times in a test; checks would take longer than they do."""


def checked_modules() -> list[str]:
    """All modules of the package but the hot ones."""
    root = Path(__file__).parents[1]
    files = [path.relative_to(root).with_suffix("") for path in root.glob("gflow/**/*.py")]
    names = {".".join(file.parts).removesuffix(".__init__") for file in files}
    packages = {name.rpartition(".")[0] for name in names}
    return sorted(names - packages - HOT)


install_import_hook(checked_modules(), "beartype.beartype")  # for good: modules load late


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled programs in the cache of pytest: most of the time of a test is compilation."""
    settings = {
        "jax_compilation_cache_dir": str(config.cache.mkdir("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
    }
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)  # for the processes that tests start


@pytest.fixture(autouse=True)
def strict_jax():
    with (
        jax.enable_x64(True),
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        yield


MOST_MAPS = 20_000
"""Pieces of memory of a test process beyond which compiled programs are let go; Linux allows some
65,000, and a compiler that gets no more crashes."""


@pytest.fixture(autouse=True, scope="module")
def few_programs():
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_text(encoding="utf-8").count("\n") > MOST_MAPS:
        eqx.clear_caches()
        jax.clear_caches()
