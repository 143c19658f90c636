"""Judge of what the layers of a deep network keep between them (theory D24): prediction P29."""

from typing import cast

import numpy as np
from jaxtyping import Float

from gflow.judges.conservation import DRIFT, STEPS, step_tolerance
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, Verdict, outside
from gflow.judges.prediction import Prediction, Subject
from gflow.laws.layers import Layering, layer_degrees
from gflow.scenario import LayersTable

MOVED = 10.0
"""Change of layers from which their balance says something, in drifts that are allowed (P29)."""


def judge_layer_balance(evidence: Evidence) -> Opinion:
    """‖W_l‖²/q_l - ‖V‖² is constant, and ‖W_l‖² where q_l = 0 (theory D24, prediction P29)."""
    allowed = DRIFT * step_tolerance(evidence)
    expected = f"drift <= {allowed:.0e} of the largest ‖W_l‖²"
    if not evidence.is_flow:
        return outside(expected, STEPS)
    degrees = degrees_of(evidence)
    square = evidence.record["layer_size"].values.astype(np.float64) ** 2
    kept = invariants(square, degrees)
    if not kept.shape[1]:
        return outside(
            expected, "With skip connections and power > 1 outputs have no degree in hidden layers."
        )
    drift, moved = (float(np.abs(a - a[0]).max() / square.max()) for a in (kept, square))
    measured = f"{drift:.1e}, while layers change by {moved:.1e}"
    shown = ", ".join("none" if q is None else f"{q:g}" for q in degrees)
    reason = f"Degrees q_l of the layers, from the first: {shown}."
    if not np.isfinite(drift):
        return Opinion(Verdict.UNDECIDED, expected, measured, "A layer's norm is not a number.")
    if drift > allowed:
        return Opinion(Verdict.FAILS, expected, measured, reason)
    if moved < MOVED * allowed:
        early = (
            f"Layers have changed by less than {MOVED:g} times the drift allowed; give a smaller "
            "`flow.tolerance` or a later `flow.end_time`."
        )
        return Opinion(Verdict.UNDECIDED, expected, measured, early)
    return Opinion(Verdict.HOLDS, expected, measured, reason)


def degrees_of(evidence: Evidence) -> tuple[float | None, ...]:
    """q_l of every layer of a network of layers; None where outputs have no degree in it."""
    network = cast(LayersTable, evidence.scenario.network)
    return layer_degrees(
        Layering(
            network.hidden_layers,
            network.power,
            input_normalized=network.input_normalized,
            skip=network.skip,
            layer_norm=network.layer_norm,
        )
    )


def invariants(
    square: Float[np.ndarray, "T L"], degrees: tuple[float | None, ...]
) -> Float[np.ndarray, "T I"]:
    """‖W_l‖²/q_l - ‖V‖² of the hidden layers that have a degree, or ‖W_l‖² where it is 0.

    **Arguments:**

    - `square`: squared Frobenius norms ‖W_l‖², the output last.
    - `degrees`: q_l; None for a layer that keeps nothing.
    """
    kept = [
        square[:, i] / q - square[:, -1] if q else square[:, i]
        for i, q in enumerate(degrees[:-1])
        if q is not None
    ]
    return np.stack(kept, axis=1) if kept else square[:, :0]


PREDICTIONS = (
    Prediction(
        "layer-balance", "P29",
        "Deep layers stay balanced: ‖W_l‖²/q_l - ‖V‖² is constant, q_l the degree of f in W_l.",
        "Du, Hu, Lee, NeurIPS 2018 (ReLU); theory D24, P29",
        "d/dt ‖W_l‖² = 2 q_l Σ_i ω_i <g_i, f_i - b>,  q_l = p^(hidden layers above l)",
        judge=judge_layer_balance, scenario="layer-balance", subject=Subject.NUMERICS,
        networks=("layers",),
    ),
)  # fmt: skip
