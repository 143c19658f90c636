"""When neurons are integrated as one, and what that leaves out.

One idea: neurons of one sign and one direction grow at the same rate for ever, so a group of them
is one neuron, and each member is that neuron times a constant.  A neuron too light to matter is
held where it is, and what it could have become meanwhile is bounded (theory D11).  A `Folding` is
the value that remembers which neuron is where, so that every original neuron can be told at any
time; it also sums up what was left out.

Widths are padded to few sizes, so that compiling is rare.  No decision here looks at a clock.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import eigvalsh

from gflow.flow.field import FlowState, PolarField, Reach, Samples
from gflow.network.condense import (
    Population,
    angle_between,
    condense,
    groups,
    largest_singular,
)
from gflow.network.neurons import PolarNeurons
from gflow.network.prelu import lipschitz

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

ABSENT = -1e9
"""log-norm of a padding neuron."""


class Coalescence(NamedTuple):
    """How neurons are folded."""

    angle: float
    """Neurons within this angle of the heaviest of a group join it, radians, all their folds
    together; those lighter than the mean of their sign within as much more, up to `LOOSEST`, so
    that Σ_j m_j th_j stays below about this angle times Σ_j m_j."""
    hold: bool
    """Whether neurons too light to matter are held where they are."""


_HOME = ("direction", "log_norm", "sign")
_REST = ("group", "offset", "turned", "spread", "held", "width")


@dataclass(frozen=True)
class Folding:
    """Which neuron stands for which, and what that leaves out."""

    home: PolarNeurons
    """The h original neurons, each as it was when it was folded or held last."""
    group: Int[np.ndarray, " h"]
    """Index of the integrated neuron each belongs to; -1 where it is held."""
    offset: Float[np.ndarray, " h"]
    """log ‖w_j‖ less that of its integrated neuron, constant from then on."""
    turned: Float[np.ndarray, " w"]
    """Angle by which folding has turned the members of each integrated neuron, summed over folds,
    their mean by mass, radians."""
    spread: Float[np.ndarray, " w"]
    """Upper bound on √(Σ_j m_j <d_j, x>²/Σ_j m_j) over unit x, d_j how far a member was moved."""
    held: Float[np.ndarray, "2"]
    """log Σ m_j e^{-growth} over the held neurons of sign + and -: their mass at growth 0."""
    width: int
    """Neurons integrated, padding included."""

    @classmethod
    def none(cls, neurons: PolarNeurons) -> "Folding":
        """Every neuron by itself."""
        h = neurons.log_norm.shape[0]
        nothing = np.zeros(h)
        return cls(neurons, np.arange(h), nothing, nothing, nothing, np.full(2, -np.inf), h)

    @property
    def is_none(self) -> bool:
        """Whether every neuron is integrated by itself."""
        return self.width == len(self.group) and not self.turned.any()

    @property
    def share(self) -> Float[np.ndarray, " w"]:
        """How many neurons each integrated one stands for, over h."""
        count = np.bincount(self.group[self.group >= 0], minlength=self.width)
        return count / len(self.group)

    def unfold(self, neurons: PolarNeurons) -> PolarNeurons:
        """All h neurons: members as their group, held ones where they were held."""
        if self.is_none:
            return neurons
        u, r = (np.asarray(a) for a in (neurons.direction, neurons.log_norm))
        free = self.group >= 0
        direction, log_norm = np.array(self.home.direction), np.array(self.home.log_norm)
        direction[free] = u[self.group[free]]
        log_norm[free] = r[self.group[free]] + self.offset[free]
        return PolarNeurons(jnp.asarray(direction), jnp.asarray(log_norm), self.home.sign)

    def padding(self, like: PolarNeurons) -> PolarNeurons:
        """A population of this width and dimension in which no neuron contributes."""
        nobody = np.zeros((0, like.direction.shape[1])), np.zeros(0), np.zeros(0)
        return _filled_up(*nobody, self.width)

    def arrays(self) -> dict[str, np.ndarray]:
        """The folding as named arrays; `from_arrays` reads them back."""
        home = {f"home_{name}": np.asarray(getattr(self.home, name)) for name in _HOME}
        rest = {name: np.asarray(getattr(self, name)) for name in _REST}
        return {f"folding_{name}": array for name, array in (home | rest).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Folding":
        """Read back what `arrays` gave."""
        home = PolarNeurons(*(jnp.asarray(arrays[f"folding_home_{name}"]) for name in _HOME))
        group, offset, turned, spread, held, width = (arrays[f"folding_{name}"] for name in _REST)
        return cls(home, group, offset, turned, spread, held, int(width))

    def left_out(self, state: FlowState, p: float) -> "LeftOut":
        """What folding and holding may have changed, at a state of the folded flow."""
        assert isinstance(state.weights, PolarNeurons)
        log_mass = 2 * np.asarray(state.weights.log_norm)
        top = float(log_mass.max())
        mass = np.exp(log_mass - top)
        held = np.exp(self.held + np.asarray(state.growth) - top)
        total = float(mass.sum())
        alike = lipschitz(p) * float(mass @ self.turned) / total
        every_way = p * float(np.sqrt(mass @ self.spread**2 / total))
        return LeftOut(
            merged=min(alike, every_way),
            held=float(held.sum()) / total,
            neurons=int((self.group < 0).sum()),
        )


@dataclass(frozen=True)
class LeftOut:
    """Upper bounds on what coalescing changed of f on the unit ball, as shares of Σ_j m_j."""

    merged: float
    """What turning neurons into groups changes; it bounds the turning itself, and later differences
    as long as the directions of a group contract alike (theory D11)."""
    held: float
    """Mass that the held neurons could have reached by now, over Σ m_j."""
    neurons: int
    """Number of held neurons."""

    @property
    def total(self) -> float:
        """Both together."""
        return self.merged + self.held

    def plus(self, tail: "LeftOut", growth: float) -> "LeftOut":
        """What a flow and its continuation left out.

        A neuron held before may be off by its whole bound, which goes on growing with it.

        **Arguments:**

        - `tail`: of the continuation.
        - `growth`: at most this much any log m_j grew in it.
        """
        held = self.held * float(np.exp(growth)) + tail.held
        return LeftOut(self.merged + tail.merged, held, max(self.neurons, tail.neurons))

    def __str__(self) -> str:
        return f"merging <= {self.merged:.1e}, {self.neurons} held <= {self.held:.1e} of the mass"


NOTHING_LEFT_OUT = LeftOut(0.0, 0.0, 0)


def reach_of(samples: Samples) -> Reach:
    """The constants that bound how fast any neuron can grow on these samples.

    **Source:** theory D11.
    """
    D = samples.x.shape[-1]
    x = np.asarray(samples.x).reshape(-1, D)
    y, omega = (np.asarray(a).reshape(-1) for a in (samples.y, samples.omega))
    spectral = [_largest_eigenvalue(x[mine], omega[mine]) for mine in (y > 0, y < 0)]
    radius = float(np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64).max()))
    return Reach(jnp.asarray(spectral), jnp.asarray(radius))


def _largest_eigenvalue(x, omega):
    """Of Σ ω_i x_i x_iᵀ, by the smaller of its two Gram matrices."""
    rows = x.astype(np.float64) * np.sqrt(omega)[:, None]
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    last = len(gram) - 1
    return float(eigvalsh(gram, subset_by_index=[last, last])[0]) if len(gram) else 0.0


class Passage(NamedTuple):
    """A folded flow before and after its last step."""

    before: FlowState
    now: FlowState
    span: float
    """Flow time between them; 0 where no step is known, and then nothing can be held."""


def fold(
    folding: Folding, passage: Passage, field: PolarField, how: Coalescence
) -> tuple[Folding, FlowState] | None:
    """Fold a state further, if that makes it enough narrower.

    **Arguments:**

    - `folding`: how the state is folded already.
    - `passage`: the folded flow over its last step; tells how fast the classes grow.
    - `field`: the power p.
    - `how`: angle, and whether to hold.

    **Returns:** the new folding and state, or None if nothing is gained.

    **Source:** theory D11.
    """
    state = passage.now
    assert isinstance(state.weights, PolarNeurons)
    if folding.width < SHRINK * SMALLEST_WIDTH:
        return None
    share = _share_to_hold(passage) if how.hold else 0.0
    population = Population.of(state.weights.network(field.p))
    angle = np.maximum(allowance(population, folding.share, how.angle) - folding.turned, 0)
    width = _padded(int(groups(population, angle, share).max()) + 1)
    if width * (WIDE_SHRINK if folding.width > WIDE else SHRINK) > folding.width:
        return None
    found = condense(population, angle, share)
    few = found.population
    kept = _filled_up(few.u, (np.log(few.m) + few.log_scale) / 2, few.s, width)
    return (
        _compose(folding, state.weights, state.growth, found.membership, kept),
        FlowState(kept, state.dissipated, state.growth),
    )


def allowance(population: Population, share, angle: float) -> Float[np.ndarray, " w"]:
    """How far each neuron may be from its leader, radians."""
    allowed = np.full(len(population.m), angle)
    for s in (1.0, -1.0):
        m, of = population.m[population.s == s], share[population.s == s]
        fair = of * m.sum() / max(of.sum(), np.finfo(float).tiny)
        lighter = np.divide(fair, m, out=np.full(len(m), np.inf), where=m > 0)
        allowed[population.s == s] *= np.maximum(lighter, 1)
    return np.minimum(allowed, max(LOOSEST, angle))


def _padded(count: int) -> int:
    """The smallest of 16, 32, 64, ..., 512, 768, 1024, 1536, ... that holds `count` neurons."""
    width = SMALLEST_WIDTH
    while width < count:
        width *= 2
    between = width // 4 * 3
    return between if count <= between and between > WIDE else width


def _filled_up(u, log_norm, sign, width: int) -> PolarNeurons:
    """A population with neurons added that contribute nothing."""
    q, D = u.shape
    more = np.zeros((width - q, D))
    more[:, 0] = 1
    return PolarNeurons(
        jnp.asarray(np.concatenate([u, more])),
        jnp.asarray(np.append(log_norm, np.full(width - q, ABSENT))),
        jnp.asarray(np.append(sign, np.ones(width - q))),
    )


def _compose(folding, before, growth, membership, after):
    """The folding of h neurons into `after`, by way of their places in `before`."""
    free = folding.group >= 0
    home = folding.unfold(before)
    group = np.where(free, membership[folding.group], -1)
    now_held = free & (group < 0)
    r = np.asarray(after.log_norm)
    offset = np.where(group >= 0, np.asarray(home.log_norm) - r[group], 0.0)
    turned, spread = _displacement(folding, before, membership, after)
    held = _with_held(folding.held, home, now_held, np.asarray(growth))
    return replace(
        folding, home=home, group=group, offset=offset, turned=turned, spread=spread, held=held,
        width=len(r),
    )  # fmt: skip


def _displacement(folding, before, membership, after):
    """`turned` and `spread` of the integrated neurons once those in `before` are in `after`."""
    old, new = np.asarray(before.direction), np.asarray(after.direction)
    r_old, r_new = np.asarray(before.log_norm), np.asarray(after.log_norm)
    turned, spread = np.zeros(len(r_new)), np.zeros(len(r_new))
    for a in range(membership.max(initial=-1) + 1):
        mine = np.flatnonzero(membership == a)
        share = np.exp(2 * (r_old[mine] - r_new[a]))
        target = np.broadcast_to(new[a], (len(mine), new.shape[1]))
        shift = np.sqrt(share)[:, None] * (target - old[mine])
        turned[a] = share @ (folding.turned[mine] + angle_between(old[mine], target))
        spread[a] = np.sqrt(share @ folding.spread[mine] ** 2) + largest_singular(shift)
    return turned, spread


def _with_held(held, home, now_held: Bool[np.ndarray, " h"], growth):
    log_mass, sign = 2 * np.asarray(home.log_norm), np.asarray(home.sign)
    more = [
        np.logaddexp.reduce(log_mass[now_held & (sign == s)], initial=-np.inf) for s in (1.0, -1.0)
    ]
    return np.logaddexp(held, np.array(more) - growth)


def _share_to_hold(passage: Passage) -> float:
    """Share of the mass whose neurons can be held; 0 while they could still catch up.

    Until the mass M of its class is 1, a held neuron gains at most (bound/rate - 1) log 1/M on the
    others if both rates stay as they are.
    """
    if passage.span == 0:
        return 0.0
    before, now = _class_log_mass(passage.before.weights), _class_log_mass(passage.now.weights)
    there = now > ABSENT
    rate = (now - before)[there] / passage.span
    bound = np.asarray(passage.now.growth - passage.before.growth)[there] / passage.span
    left = np.maximum(-now[there], 0)
    if ((left > 0) & (rate < LEADING * bound)).any():
        return 0.0
    gain = np.where(left > 0, (bound / np.where(left > 0, rate, 1) - 1) * left, 0)
    lag = now[there].max() - now[there].min()
    return HELD_SHARE / LATER_GROWTH * float(np.exp(-np.maximum(gain, 0).max() - lag))


def _class_log_mass(neurons) -> Float[np.ndarray, "2"]:
    """log Σ m_j of the neurons of sign + and -."""
    log_mass, sign = 2 * np.asarray(neurons.log_norm), np.asarray(neurons.sign)
    return np.array(
        [np.logaddexp.reduce(log_mass[sign == s], initial=2 * ABSENT) for s in (1.0, -1.0)]
    )
