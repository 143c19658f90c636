"""Names that help texts list, which would take seconds to import from where they are defined."""

FIGURES = (
    "alignment", "norms", "fit", "contributions", "cosine_map", "plane", "student", "input_space",
    "overlay", "loss", "cosine", "outputs", "closed_forms", "fitting_law", "rates", "escape",
    "sphere", "power_map", "loss_steps", "arrivals", "off_manifold", "bottleneck", "rank_one",
    "bands", "overview", "conjecture_map", "critical_power", "robust_accuracy", "radii",
    "critical_radius", "training", "adversarial", "movie",
)  # fmt: skip
"""Figures, in the order in which they are drawn."""

PREDICTIONS = {
    "balancedness": 1, "orthogonal-invariant": 2, "energy-balance": 3, "charts": 4,
    "closed-form": 5, "voronoi-rule": 6, "continuum": 7, "partial-activation": 8, "stability": 9,
    "angle-and-norm": 10, "escape-slopes": 11, "phase-separation": 12, "ei-law": 13,
    "late-gap": 14, "late-rates": 15, "margin": 16, "conjecture-1": 17, "distance-scaling": 18,
    "critical-radii": 19, "robust-accuracy": 20, "radius-over-K": 21, "alignment": 22,
    "robustness-over-scale": 23, "polynomial-escape": 24, "bayes": 25, "sgd": 26,
    "loss-independence": 27, "unbalanced-times": 28, "layer-balance": 29, "staircase": 30,
    "jump-process": 31, "interpolator-norm": 32, "residual-rates": 33, "universal": 34,
    "off-manifold": 35, "half-speed": 36, "collapse": 37, "bottleneck": 38, "rank-one": 39,
    "fine-labels": 40, "threshold": 41, "skew-xor": 42, "alignment-times": 43, "occupancy": 44,
    "label-flips": 45, "fine-selection": 46,
}  # fmt: skip
"""Predictions by id, and their numbers: 1 is P1."""

THE_FIGURES = f"Figures: {', '.join(FIGURES)}."
THE_PREDICTIONS = f"Predictions: {', '.join(f'P{n} {name}' for name, n in PREDICTIONS.items())}."
