"""What a scenario may ask of layers, and what it may not."""

import numpy as np
import pytest
from questions import DEEP, FINE

import gflow


@pytest.mark.parametrize(
    ("text", "old", "new", "words"),
    [
        (FINE, "= 60.0", '= 60.0, chart = "lightcone"', "`flow.chart` must be left out"),
        (FINE, "= 60.0", '= 60.0, loss = "square"', "`flow.loss` must be left out for"),
        (FINE, "width = 40", "width = 40, balanced = false",
         '`network.balanced` must be left out unless network.kind = "neurons", but'),
        (FINE, "= 1.0", "= 1e-16", "`network.init_scale` must be >= 1e-15 in pl"),
        (FINE, "= 1.0", "= 1e-9, hidden_layers = 3", "must be >= 3.2e-08 in plain"),
        (FINE, "power = 1, init_scale = 1.0",
         "power = 3, init_scale = 1e-3, hidden_layers = 3", "must be >= 0.0072 in plain"),
        (DEEP, "power = 3", "power = 3, normalized = false",
         "`network.normalized` must be left out un"),
        (DEEP, "power = 3", 'power = 3, init = "sphere"',
         "`network.init` must match network.kind, but"),
        (DEEP, "attacked = 10", "attacked = 10, published = true",
         "`robustness.published` must be"),
        (DEEP, 'kind = "mnist", extract = true, samples = 300, test_samples = 100',
         'kind = "file", path = "a.npz"', '`network.outputs` must be "sign" for data.kind'),
    ],
)  # fmt: skip
def test_what_layers_cannot_do_is_refused(text, old, new, words):
    with pytest.raises(gflow.errors.ScenarioError) as caught:
        gflow.parse_scenario(text.replace(old, new))

    assert words in str(caught.value)


SCALES = "network.layer_scales=[0.01, 1.0, 0.2]"


def test_a_question_about_scales_of_layers_is_asked_in_one_way():
    plain, more = gflow.parse_scenario(DEEP), gflow.parse_scenario(DEEP, overrides=[SCALES])

    again = gflow.parse_scenario(more.to_toml())

    assert "layer_scales" not in plain.to_toml()
    assert "layer_scales = [0.01, 1.0, 0.2]" in more.to_toml()
    assert plain.digest() != more.digest() == again.digest()
    whole = gflow.parse_scenario(DEEP, overrides=["network.layer_scales=[0.01, 1, 0.2]"])
    assert whole.digest() == more.digest()


def test_scales_of_layers_vary():
    grid = gflow.parse_scenario(
        DEEP
        + """
[vary]
"network.layer_scales" = [[0.1, 1.0, 1.0], [0.01, 1.0, 1.0]]
"""
    )

    labels = [point.label for point in grid.points()]

    assert labels == ["layer_scales=0.1+1+1", "layer_scales=0.01+1+1"]
    assert gflow.parse_scenario(grid.to_toml()) == grid


@pytest.mark.parametrize("method", [pytest.param("flow", marks=pytest.mark.slow), "sgd", "adam"])
def test_every_road_begins_at_the_scales_of_layers(method):
    more = [f'train.method="{method}"', "train.batch=0", "flow.end_time=0.4",
            "network.hidden_layers=2"]  # fmt: skip

    even, uneven = (
        gflow.simulate(gflow.parse_scenario(FINE, overrides=[*more, *scales]))
        for scales in ([], [SCALES])
    )

    ratio = uneven.record["layer_size"].values[0] / even.record["layer_size"].values[0]
    # Sums of squares in single precision.
    assert ratio == pytest.approx([0.01, 1.0, 0.2], rel=1e-5)
    assert np.isfinite(uneven.record["loss"].values).all()


@pytest.mark.parametrize(
    ("scales", "least"), [("[1e-20, 1.0, 1.0]", "0.00046"), ("[1e-15, 1.0, 1e-12]", "0.1")]
)
def test_small_layers_must_not_make_outputs_underflow(scales, least):
    # p = 1: outputs are init_scale³ times the product of the entries, and at least 1e-30.
    text = DEEP.replace("power = 3", "power = 1").replace("init_scale = 1.0", "init_scale = 1e-4")

    with pytest.raises(gflow.errors.ScenarioError) as caught:
        gflow.parse_scenario(text, overrides=[f"network.layer_scales={scales}"])

    assert f"`network.init_scale` must be >= {least} in plain coord" in str(caught.value)


def test_every_key_of_layers_tells_runs_apart():
    plain = gflow.parse_scenario(DEEP)

    more = gflow.parse_scenario(DEEP, overrides=["network.skip=true"])

    assert plain.digest() != more.digest()
