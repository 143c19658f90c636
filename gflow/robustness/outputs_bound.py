"""Certified radii of networks of one hidden layer and any number of outputs: pair by pair."""

import numpy as np
from jaxtyping import Float, Real

from gflow.data.checks import check_classes, check_finite, check_not_negative
from gflow.network.vector_population import VectorPopulation
from gflow.robustness.norm import Norm
from gflow.robustness.relaxation import relaxed_radii


def certified_of_outputs(
    network: VectorPopulation,
    x: Float[np.ndarray, "n D"],
    y: Real[np.ndarray, " n"],
    most: Float[np.ndarray, " n"],
    *,
    norm: Norm,
) -> Float[np.ndarray, " n"]:
    """A radius within which no output overtakes that of the label, sample by sample.

    The largest output k of the class of the label stays ahead of each output l of another class as
    long as f_k - f_l > 0, which is a network of one output.  The smallest radius over l counts.

    **Arguments:**

    - `network`: its outputs.
    - `x`, `y`: samples and their labels: ±1 for one output, 0, 1, … for several.
    - `most`: radii that need not be exceeded, such as attacked ones.
    - `norm`: in which perturbations are measured.

    **Returns:** radii, at most `most`; 0 where nothing is certified.

    **Source:** theory D10.
    """
    if network.a.shape[1] == 1:
        lead, bias = network.lead(0)
        return relaxed_radii(lead, x, y, most, norm=norm, bias=bias, bias_power=network.bias_power)
    classes = network.classes
    check_finite(x, "`x`")
    check_classes(y, int(classes.max()) + 1)
    check_not_negative(most=most)
    ahead, certified = network.leading(network(x), y), most.astype(np.float64)
    for k in np.unique(ahead).tolist():
        rows = np.flatnonzero(ahead == k)
        for rival in np.flatnonzero(classes != classes[k]).tolist():
            lead, bias = network.lead(k, rival)
            certified[rows] = relaxed_radii(
                lead, x[rows], np.ones(len(rows)), certified[rows], norm=norm, bias=bias,
                bias_power=network.bias_power,
            )  # fmt: skip
    return certified
