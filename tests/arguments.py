"""Arguments for every public function that takes arrays."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from gflow.data.mixture import orthonormal_centers
from gflow.flow.losses import Exponential
from gflow.laws.rank_one import Field
from gflow.laws.spread import Spread
from gflow.measure.rank_one import ClassWeights
from gflow.network.host_layers import HostLayers
from gflow.network.population import Population
from gflow.network.prelu import Network
from gflow.network.reference import average_target, subclass_target
from gflow.network.vector_population import VectorPopulation
from gflow.random import stream
from gflow.robustness.model_margin import OutputMargin
from gflow.robustness.norm import Norm
from gflow.robustness.subspace import Subspace

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
CLASS = ClassWeights(U0 / 10, np.array([0.06, 0.07, 0.08]))
FIELD = Field(np.eye(3), PI * CENTERS.label, 3.0)
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
    "measure.phases.departure": [dict(times=T, loss=np.exp(-T), share=0.5, degree=3.0)],
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
    "measure.rank_one.kkt_residual": [
        dict(weights=CLASS, x=np.eye(3), pull=PI * CENTERS.label, p=3.0)
    ],
    "measure.rank_one.mass_excess": [dict(log_mass=LOG_MASS)],
    "measure.rank_one.rank_excess": [dict(w=U0)],
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
    "robustness.confined_bound.confined_radii": [
        dict(network=Population.of(network()), within=Subspace.spanned(CENTERS.mu[:2])) | SAMPLES
    ],
    "robustness.line_radius.line_radii": [
        dict(f=Population.of(network()), direction=CENTERS.mu[0]) | SAMPLES
    ],
    "robustness.universal_bound.universal_bound": [
        dict(network=Population.of(network()), x=X[:3], y=np.ones(3), share=0.9,
             certified=np.array([0.1, 0.2, 0.3]))
    ],
    "robustness.universal_attack.universal": [
        dict(network=Population.of(network()), share=0.9, certified=np.full(len(X), 0.1),
             known=-X, seed=0) | SAMPLES
    ],
    "robustness.layers_bound.certified_of_layers": [
        dict(network=HostLayers((CENTERS.mu, np.eye(3)), np.eye(3), np.zeros(3), 2.0), x=X,
             y=np.repeat([0.0, 1.0, 2.0], 2), most=np.full(6, 0.5), norm=Norm.L2),
    ],
    "robustness.outputs_bound.certified_of_outputs": [
        dict(network=VectorPopulation(CENTERS.mu, np.eye(3), np.zeros(3), 3.0, False),
             x=X, y=np.repeat([0.0, 1.0, 2.0], 2), most=np.full(6, 0.5), norm=Norm.L2),
    ],
    "robustness.relaxation.relaxed_radii": [NETWORK | SAMPLES | dict(most=np.full(6, 0.5))],
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
    "laws.cells.alignment_times": [
        dict(u0=np.array([[0.3, 0.2], [0.1, 0.4]]), own=np.ones((2, 2), bool), p=3.0, c=0.9)
    ],
    "laws.cells.cell_shares": [dict(pi=PI, p=3.0)],
    "laws.cells.safe_cosines": [dict(pi=PI, p=3.0)],
    "laws.faint_coordinates.weight_ratio": [dict(pi=PI, label=CENTERS.label)],
    "laws.flips.class_pull": [dict(pull=PI, p=1.0), dict(pull=PI, p=3.0)],
    "laws.flips.force_lost": [dict(z=np.array([0.1, 0.2]), eta=0.2, loss="logistic")],
    "laws.flips.pulls": [dict(pi=PI, eta=PI / 2)],
    "laws.flips.resting_loss": [dict(eta=PI / 2, loss="logistic")],
    "laws.flips.resting_output": [dict(eta=PI / 2, loss="exponential")],
    "laws.forces.force_of": [dict(loss="logistic", y=Y, f=X[:, 0])],
    "laws.hard_margin.hard_margin": [dict(x=np.array([[1.0, 0.2], [0.3, 1.0]]))],
    "laws.jumps.class_weight": [dict(pi=PI, p=1.0), dict(pi=PI, p=3.0)],
    "laws.linear.halved_slope": [dict(beta=PI, kappa=1.0)],
    "measure.residual.residual": [
        dict(y=jnp.array([1.0, -0.5]), f=jnp.array([0.8, 0.1]), omega=jnp.array([0.5, 0.5])),
    ],
    "laws.threshold.two_fits": [dict(x=np.eye(2), y=np.array([1.0, -0.5]))],
    "laws.rank_one.blow_up_times": [dict(start=CLASS, field=FIELD)],
    "laws.rank_one.kkt_exponent": [
        dict(awake=np.full(3, True), field=FIELD._replace(p=2.0, pull=PI))
    ],
    "laws.rank_one.lead": [dict(times=T)],
    "laws.off_manifold.distance_exponent": [dict(lag=PI, p=1.0), dict(lag=PI, p=3.0)],
    "laws.off_manifold.exponent": [dict(lag=PI, p=3.0)],
    "laws.off_manifold.lags": [dict(awake=U0 > 0, pi=PI, p=1.0), dict(awake=U0 > 0, pi=PI, p=3.0)],
    "laws.off_manifold.log_slopes": [
        dict(log_beside=-PI, log_norm_start=LOG_MASS, log_norm=2 * PI, log_mass=PI, p=3.0)
    ],
    "laws.off_manifold.scale_of_arrival": [
        dict(u0=U0[:2], own=np.ones((2, 3), bool), p=p) for p in (1.0, 2.0, 3.0)
    ],
    "laws.residual_rates.decay_rates": [dict(H=np.diag([1.0, 2.0, 3.0]), pi=PI, kappa=1.0)],
    "laws.residual_rates.decayed": [
        dict(residual=PI, H=np.diag([1.0, 2.0, 3.0]), pi=PI, kappa=1.0, t=T)
    ],
    "laws.residual_rates.residual_matrix": [dict(w=U0, v=np.array([0.5, 0.7, -0.4]))],
    "laws.universal.contrast_radii": [dict(m=3 * PI, label=CENTERS.label, p=3.0, sign=1)],
    "laws.universal.universal_vector": [dict(m=3 * PI, label=CENTERS.label, p=3.0, sign=1)],
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
    "robustness.joint_bound.joint_rate", "robustness.joint_bound.rows_of",
    "robustness.radius_bound.gated_radii", "robustness.lines.evenly",
    "robustness.norm.l2_within", "robustness.norm.norm_named",
    "robustness.subspace.register_subspace", "robustness.universal_bound.least_flips",
    "robustness.minimum_norm.rivals", "robustness.ball_attack.random_starts",
    "robustness.square_attack.square_attack", "laws.published_flow.learning_hypotheses",
    "laws.hypothesis.orthonormal_centers",
    # Integrate, or follow jumps of, what their judges have checked.
    "laws.hard_margin.one_direction", "laws.linear.linear_network", "laws.jumps.jump_process",
    "laws.jumps.staircase", "laws.cells.symmetric_starts", "laws.universal.contrast",
    # Parts of the search for shortest flips, whose samples and networks `radii` checks.
    "robustness.lines.first_flips", "robustness.lines.scaled", "robustness.lines.steepest",
    "robustness.norm.library",
    "robustness.lengths.positive_length", "robustness.lengths.relative_to_largest",
    "robustness.model_witness.in_double", "robustness.refinement.refined",
    "robustness.starts.errors", "robustness.starts.in_balls", "robustness.starts.on_rays",
    "robustness.starts.to_errors",
    "robustness.witness.factors_on", "robustness.witness.least_factors",
}  # fmt: skip
