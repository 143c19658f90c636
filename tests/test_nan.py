"""Nothing good is said of what is not a number, by any public function that takes arrays.

Where an answer depends on a number, it is nan or 0 if that number is nan, or it is refused.  What
an answer depends on is seen by changing the number a little.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from questions import SMALL

import gflow
from gflow.data.mixture import orthonormal_centers
from gflow.errors import DataError
from gflow.flow.losses import Exponential
from gflow.judges.finding import Verdict
from gflow.laws.hypothesis import Hypothesis, balanced_start, occupied_cells
from gflow.laws.spread import Spread
from gflow.measure.alignment import (
    aligned_share,
    contributing,
    contributing_share,
    first_time_at,
)
from gflow.measure.margin import fit, margins
from gflow.measure.phases import find_phases
from gflow.network.population import Population
from gflow.network.prelu import Network
from gflow.network.reference import average_target, subclass_target
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.random import stream
from gflow.robustness.attack import share_beyond
from gflow.robustness.ball_attack import Lowest
from gflow.robustness.bracket import measure_radii
from gflow.robustness.joint_bound import radii_together
from gflow.robustness.model_margin import OutputMargin
from gflow.robustness.norm import Norm
from gflow.robustness.radius_bound import certified_radii

SILENT = (Verdict.UNDECIDED, Verdict.OUTSIDE)
NUMERICS = {"balancedness", "orthogonal-invariant", "energy-balance"}
"""Predictions about the integrator itself, which FAIL where it did."""

RNG = np.random.default_rng(0)
CENTERS = orthonormal_centers(5, 3, 2, "rotated", rng=stream(0, "centers"))
X = np.repeat(CENTERS.mu, 2, axis=0) + 0.05 * RNG.standard_normal((6, 5))
Y = np.repeat(CENTERS.label.astype(float), 2)
T = np.linspace(0.5, 3.0, 4)
U0 = np.array([[0.6, 0.3, -0.2], [0.2, 0.5, 0.4], [-0.1, 0.2, 0.7]])
SIGN = np.array([1.0, 1.0, -1.0])
PI = np.array([0.3, 0.4, 0.3])
MIXED = jnp.asarray(U0 @ X[:3])
AVERAGE, CUBIC = average_target(CENTERS), subclass_target(CENTERS, 3.0)
COSINE = np.tile(RNG.uniform(0.1, 0.9, (3, 5)), (4, 1, 1))
OUTPUT = np.exp(np.outer(T, [1.0, 0.8, 1.2])) / 20
LOG_MASS = np.log([1.0, 2.0, 3.0])


def network(p=3.0) -> Network:
    u = np.concatenate([CENTERS.mu, CENTERS.mu[:1] + 0.1])
    s = np.append(CENTERS.label.astype(float), 1.0)
    return Network(jnp.asarray(u), jnp.asarray(np.log([1.0, 0.9, 1.1, 0.2])), jnp.asarray(s), p)


class Linear(eqx.Module):
    """A model of many outputs that has no certificate."""

    w: jax.Array

    def __call__(self, x):
        return x @ self.w.astype(x.dtype)


SAMPLES = dict(x=X, y=Y)
NETWORK = dict(network=network())
LAWS = dict(u0=U0, sign=SIGN, label=CENTERS.label.astype(float))
ONE = dict(u0=U0[1] / np.linalg.norm(U0[1]), y=np.array([1.0, 1.0, -1.0]))

EXAMPLES: dict[str, list[dict]] = {
    "measure.alignment.cosines": [dict(directions=jnp.asarray(X), references=MIXED)],
    "measure.alignment.chords": [dict(directions=jnp.asarray(X), references=MIXED)],
    "measure.alignment.mass_share": [dict(log_mass=LOG_MASS)],
    "measure.alignment.contributing_share": [dict(log_mass=LOG_MASS)],
    "measure.alignment.aligned_share": [dict(cosine=COSINE[..., 0] + 0.5, share=PI)],
    "measure.alignment.mean_own_cosines": [
        dict(cosine=COSINE[0], sign=SIGN, label=CENTERS.label, share=PI)
    ],
    "measure.alignment.mean_closest_cosines": [dict(cosine=COSINE[0], K=3, share=PI)],
    "measure.alignment.first_time_at": [dict(level=0.5, times=T, values=OUTPUT[:, 0])],
    "measure.balance.imbalance": [dict(log_norm=LOG_MASS, log_output=LOG_MASS + 0.1)],
    "measure.balance.squared_norm": [
        dict(log_norm=jnp.asarray(LOG_MASS), log_output=jnp.asarray(LOG_MASS))
    ],
    "measure.assignment.norm": [dict(values=X, q=2.0)],
    "measure.certificate.certify": [
        NETWORK | dict(target=CUBIC, c=1.0),
        dict(network=network(1.0), target=AVERAGE, c=1.0),
    ],
    "measure.certificate.certify_best": [NETWORK | dict(target=CUBIC, c=1.0)],
    "measure.certificate.unit_tilt": [dict(u=X[:3], mu=CENTERS.mu)],
    "measure.distance.distance": [NETWORK | dict(target=CUBIC, seed=0)],
    "measure.exchange.least_maximum": [dict(f=np.array([1.0, 2.0]), goal=np.array([1.0, 1.5]))],
    "measure.margin.margins": [
        dict(y=jnp.asarray(Y), f=jnp.asarray(X[:, 0])),
        dict(y=jnp.asarray((Y + 1) / 2), f=jnp.asarray(X[:, :3])),
    ],
    "measure.phases.escape_times": [
        dict(times=T, center_output=OUTPUT, slowing=Exponential().slowing)
    ],
    "measure.phases.find_phases": [
        dict(times=T, aligned_share=T / 3, center_output=OUTPUT, margin_min=T - 2.0,
             slowing=Exponential().slowing)
    ],
    "measure.premise.premise": [
        dict(x=X, subclass=np.repeat(np.arange(3), 2), label=Y, seed=0, clusters=False)
    ],
    "measure.premise.spread": [dict(cosines=X[:, 0])],
    "measure.relu_supremum.relu_supremum": [
        dict(f=Population.of(network(1.0)), goal=Population.of(AVERAGE.network), c=1.0)
    ],
    "measure.stable_rank.stable_rank": [dict(features=jnp.asarray(X))],
    "robustness.attack.attack": [NETWORK | SAMPLES | dict(seed=0)],
    "robustness.attack.share_beyond": [dict(radius=np.array([0.3, 0.6]), R=np.array([0.1, 0.5]))],
    "robustness.bracket.measure_radii": [
        NETWORK | SAMPLES | dict(norms=[Norm.L2], seed=0),
        dict(network=network(1.0), norms=[Norm.L1, Norm.LINF], seed=0) | SAMPLES,
        dict(network=Linear(jnp.asarray(CENTERS.mu.T)), x=X, y=np.repeat([0.0, 1.0, 2.0], 2),
             norms=[Norm.L2], seed=0),
    ],
    "robustness.joint_bound.radii_together": [NETWORK | SAMPLES | dict(rest=0.01)],
    "robustness.minimum_norm.minimum_norm": [
        dict(margin=OutputMargin(network()), norm=Norm.L2, steps=5) | SAMPLES
    ],
    "robustness.minimum_norm.minimum_norm_of_classes": [
        dict(f=Linear(jnp.asarray(CENTERS.mu.T)), x=X, y=np.repeat([0, 1, 2], 2), norm=Norm.L2,
             steps=5)
    ],
    "robustness.published_search.published_accuracy": [
        NETWORK | SAMPLES | dict(R=np.array([0.1]), iterations=2)
    ],
    "robustness.published_search.published_distance": [
        NETWORK | dict(target=CUBIC.network, x=X, seed=0, iterations=2)
    ],
    "robustness.radius.radii": [NETWORK | SAMPLES | dict(seed=0)],
    "robustness.radius_bound.certified_radii": [
        NETWORK | SAMPLES | dict(rest=0.01, norm=norm) for norm in (Norm.L1, Norm.L2)
    ],
    "laws.bayes.bayes_margin": [SAMPLES | dict(centers=CENTERS, tau=0.1)],
    "laws.bayes.bayes_radii": [SAMPLES | dict(centers=CENTERS, tau=0.1)],
    "laws.critical_radii.critical_radii": [
        dict(m=PI, label=CENTERS.label.astype(int), p=p) for p in (1.0, 3.0)
    ],
    "laws.critical_radii.average_accuracy": [dict(R=T / 4, K=3, tau=0.1)],
    "laws.critical_radii.subclass_accuracy": [dict(R=T / 4, K1=2, K2=1, tau=0.1)],
    "laws.critical_radii.average_distance": [SAMPLES | dict(centers=CENTERS)],
    "laws.critical_radii.quadratic_distance": [SAMPLES | dict(centers=CENTERS)],
    "laws.decoupled.log_coordinates": [
        dict(a=np.array([0.6, 0.0, 0.8]), push=np.array([1.0, 0.0, 0.5]), p=p, t_hat=T)
        for p in (1.0, 2.0, 3.0)
    ],
    "laws.decoupled.log_length": [dict(logs=X)],
    "laws.growth.direction_at_growth": [dict(u0=U0, log_growth=LOG_MASS, p=3.0)],
    "laws.hypothesis.gap": [LAWS],
    "laws.hypothesis.own_coordinates": [LAWS],
    "laws.published_flow.separability": [SAMPLES],
    "laws.reduced.aligned": [
        ONE | dict(perp0=0.0, p=p, t_hat=T / 10, weights=PI) for p in (1.0, 3.0)
    ],
    "laws.reduced.blow_up": [ONE | dict(p=3.0, weights=PI)],
    "laws.reduced.limit": [ONE | dict(p=p, weights=PI) for p in (1.0, 2.0)],
    "laws.reduced.conserved": [dict(xi_k=T, xi_l=T + 1, p=3.0, same_class=True)],
    "laws.reduced.capture_time": [dict(u_k=-T, alpha=0.1, D=100, m=2)],
    "laws.spread.mean_force": [dict(z=T, loss=Exponential(), spread=Spread(0.1, 3.0))],
    "laws.spread.half_moment": [dict(u=T, tau=0.1, p=3.0)],
    "laws.spread.rise": [dict(z=T, loss=Exponential(), spread=Spread(0.1, 3.0))],
    "laws.timescales.potential": [dict(z=T, loss="exponential"), dict(z=T / 4, loss="square")],
    "laws.timescales.potential_of_log": [dict(log_z=-T, loss="logistic")],
    "laws.timescales.fit": [dict(z0=0.1, t=T, pi=0.3, loss="exponential")],
    "laws.timescales.fit_log": [dict(log_z0=-3.0, t=T, pi=0.3, loss="half_square")],
    "laws.timescales.escape_time": [dict(t_a=1.0, z_a=T / 9, pi=PI[0], loss="exponential")],
    "laws.timescales.scaled_exponential_integral": [dict(z=T)],
    "laws.timescales.late_output": [dict(t=10 * T, pi=0.3)],
    "laws.timescales.late_loss": [dict(z=OUTPUT, t=T)],
    "laws.timescales.aligned_squared_norm": [dict(z=OUTPUT)],
    "laws.timescales.late_gap": [dict(t=10 * T, K1=2, K2=1, pi=0.3)],
    "laws.timescales.relu_floor": [dict(q_plus=T, q_minus=T + 1, K1=2, K2=1)],
    "laws.timescales.smoothed_margin": [dict(loss_value=T / 9, omega_min=0.1, squared_norm=T)],
}  # fmt: skip

ELSEWHERE = {
    # Counts, words and places, which have tests of their own below.
    "measure.alignment.contributing", "measure.alignment.target", "measure.alignment.to_target",
    "measure.margin.fit", "laws.hypothesis.balanced_start", "laws.hypothesis.occupied_cells",
    "laws.reduced.winner", "robustness.ball_attack.ball_attack",
    # Take nothing but values that are checked when they are made, or by whoever calls them.
    "measure.ascent.ascend", "measure.assignment.assign", "measure.certificate.bounds",
    "measure.certificate.few_relus", "measure.certificate.trivial", "measure.distance.contrast",
    "measure.exchange.exchange", "measure.premise.look", "measure.relu_supremum.enumerable",
    "robustness.bisection.bisected", "robustness.bisection.crossed", "robustness.cast.casts_of",
    "robustness.half_spaces.half_space_radii", "robustness.missing.lasting",
    "robustness.minimum_norm.rivals", "robustness.ball_attack.random_starts",
    "robustness.square_attack.square_attack", "laws.published_flow.learning_hypotheses",
    "laws.hypothesis.orthonormal_centers",
    # Parts of the search for shortest flips, whose samples and networks `radii` checks.
    "robustness.lines.first_flips", "robustness.lines.scaled", "robustness.lines.steepest",
    "robustness.lengths.positive_length", "robustness.lengths.relative_to_largest",
    "robustness.model_witness.in_double", "robustness.refinement.refined",
    "robustness.starts.errors", "robustness.starts.in_balls", "robustness.starts.on_rays",
    "robustness.starts.to_errors",
    "robustness.witness.factors_on", "robustness.witness.least_factors",
}  # fmt: skip


def public_functions():
    """Names and functions of the rooms that measure, attack and know laws, which take arrays."""
    home = Path(gflow.__file__).parent
    for room in ("measure", "robustness", "laws"):
        for path in sorted((home / room).glob("[!_]*.py")):
            module = import_module(f"gflow.{room}.{path.stem}")
            for name, value in vars(module).items():
                home_of = getattr(value, "__module__", None)
                if name.startswith("_") or home_of != module.__name__ or inspect.isclass(value):
                    continue
                words = str(inspect.signature(value)) if callable(value) else ""
                if any(
                    w in words for w in ("ndarray", "Array", "Network", "Population", "Centers")
                ):
                    yield f"{room}.{path.stem}.{name}", value


FUNCTIONS = dict(public_functions())


def test_every_public_function_that_takes_arrays_is_tried():
    assert set(FUNCTIONS) - set(EXAMPLES) - ELSEWHERE == set()


@dataclass
class Place:
    """One number within the arguments of a function."""

    path: str
    value: float
    put: Callable[[float], dict]


def places(arguments):
    """Numbers of all arrays and real arguments, two of each."""
    for name, value in arguments.items():
        if name == "p":
            continue
        for path, number, put in inside(value):
            yield Place(
                f"{name}{path}", number, lambda v, put=put, name=name: arguments | {name: put(v)}
            )


def inside(value):
    """Paths to numbers in a value, the numbers, and how others are put there."""
    if isinstance(value, float):
        yield "", value, lambda v: v
    elif isinstance(value, np.ndarray | jax.Array) and value.dtype.kind == "f" and value.size:
        for at in {0, value.size // 2}:
            where = np.unravel_index(at, value.shape)

            def put(v, value=value, where=where):
                changed = np.array(value)
                changed[where] = v
                return changed if isinstance(value, np.ndarray) else jnp.asarray(changed)

            yield str(list(map(int, where))), float(value[where]), put
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if field.name in ("p", "loss", "kind", "origin"):
                continue
            for path, number, put in inside(getattr(value, field.name)):

                def set_field(v, put=put, name=field.name, value=value):
                    return replace(value, **{name: put(v)})

                yield f".{field.name}{path}", number, set_field


def numbers(result):
    """All numbers of a result, one array for each of its parts."""
    if result is None or isinstance(result, str):
        return []
    if isinstance(result, float | bool | np.ndarray | np.generic | jax.Array):
        return [np.asarray(result, float)]
    if isinstance(result, int):
        return []
    if is_dataclass(result):
        return [a for f in fields(result) for a in numbers(getattr(result, f.name))]
    values = result.values() if isinstance(result, dict) else result
    return [a for value in values for a in numbers(value)]


def answer(function, place, value):
    """The numbers that a function gives; None if it refuses."""
    try:
        with np.errstate(all="ignore"):
            return numbers(function(**place.put(value)))
    except (DataError, ValueError):
        return None


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_answer_that_depends_on_a_number_is_none_where_that_is_nan(name):
    for arguments in EXAMPLES[name]:
        some = list(places(arguments))
        assert some
        for place in some:
            bad = answer(FUNCTIONS[name], place, np.nan)
            if bad is None:
                continue
            base = answer(FUNCTIONS[name], place, place.value)
            sign = abs(place.value) == 1
            other = answer(
                FUNCTIONS[name], place, -place.value if sign else 0.97 * place.value + 1e-3
            )
            for i, (a, b) in enumerate(zip(bad, base, strict=True)):
                depends = np.ones(b.shape, bool) if other is None else ~((b == other[i]) | (b != b))
                said = depends & ~np.isnan(a) & (a != 0)
                assert not said.any(), (place.path, i, a[said], b[said])


def test_margins_of_nan_are_wrong_however_they_are_counted():
    margin = jnp.array([1.0, jnp.nan, 2.0, 3.0])

    quality = fit(ScaledOutputs.plain(margin), jnp.ones(4))

    assert float(quality.accuracy) == 0.75
    assert np.isnan(quality.margin_min) and np.isnan(quality.margin_mean)
    np.testing.assert_allclose(
        share_beyond(np.array([np.nan, np.nan, 0.4]), np.array([0.0, 0.3, 0.5])), [1 / 3, 1 / 3, 0]
    )


def test_labels_that_no_output_has_are_wrong():
    f = -jnp.ones((3, 2))  # all other outputs are negative

    assert np.isnan(margins(jnp.array([np.nan, 2.0, -1.0]), f)).all()


def test_a_model_that_gives_no_number_is_wrong_there_and_not_robust():
    class Torn(eqx.Module):
        w: jax.Array

        def __call__(self, x):
            z = x @ self.w.astype(x.dtype)
            return jnp.where(x[:, 0] > 0.5, jnp.nan, z)

    x = np.array([[1.0, 1.0], [0.25, 1.0], [0.25, 1.0]])
    y = np.array([1.0, 1.0, -1.0])

    bracket = measure_radii(Torn(jnp.array([0.0, 1.0])), x, y, [Norm.L2], seed=0).radii[Norm.L2]

    # Wrong at once, a quarter from where there is no number, wrong by its sign.
    assert bracket.attacked[0] == 0 and bracket.attacked[2] == 0
    assert bracket.certified.tolist() == [0, 0, 0]


def test_a_margin_of_nan_is_the_lowest_that_an_attack_finds():
    known, none = (Lowest(jnp.ones((1, 1)), jnp.array([m])) for m in (-1.0, jnp.nan))

    for one, other in ((known, none), (none, known), (none, none)):
        assert np.isnan(one.or_lower(other).margin[0])


def test_neurons_of_nan_contribute_nothing_and_reach_nothing():
    log_mass = np.array([0.0, np.nan, -1.0])

    assert not contributing(log_mass).any()
    assert np.isnan(aligned_share(np.ones((4, 3)), contributing_share(log_mass))).all()
    assert np.isnan(first_time_at(0.5, T, np.array([np.nan, 0.1, 0.2, 0.3])))
    for late in (OUTPUT * np.nan, OUTPUT):
        phases = find_phases(T, T * np.nan, late, T * np.nan, slowing=Exponential().slowing)
        assert np.isnan(phases.aligned) and np.isnan(phases.fitted)


def test_no_hypothesis_is_met_by_nan():
    torn = np.array([0.0, np.nan])

    assert balanced_start(torn, np.zeros(2)).met is None
    assert occupied_cells(np.full((3, 3), np.nan), SIGN, CENTERS.label.astype(float)).met is False
    assert Hypothesis.that("what", np.nan, "<=", 1.0).met is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(s=np.array([1.0, np.nan])), "`s` must be +1 or -1, but s[1] is nan"),
        (dict(s=np.array([1.0, 0.0])), "`s` must be +1 or -1, but s[1] is 0"),
        (dict(m=np.array([1.0, -0.5])), "`m` must be finite and not negative, but m[1] is -0.5"),
        (dict(m=np.array([np.inf, 0.5])), "`m` must be finite and not negative, but m[0] is inf"),
        (dict(u=np.array([[1.0, 0.0], [np.nan, 1.0]])), "`u` must be finite, but u[1, 0] is nan"),
        (dict(p=0.5), "`p` must be finite and at least 1"),
    ],
)
def test_a_population_of_no_numbers_cannot_be_made(change, words):
    whole = dict(u=np.eye(2), m=np.ones(2), s=np.array([1.0, -1.0]), p=3.0, log_scale=0.0)

    with pytest.raises(DataError) as caught:
        Population(**whole | change)

    assert words in str(caught.value)


@pytest.mark.parametrize("rest", [-0.1, np.nan, np.inf])
def test_no_certificate_rests_on_a_remainder_that_is_none(rest):
    for certified in (certified_radii, radii_together):
        with pytest.raises(DataError, match="`rest` must be finite and not negative"):
            certified(network(), X, Y, rest)


def test_a_flow_of_nan_ends_at_once_or_is_refused():
    def loss(f, y):
        return (f[:, 0] - y) ** 2

    with pytest.raises(DataError, match="inputs must be finite, but row 1 is not"):
        gflow.flow_of(Linear(jnp.ones((5, 1))), loss, (np.where(X[1] == X, np.nan, X), Y), [1.0])
    flow = gflow.flow_of(Linear(jnp.full((5, 1), jnp.nan)), loss, (X, Y), [1.0])
    assert not flow.outcome.complete and np.isnan(flow.loss).all()


@pytest.mark.slow
def test_nothing_is_judged_of_a_record_of_nan():
    run = gflow.simulate(gflow.parse_scenario(SMALL))
    for name in ("loss", "accuracy", "dissipated", "center_output", "margin_min", "log_norm"):
        torn = run.record.copy(deep=True)
        torn[name][-1] = np.nan

        findings = gflow.check(replace(run, evidence=replace(run.evidence, record=torn)))

        said = {f.id for f in findings if f.opinion.verdict not in SILENT}
        assert said <= NUMERICS, name
