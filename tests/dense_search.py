"""The shortest flips of two-layer networks of few dimensions by search alone: an oracle.

Along a ray a piecewise polynomial is looked at where neurons fall asleep or wake and at 48 places
in between, so its first sign change is searched, not only bisected.  The best rays are then tried
again from nearby.
"""

from dataclasses import dataclass

import numpy as np

SIZES = {
    "l1": lambda delta: np.abs(delta).sum(axis=-1),
    "l2": lambda delta: np.linalg.norm(delta, axis=-1),
    "linf": lambda delta: np.abs(delta).max(axis=-1),
}


@dataclass(frozen=True)
class Example:
    """A random network Σ_j s_j σ(<w_j, x>)^p, and inputs with the signs it gives them."""

    u: np.ndarray
    m: np.ndarray
    s: np.ndarray
    p: float
    x: np.ndarray
    y: np.ndarray

    @property
    def w(self):
        return self.m[:, None] ** (1 / self.p) * self.u

    def sign(self, z):
        """A number of the sign of f, from <w_j, x>."""
        z = np.maximum(z, 0)
        top = z.max(axis=-1, keepdims=True)
        return (z / np.where(top > 0, top, 1)) ** self.p @ self.s


def example(seed, n=3):
    """Two to twelve neurons in two to five dimensions; in half of them one class dominates."""
    rng = np.random.default_rng(seed)
    D, h, p = int(rng.integers(2, 6)), int(rng.integers(2, 13)), [1.0, 1.5, 2.0, 3.0][seed % 4]
    u = rng.standard_normal((h, D))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    s = np.where(rng.random(h) < 0.5, 1.0, -1.0)
    s[:2] = 1, -1
    m = rng.lognormal(size=h)
    m[s > 0] *= rng.choice([1, 10])
    x = rng.standard_normal((n, D))
    f = Example(u, m, s, p, x, np.ones(n))
    return Example(u, m, s, p, x, np.where(f.sign(x @ f.w.T) > 0, 1.0, -1.0))


def shortest_flips(f, i, seed=0, *, rays=800, rounds=4, near=150):
    """The shortest flip of input i that was found in each norm; f(0) = 0 is one."""
    rng, x = np.random.default_rng(seed), f.x[i]
    D = len(x)
    corners = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * D), axis=-1).reshape(-1, D)
    ways = [rng.standard_normal((rays, D)), corners[np.abs(corners).sum(axis=1) > 0], f.w, -f.w]
    flips = _first_flips(f, i, np.concatenate(ways))

    shortest = {}
    for norm, size in SIZES.items():
        best = np.concatenate([flips, -x[None]])
        for k in range(rounds + 1):
            best = best[np.argsort(size(best))[:8]]
            if k < rounds:
                turn = 0.4 * 0.35**k * rng.standard_normal((near, D))
                ways = best / np.linalg.norm(best, axis=1, keepdims=True)
                some = rng.random((near, D)) < 0.6
                ways = ways[rng.integers(len(best), size=near)] + np.where(some, turn, 0.0)
                best = np.concatenate([best, _first_flips(f, i, ways)])
        shortest[norm] = float(size(best[0]))
    return shortest


def _first_flips(f, i, ways):
    """The first flip along each direction, of those that flip within the size of the input."""
    x, y, w = f.x[i], f.y[i], f.w
    ways = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    longest, z, dz = np.abs(x).sum(), w @ x, ways @ w.T

    # Places to look at: where a neuron changes, just beyond, and evenly in between.
    with np.errstate(divide="ignore"):
        kinks = -z / dz
    kinks = np.where((kinks > 0) & (kinks < longest), kinks, longest)
    even = np.broadcast_to(np.linspace(0, longest, 49)[1:], (len(ways), 48))
    t = np.sort(np.concatenate([even, kinks, kinks * (1 + 1e-9)], axis=1), axis=1)
    wrong = y * f.sign(z + t[..., None] * dz[:, None]) <= 0

    # The first of them that is wrong, bisected.
    flips = wrong.any(axis=1)
    t, first, dz = t[flips], wrong[flips].argmax(axis=1), dz[flips]
    every = np.arange(len(t))
    high, low = t[every, first], np.where(first > 0, t[every, np.maximum(first - 1, 0)], 0.0)
    for _ in range(40):
        middle = (low + high) / 2
        bad = y * f.sign(z + middle[:, None] * dz) <= 0
        low, high = np.where(bad, low, middle), np.where(bad, middle, high)
    return high[:, None] * ways[flips]
