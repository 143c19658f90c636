"""Small scenarios that run within a second, as a user would write them."""

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
