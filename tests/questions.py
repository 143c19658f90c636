"""Small scenarios that run in a second, as a user would write them."""

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
"""Four flows that are judged in no time."""
