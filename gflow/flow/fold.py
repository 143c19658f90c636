"""When neurons are folded into one, and which.

Widths are padded to few sizes, so that compiling is rare.  No decision here looks at a clock.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gflow.flow.field import FlowState
from gflow.flow.folding import ABSENT, Folding, padded
from gflow.network.folded import folded, groups
from gflow.network.neurons import PolarNeurons
from gflow.network.population import Population

SMALLEST_WIDTH = 16
"""Narrower populations are padded to this width; a step of fewer neurons is no cheaper."""

SHRINK = 2
"""Neurons are folded when that makes the width at least this many times smaller."""

WIDE = 512
"""Wider populations have finer steps of the width and are folded for less, since their steps cost
much more than compiling."""

WIDE_SHRINK = 1.25
"""As `SHRINK`, above `WIDE`."""

LOOSEST = 0.1
"""Largest angle at which a light neuron joins a group, radians."""

HELD_SHARE = 1e-4
"""Held neurons may reach this share of the whole mass, as far as can be foreseen (theory D11)."""

LEADING = 0.8
"""Neurons are held only once each class grows at this share of the largest possible rate, or its
mass has reached 1."""

LATER_GROWTH = 1e3
"""Allowance for what a held neuron could gain on the others while the network fits."""


class Fold(NamedTuple):
    """How neurons are folded."""

    angle: float
    """Neurons within this angle of the heaviest of a group join it, radians, all their folds
    together; those lighter than the mean of their sign within as much more, up to `LOOSEST`, so
    that Σ_j m_j th_j stays below about this angle times Σ_j m_j."""
    hold: bool
    """Whether neurons too light to matter are held where they are."""


class Passage(NamedTuple):
    """A folded flow before and after its last step."""

    before: FlowState
    now: FlowState
    span: float
    """Flow time between them; 0 where no step is known, and then nothing can be held."""


def fold_further(
    folding: Folding, passage: Passage, p: float, fold: Fold
) -> tuple[Folding, FlowState] | None:
    """Fold a state further, if that makes it enough narrower.

    **Arguments:**

    - `folding`: how the state is folded already.
    - `passage`: the folded flow over its last step; shows how fast the classes grow.
    - `p`: power of the activation.
    - `fold`: angle, and whether to hold.

    **Returns:** the new folding and state, or None if nothing is gained.

    **Source:** theory D11.
    """
    state = passage.now
    if folding.width < SHRINK * SMALLEST_WIDTH:
        return None
    # How far each neuron may still turn, less what earlier folds have turned it.
    share = _share_to_hold(passage) if fold.hold else 0.0
    population = Population.of(state.weights.network(p))
    angle = np.maximum(allowance(population, folding.share, fold.angle) - folding.turned, 0)
    # Grouping is cheap; a narrower width that is compiled anew is not, so it has to pay.
    width = _padded_width(int(groups(population, angle, share).max()) + 1)
    if width * (WIDE_SHRINK if folding.width > WIDE else SHRINK) > folding.width:
        return None
    # Fold, pad, and note for every original neuron where it has gone.
    fewer = folded(population, angle, share)
    few = fewer.population
    neurons = padded(few.u, (np.log(few.m) + few.log_scale) / 2, few.s, width)
    further = folding.folded_into(state.weights, fewer.membership, neurons, state.growth)
    return further, state.at(neurons)


def allowance(
    population: Population, share: Float[np.ndarray, " w"], angle: float
) -> Float[np.ndarray, " w"]:
    """How far each neuron may be from its leader, radians."""
    allowed = np.full(len(population.m), angle)
    for s in (1.0, -1.0):
        m, of = population.m[population.s == s], share[population.s == s]
        fair = of * m.sum() / max(of.sum(), np.finfo(float).tiny)
        lighter = np.divide(fair, m, out=np.full(len(m), np.inf), where=m > 0)
        allowed[population.s == s] *= np.maximum(lighter, 1)
    return np.minimum(allowed, max(LOOSEST, angle))


def _padded_width(count: int) -> int:
    """The smallest of 16, 32, 64, ..., 512, 768, 1024, 1536, ... that holds `count` neurons."""
    width = SMALLEST_WIDTH
    while width < count:
        width *= 2
    between = width // 4 * 3
    return between if count <= between and between > WIDE else width


def _share_to_hold(passage: Passage) -> float:
    """Share of the mass whose neurons can be held; 0 while they could still catch up.

    Until the mass M of its class is 1, a held neuron gains at most (bound/rate - 1) log 1/M on the
    others if both rates stay as they are.
    """
    if passage.span == 0:
        return 0.0
    # How fast each class has grown over the last step, and how fast any neuron of it could.
    before, now = _class_log_mass(passage.before.weights), _class_log_mass(passage.now.weights)
    there = now > ABSENT
    rate = (now - before)[there] / passage.span
    bound = np.asarray(passage.now.growth - passage.before.growth)[there] / passage.span
    # A class that has still to grow, and does so slowly, could be overtaken by any of its neurons.
    left = np.maximum(-now[there], 0)
    if ((left > 0) & (rate < LEADING * bound)).any():
        return 0.0
    # What a held neuron can gain until its class fits, and what the lighter class lags behind.
    gain = np.where(left > 0, (bound / np.where(left > 0, rate, 1) - 1) * left, 0)
    lag = now[there].max() - now[there].min()
    return HELD_SHARE / LATER_GROWTH * float(np.exp(-np.maximum(gain, 0).max() - lag))


def _class_log_mass(neurons: PolarNeurons) -> Float[np.ndarray, "2"]:
    """log Σ m_j of the neurons of sign + and -."""
    log_mass, sign = 2 * np.asarray(neurons.log_norm), np.asarray(neurons.sign)
    return np.array(
        [np.logaddexp.reduce(log_mass[sign == s], initial=2 * ABSENT) for s in (1.0, -1.0)]
    )
