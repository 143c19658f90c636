"""What a scenario may ask of layers, and what it may not."""

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


def test_every_key_of_layers_tells_runs_apart():
    plain = gflow.parse_scenario(DEEP)

    more = gflow.parse_scenario(DEEP, overrides=["network.skip=true"])

    assert plain.digest() != more.digest()
