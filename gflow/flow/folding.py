"""Which neuron stands for which, so that every original neuron is known at any time.

Neurons of one sign and one direction grow at the same rate for ever, so a group of them is one
neuron, and each member is that neuron times a constant.  A neuron too light to matter is held where
it is, and what it could have become meanwhile is bounded (theory D11).
"""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from gflow.flow.field import FlowState
from gflow.flow.left_out import LeftOut
from gflow.network.geometry import angle_between, largest_singular
from gflow.network.neurons import PolarNeurons
from gflow.network.prelu import lipschitz

ABSENT = -1e9
"""log-norm of a padding neuron."""

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
        h = neurons.width
        return cls(
            home=neurons,
            group=np.arange(h),
            offset=np.zeros(h),
            turned=np.zeros(h),
            spread=np.zeros(h),
            held=np.full(2, -np.inf),
            width=h,
        )

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
        return replace(self.home, direction=jnp.asarray(direction), log_norm=jnp.asarray(log_norm))

    def padding(self) -> PolarNeurons:
        """A population of this width and dimension in which no neuron contributes."""
        D = self.home.direction.shape[1]
        return padded(np.zeros((0, D)), np.zeros(0), np.zeros(0), self.width)

    def arrays(self) -> dict[str, np.ndarray]:
        """The folding as named arrays; `from_arrays` reads them back."""
        home = {f"home_{name}": np.asarray(getattr(self.home, name)) for name in _HOME}
        rest = {name: np.asarray(getattr(self, name)) for name in _REST}
        return {f"folding_{name}": array for name, array in (home | rest).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Folding":
        """The folding that `arrays` came from."""
        home = PolarNeurons(*(jnp.asarray(arrays[f"folding_home_{name}"]) for name in _HOME))
        rest = {name: arrays[f"folding_{name}"] for name in _REST[:-1]}
        return cls(home, **rest, width=int(arrays["folding_width"]))

    def left_out(self, state: FlowState, p: float) -> LeftOut:
        """What folding and holding may have changed, at a state of the folded flow."""
        # Masses relative to the largest one, which may be far below what a float holds.
        log_mass = 2 * np.asarray(state.weights.log_norm)
        top = float(log_mass.max())
        mass = np.exp(log_mass - top)
        total = float(mass.sum())
        # Two bounds on the change by turning: by angles, and by displacements in every direction.
        alike = lipschitz(p) * float(mass @ self.turned) / total
        every_way = p * float(np.sqrt(mass @ self.spread**2 / total))
        # Held neurons may have grown as fast as any neuron could.
        held = np.exp(self.held + np.asarray(state.growth) - top)
        return LeftOut(
            folded=min(alike, every_way),
            held=float(held.sum()) / total,
            neurons=int((self.group < 0).sum()),
        )

    def folded_into(
        self,
        before: PolarNeurons,
        membership: Int[np.ndarray, " w"],
        after: PolarNeurons,
        growth: Float[Array, "2"],
    ) -> "Folding":
        """The folding of the h neurons into `after`, by way of their places in `before`.

        **Arguments:**

        - `before`: the integrated neurons so far.
        - `membership`: index in `after` of each of them; -1 where it is held from now on.
        - `after`: the integrated neurons from now on, padding included.
        - `growth`: bounds on the growth of any log m_j of either sign until now.
        """
        # Members follow their group into the new one; who was held already stays held.
        free = self.group >= 0
        home = self.unfold(before)
        group = np.where(free, membership[self.group], -1)
        now_held = free & (group < 0)
        # From now on each member is its new group times a constant.
        r = np.asarray(after.log_norm)
        offset = np.where(group >= 0, np.asarray(home.log_norm) - r[group], 0.0)
        turned, spread = self._displacement(before, membership, after)
        held = _with_held(self.held, home, now_held, np.asarray(growth))
        return Folding(home, group, offset, turned, spread, held=held, width=len(r))

    def _displacement(
        self, before: PolarNeurons, membership: Int[np.ndarray, " w"], after: PolarNeurons
    ) -> tuple[Float[np.ndarray, " v"], Float[np.ndarray, " v"]]:
        """`turned` and `spread` of the integrated neurons once those in `before` are in `after`."""
        old, new = np.asarray(before.direction), np.asarray(after.direction)
        r_old, r_new = np.asarray(before.log_norm), np.asarray(after.log_norm)
        turned, spread = np.zeros(len(r_new)), np.zeros(len(r_new))
        for a in range(membership.max(initial=-1) + 1):
            # Angles add up, members weighing by their mass; displacements add in root mean square.
            mine = np.flatnonzero(membership == a)
            share = np.exp(2 * (r_old[mine] - r_new[a]))
            target = np.broadcast_to(new[a], (len(mine), new.shape[1]))
            shift = np.sqrt(share)[:, None] * (target - old[mine])
            turned[a] = share @ (self.turned[mine] + angle_between(old[mine], target))
            spread[a] = np.sqrt(share @ self.spread[mine] ** 2) + largest_singular(shift)
        return turned, spread


def padded(
    u: Float[np.ndarray, "q D"],
    log_norm: Float[np.ndarray, " q"],
    sign: Float[np.ndarray, " q"],
    width: int,
) -> PolarNeurons:
    """A population of `width` neurons: these, and neurons that contribute nothing."""
    q, D = u.shape
    more = np.zeros((width - q, D))
    more[:, 0] = 1
    return PolarNeurons(
        jnp.asarray(np.concatenate([u, more])),
        jnp.asarray(np.append(log_norm, np.full(width - q, ABSENT))),
        jnp.asarray(np.append(sign, np.ones(width - q))),
    )


def _with_held(
    held: Float[np.ndarray, "2"],
    home: PolarNeurons,
    now_held: Bool[np.ndarray, " h"],
    growth: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "2"]:
    """`Folding.held` with the neurons that are held from now on."""
    log_mass, sign = 2 * np.asarray(home.log_norm), np.asarray(home.sign)
    more = [
        np.logaddexp.reduce(log_mass[now_held & (sign == s)], initial=-np.inf) for s in (1.0, -1.0)
    ]
    return np.logaddexp(held, np.array(more) - growth)
