"""The words that keys of a scenario file may hold, where plugins can register more.

Every loss, norm, initialization and prediction is registered under one of these words (a test
compares the two lists); a plugin adds its own word when it registers.
"""

from gflow.table import Words

LOSSES = Words("exponential logistic half_square square", or_given=True)
"""See `gflow.flow.losses`."""

NORMS = Words("l1 l2 linf")
"""See `gflow.robustness.norm`."""

SUBSPACES = Words(
    "samples off_samples centers off_centers class_difference positive_average negative_average"
)
"""See `gflow.robustness.subspace`."""

NEURON_INITS = Words("gaussian sphere nudged averaged", or_given=True)
"""See `gflow.network.initial`."""

LAYER_INITS = Words("gaussian kaiming_uniform glorot published")
"""See `gflow.network.deep`."""

PREDICTIONS = Words(
    """
    balancedness orthogonal-invariant energy-balance charts closed-form voronoi-rule continuum
    partial-activation stability angle-and-norm escape-slopes phase-separation ei-law late-gap
    late-rates margin conjecture-1 distance-scaling critical-radii robust-accuracy radius-over-K
    alignment robustness-over-scale polynomial-escape bayes sgd loss-independence unbalanced-times
    layer-balance staircase jump-process interpolator-norm residual-rates universal off-manifold
    half-speed collapse bottleneck rank-one fine-labels threshold skew-xor alignment-times occupancy
    label-flips fine-selection
    """
)
"""See `gflow.judges.catalogue`."""
