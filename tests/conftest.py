"""Shapes are checked, promotion is strict, and 64 bits are on in every test."""

import jax
import pytest
from jaxtyping import install_import_hook

install_import_hook("gflow", "beartype.beartype")  # until the tests end: modules load late


@pytest.fixture(autouse=True)
def strict_jax():
    with (
        jax.enable_x64(True),
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        yield
