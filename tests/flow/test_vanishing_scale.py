"""Every recorded number of a start against its law, from initialization scale 1 down to 1e-300.

The directions of a start do not depend on its scale ε, so f = ε² f₁ and ‖θ‖² = ε² ‖θ₁‖², with
f₁ and θ₁ those of ε = 1.  What is too small for double precision is 0 with the right sign.
"""

import numpy as np
import pytest
from evidences import evidence_of
from questions import SMALL

SCALES = (1e-1, 1e-10, 1e-20, 1e-30, 1e-100, 1e-160, 1e-200, 1e-300)

KINDS = {
    "polar": {},
    "p = 1": {"network__power": 1},
    "direct": {"flow__method": "direct"},
    "light-cone": {"network__balanced": "false", "flow__chart": "lightcone"},
    "several outputs": {"network__kind": "vector"},
}
SHORT = {"flow__end_time": 1e-3}


def start_of(scale, kind):
    record = evidence_of(SMALL, network__init_scale=scale, **SHORT, **KINDS[kind]).record
    return {name: record[name].values[0].astype(float) for name in record.data_vars}


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_a_start_follows_its_law_at_any_scale(kind):
    unit = start_of(1.0, kind)
    # The logarithm of 1e-300 is rounded to 1e-13; what is below the least normal number is 0.
    close = {"rtol": 1e-11, "atol": np.finfo(float).tiny}

    for scale in SCALES:
        now = start_of(scale, kind)
        for name in {"margin_min", "margin_mean", "center_output"} & set(now):
            np.testing.assert_allclose(now[name], unit[name] * scale * scale, **close)
            assert (np.signbit(now[name]) == np.signbit(unit[name])).all(), name
        np.testing.assert_allclose(now["squared_norm"], unit["squared_norm"] * scale**2, **close)
        for name in {"log_norm", "log_output"} & set(now):
            np.testing.assert_allclose(now[name] - unit[name], np.log(scale), rtol=1e-13)
        for name in {"accuracy", "cosine", "chord", "sign", "stable_rank"} & set(now):
            np.testing.assert_allclose(now[name], unit[name], rtol=1e-12)
        assert now["dissipated"] == 0
