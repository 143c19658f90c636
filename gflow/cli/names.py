"""Names that help texts list, which would take seconds to import from where they are defined."""

FIGURES = (
    "alignment", "norms", "fit", "contributions", "cosine_map", "plane", "input_space", "overlay",
    "loss", "cosine", "outputs", "closed_forms", "fitting_law", "rates", "escape", "sphere",
    "power_map", "loss_steps", "bands", "overview", "robust_accuracy", "radii", "critical_radius",
    "training", "adversarial", "movie",
)  # fmt: skip
"""Figures, in the order in which they are drawn."""

PREDICTIONS = (
    "balancedness", "orthogonal-invariant", "energy-balance", "charts", "closed-form",
    "voronoi-rule", "continuum", "partial-activation", "stability", "angle-and-norm",
    "escape-slopes", "phase-separation", "ei-law", "late-gap", "late-rates", "margin",
    "conjecture-1", "distance-scaling", "critical-radii", "robust-accuracy", "radius-over-K",
    "alignment", "robustness-over-scale", "polynomial-escape", "bayes", "sgd",
    "loss-independence", "unbalanced-times", "layer-balance", "staircase", "jump-process",
    "interpolator-norm", "residual-rates", "universal", "half-speed", "fine-labels", "skew-xor",
    "alignment-times", "occupancy", "label-flips", "fine-selection",
)  # fmt: skip
"""Ids of the predictions P1, P2, ..."""

THE_FIGURES = f"Figures: {', '.join(FIGURES)}."
THE_PREDICTIONS = (
    f"Predictions: {', '.join(f'P{n} {name}' for n, name in enumerate(PREDICTIONS, start=1))}."
)
