"""The names in a record: dimensions, words, symbol and unit of each, stated once.

xarray labels an axis with `long_name` and `units`, so `run.record["loss"].plot()` is labeled.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr


class Quantity(NamedTuple):
    """A recorded quantity."""

    dims: tuple[str, ...]
    long_name: str
    symbol: str
    units: str = "1"
    """"1" for a number without dimension, as the CF conventions have it; empty for words."""

    @property
    def attrs(self) -> dict[str, str]:
        """Its attributes in a record."""
        units = {"units": self.units} if self.units else {}
        return {"long_name": self.long_name, "symbol": self.symbol} | units


_EACH = ("time", "neuron")

QUANTITIES: dict[str, Quantity] = {
    "loss": Quantity(("time",), "training loss", "L = Σ_i ω_i ℓ(y_i, f(x_i))"),
    "margin_min": Quantity(("time",), "smallest margin", "min_i y_i f(x_i)"),
    "margin_mean": Quantity(("time",), "weighted mean margin", "Σ_i ω_i y_i f(x_i)/Σ_i ω_i"),
    "accuracy": Quantity(
        ("time",), "weighted share of training samples with y f > 0", "P(y f(x) > 0)"
    ),
    "residual_rms": Quantity(("time",), "root mean square residual", "√(Σ_i ω_i (y_i - f(x_i))²)"),
    "r_squared": Quantity(("time",), "share of the variance of labels explained", "R²"),
    "squared_norm": Quantity(("time",), "squared norm of all weights", "‖θ‖²"),
    "dissipated": Quantity(("time",), "dissipated energy", "∫₀ᵗ ‖dθ/dt‖² dt"),
    "stable_rank": Quantity(
        ("time",), "stable rank of the last hidden layer on training samples", "‖H‖_F²/‖H‖₂²"
    ),
    "layer_size": Quantity(("time", "layer"), "Frobenius norm of each layer", "‖W_l‖_F"),
    "center_output": Quantity(("time", "center"), "output at subclass centers", "f(μ_k)"),
    "cosine": Quantity(
        (*_EACH, "reference"), "cosine to center or class average", "cos(w_j, μ)"
    ),
    "chord": Quantity(
        (*_EACH, "reference"), "chord to center or class average", "‖u_j - μ/‖μ‖‖"
    ),
    "log_norm": Quantity(
        _EACH, "log-norm of hidden weights", "log ‖w_j‖; counts p times in log m_j without "
        "normalization",
    ),
    "log_output": Quantity(_EACH, "log-size of output weight", "log |v_j|"),
    "sign": Quantity(_EACH, "sign of output weight", "sign v_j"),
    "direction": Quantity((*_EACH, "input"), "direction of hidden weights", "u_j = w_j/‖w_j‖"),
    "orthogonal": Quantity(
        (*_EACH, "complement"),
        "log of the invariant along directions orthogonal to all samples",
        "log |<e, w_j>| + (p-1) log ‖w_j‖, without normalization log |<e, w_j>|",
    ),
}  # fmt: skip
"""Everything that a flow or a descent records, by name."""

COORDINATES: dict[str, Quantity] = {
    "time": Quantity(("time",), "flow time", "t", "step size × steps"),
    "scaled_time": Quantity(("time",), "scaled flow time", "κπt"),
    "scheduled": Quantity(("time",), "whether the time was scheduled", "", ""),
    "phase": Quantity(("time",), "phase of the flow", "", ""),
    "neuron": Quantity(("neuron",), "neuron", "j", ""),
    "center": Quantity(("center",), "subclass center", "μ_k", ""),
    "reference": Quantity(("reference",), "subclass center or class average", "μ", ""),
}
"""What positions in a record stand for, by name."""


def labeled(values: Mapping[str, np.ndarray], coordinates: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Recorded values as a dataset whose variables and coordinates say what they are.

    A name that is not among `QUANTITIES` is a caller's: its dimensions are `time` and its own.

    **Arguments:**

    - `values`: by name, each with a leading axis of time.
    - `coordinates`: by name; those of dimensions that no value has are left out.
    """
    variables = {name: _variable(name, array) for name, array in values.items()}
    used = _dimensions(dims for dims, *_ in variables.values()) | {"time"}
    places = {
        name: (COORDINATES[name].dims, array, COORDINATES[name].attrs)
        for name, array in coordinates.items()
        if COORDINATES[name].dims[0] in used
    }
    return xr.Dataset(variables, places)


def _variable(name: str, array: np.ndarray) -> tuple:
    if (quantity := QUANTITIES.get(name)) is not None:
        return quantity.dims, array, quantity.attrs
    own = tuple(f"{name}_{axis}" for axis in range(array.ndim - 1))
    return ("time", *own), array, {"long_name": name.replace("_", " "), "given": "gflow.simulate"}


def _dimensions(each: Iterable[tuple[str, ...]]) -> set[str]:
    return {dim for dims in each for dim in dims}
