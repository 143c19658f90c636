"""The power up to which neurons have chosen their center when the network escapes (theory D27).

One idea: the share of late neurons is known at any alignment time (theory D19), and at escape that
time is p times the growth a neuron needs, log 1/ρ(0).  So each share belongs to one power.
"""

from scipy.optimize import root_scalar

from gflow.laws.cells import late_share
from gflow.laws.reduced import void_share

LEAST, MOST = 2.05, 30.0
"""Powers between which a critical one is looked for."""


def share_at_escape(p: float, growth: float, c: float, *, D: int, K_own: int) -> float:
    """Share of neurons that are neither void nor aligned when the network escapes.

    `late_share` at t̂ = p·growth, which falls like growth^{-1/(p-2)} as ε → 0.

    **Arguments:**

    - `p`, `c`: power > 2, and cosine from which on a neuron counts as aligned.
    - `growth`: log 1/ρ(0), 0 or less if the network has grown at its start; ρ(0) is ε√D for
        Gaussian weights of standard deviation ε.
    - `D`, `K_own`: dimension and number of own centers.

    **Source:** theory D19, D27.
    """
    # What has grown at the start escapes at once.
    return late_share(max(p * growth, 0.0), p, c, D=D, K_own=K_own)


def critical_power(share: float, growth: float, c: float, *, D: int, K_own: int) -> float:
    """The power p̄ at which `share_at_escape` is `share`; 2 or infinity beyond what is looked at.

    Above p̄ more neurons are late.  As growth → ∞, p̄ - 2 grows like log(growth) over the logarithm
    of what the share is short of at growth 1.

    **Arguments:** as `share_at_escape`, and

    - `share`: between 0 and 1 - 2^{-K_own}, the share of neurons that are not void.

    **Raises:** `ValueError` for a share out of this range.

    **Source:** theory D27.
    """
    if not 0 < share < 1 - void_share(K_own):
        raise ValueError(
            f"`share` must lie between 0 and 1 - 2^-K_own = {1 - void_share(K_own):g}, but is "
            f"{share:g}; try 0.1."
        )

    def excess(p: float) -> float:
        return share_at_escape(p, growth, c, D=D, K_own=K_own) - share

    if excess(LEAST) >= 0:
        return 2.0
    if excess(MOST) <= 0:
        return float("inf")
    return float(root_scalar(excess, bracket=(LEAST, MOST)).root)
