"""Small scenarios that run within a second, as a user would write them."""

import numpy as np

SMALL = """
name = "small"
seed = 1

[data]
dimension = 20
subclasses = 3
positive_subclasses = 2
noise = 0.05
samples = 60
test_samples = 30

[network]
width = 12
power = 3
init_scale = 1e-6

[flow]
end_time = 200

[record]
linear = 6
geometric = 6
"""

GRID = (
    SMALL
    + """
[vary]
"network.power" = [1, 3]
"""
)

OF_A_FILE = SMALL.replace(
    SMALL[SMALL.index("[data]") : SMALL.index("[network]")],
    '[data]\nkind = "file"\npath = "samples.npz"\n',
)


def samples(n=60):
    """Arrays of a small file of samples, for `OF_A_FILE`."""
    rng = np.random.default_rng(0)
    subclass = rng.integers(3, size=n)
    x = np.eye(3, 20)[subclass] + 0.02 * rng.standard_normal((n, 20))
    y = np.where(subclass < 2, 1, -1)
    return {"X": x, "y": y, "subclass": subclass, "centers": np.eye(3, 20)}


NO_NOISE = SMALL.replace("noise = 0.05", "noise = 0")

SEEDS = (
    SMALL
    + """
[checks]
predictions = ["balancedness"]

[vary]
"network.power" = [1, 3]
seed = {count = 2}
"""
)
"""Four flows with one prediction that is judged at once."""

ESCAPING = """
[data]
dimension = 20
subclasses = 5
positive_subclasses = 3
noise = 0
samples = 10
test_samples = 0

[network]
width = 40
power = 3
init_scale = 1e-6

[flow]
end_time = 6000
end_margin = 0.5
tolerance = 1e-6
precision = "float64"

[record]
linear = 200
geometric = 60
"""

DEEP = """
name = "deep"
data = {kind = "mnist", extract = true, samples = 300, test_samples = 100}
network = {kind = "layers", width = 20, power = 3, init_scale = 1.0, outputs = "classes", hidden_layers = 2, input_normalized = true, bias = true}
flow = {end_time = 0.3}
train = {method = "adam", step_size = 3e-3, batch = 50}
robustness = {norms = ["linf"], attacked = 10}
"""  # noqa: E501
"""Layers that learn the class of a digit."""

FINE = """
data = {dimension = 20, subclasses = 4, positive_subclasses = 2, noise = 0.1, samples = 200, test_samples = 40}
network = {kind = "layers", width = 40, power = 1, init_scale = 1.0, outputs = "subclasses"}
flow = {end_time = 60.0, end_loss = 0.05}
"""  # noqa: E501
"""Layers that learn the subclass of a sample."""

POLYNOMIAL = """
[data]
dimension = 5
subclasses = 2
positive_subclasses = 1
noise = 0
samples = 2
test_samples = 0
[network]
width = 6
power = 3
normalized = false
[flow]
chart = "cartesian"
loss = "logistic"
end_time = 1e12
end_loss = 0.4
tolerance = 1e-6
precision = "float64"
[record]
groups = ["neurons", "centers", "directions"]
"""
"""A flow of neurons without normalization, whose `network.init_scale` is to be given."""
