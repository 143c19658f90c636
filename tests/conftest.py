"""Shapes are checked, promotion is strict, and 64 bits are on in every test."""

import jax
import pytest
from jaxtyping import install_import_hook

with install_import_hook("gflow", "beartype.beartype"):
    import gflow.cli
    import gflow.flow.lightcone
    import gflow.report.card
    import gflow.report.doctor
    import gflow.report.figures
    import gflow.report.progress
    import gflow.theory.hypotheses
    import gflow.theory.plugin
    import gflow.theory.published
    import gflow.theory.published_flow
    import gflow.theory.reduced  # noqa: F401


@pytest.fixture(autouse=True)
def strict_jax():
    with (
        jax.enable_x64(True),
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        yield
