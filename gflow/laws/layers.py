"""Networks of layers: which powers of the weights outputs are, and what follows for their flow.

If f - b has degree q_l in the weights W_l of one layer, Euler's identity makes the rate
of ‖W_l‖² equal 2 q_l S with one and the same S = Σ ω_i <g_i, f_i - b> for every layer.  So what the
layers gain stays in fixed proportions, whatever the data, the loss, and the width (theory D24), and
layers that start small leave the origin together, by a law of their degrees alone (theory D28).
"""

from collections.abc import Sequence
from typing import NamedTuple


class Layering(NamedTuple):
    """What decides the degrees of a network of pReLU layers."""

    hidden_layers: int
    power: float
    input_normalized: bool = False
    skip: bool = False
    layer_norm: bool = False


def layer_degrees(layering: Layering) -> tuple[float | None, ...]:
    """The degree q_l of f - b in the weights of each layer, from the first to the output.

    A layer has degree 1 in its own weights and p in its input, 1 if inputs are normalized, so that
    q_l = p^{number of hidden layers above l}.  A layer norm above makes q_l = 0.  A skip connection
    ends homogeneity of the layers between the first and the output, and of the first one too unless
    layers have degree 1 in their inputs.

    **Returns:** one number per layer; None where outputs have no degree in its weights.

    **Source:** Du, Hu, Lee, NeurIPS 2018 for ReLU; theory D24.
    """
    above = range(layering.hidden_layers - 1, 0, -1)  # hidden layers above all but the last
    growth = 1.0 if layering.input_normalized else layering.power
    below: list[float | None] = [0.0 if layering.layer_norm else growth**n for n in above]
    if not (layering.skip and below):
        return (*below, 1.0, 1.0)
    # The input of a layer is added to its output, which then has no degree in its weights.
    homogeneous = layering.layer_norm or growth == 1
    return (below[0] if homogeneous else None, *[None] * len(below), 1.0)


def escape_exponent(degrees: Sequence[float]) -> float:
    """The power of 1/ε with which the time to escape grows if layers of these degrees start at ε.

    Layers that stay in proportion have sizes ρ√q_l with dρ/dt = c ρ^{Q-1}, Q = Σ q_l, so that
    T ∝ ε^{-(Q-2)} for Q > 2.  At Q = 2 T grows like log 1/ε, and below it tends to a constant.

    **Arguments:**

    - `degrees`: q_l >= 0 of the layers that start small; p and 1 for two layers without
        normalization.

    **Returns:** max(Σ q_l - 2, 0); nan if a degree is not a number.

    **Raises:** `ValueError` for a negative degree, or none at all.

    **Source:** theory D28; D15 for layers of degree 1 that are all small.
    """
    if not len(degrees) or min(degrees) < 0:
        raise ValueError(f"`degrees` must be numbers >= 0, at least one, but is {list(degrees)}.")
    excess = float(sum(degrees)) - 2
    return excess if not excess < 0 else 0.0
