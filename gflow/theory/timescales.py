"""How long alignment takes, from theory, so that a record looks where something happens."""

import numpy as np
from scipy.integrate import quad

ALIGNED_COSINE = 0.99


def align_time(u0: float, c: float, p: float) -> float:
    """Alignment time from cosine `u0` to `c` when one coordinate dominates.

    t̂ = ∫ du / (u^{p-1} (1 - u²)) from u0 to c, in units of alignment time p·κ·π·t.

    **Source:** theory D3.
    """
    return quad(lambda u: 1 / (u ** (p - 1) * (1 - u**2)), u0, c, limit=200)[0]


def alignment_end(D: int, K_own: int, p: float, rate: float) -> float:
    """An estimate of the flow time by which neurons from a random start have aligned.

    For p > 2 a neuron starts at the largest of `K_own` cosines of size 1/√D; for p <= 2 the class
    average gathers all of them and the rate gains the factor √K_own^{2-p}.  It places the record's
    times and decides nothing.

    **Arguments:**

    - `D`: input dimension.
    - `K_own`: subclasses of the neuron's class.
    - `p`: power of the activation.
    - `rate`: p·κ·π, alignment time per flow time.

    **Source:** theory D3, D5.
    """
    start = min(np.sqrt(2 * np.log(K_own + 1) / D), 0.5)
    gain = K_own ** (1 - min(p, 2.0) / 2)
    return align_time(start, ALIGNED_COSINE, p) / (gain * rate)
