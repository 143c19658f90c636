"""No FAILS that was not earned: short flows, large starts, long steps, other centers, few samples.

Every input here is an ordinary small scenario on which a judge could refute nothing.
"""

from dataclasses import replace

import jax
import numpy as np
import pytest
from evidences import altered, as_if, evidence_of

from gflow.flow.trajectory import Reason
from gflow.judges.alignment import judge_alignment
from gflow.judges.catalogue import CATALOGUE, check, check_study
from gflow.judges.conjecture import judge_conjecture
from gflow.judges.far_enough import at_rest, escape_end, escaped, late, left_start, settled
from gflow.judges.finding import Verdict
from gflow.judges.separation import counts_angle
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

SHORT = """
[data]
dimension = 60
subclasses = 4
positive_subclasses = 2
noise = 0.1
samples = 200
test_samples = 0

[network]
width = 40
init_scale = 1e-5
power = 3

[flow]
end_time = 5

[record]
linear = 20
geometric = 20
"""

STEPS = """
[data]
dimension = 20
subclasses = 2
positive_subclasses = 1
noise = 0.1
samples = 40
test_samples = 0

[network]
width = 10
power = 3
init_scale = 1e-3

[flow]
end_time = 1e6

[train]
method = "sgd"
batch = 10
step_size = 1e4

[record]
linear = 10
geometric = 10
"""

OWN_CENTERS = """
[data]
kind = "file"
path = "mine.npz"

[network]
width = 20
power = 3
init_scale = 1e-5

[flow]
end_time = 50

[record]
linear = 10
geometric = 10
"""

EARLY = ("partial-activation", "angle-and-norm", "conjecture-1", "alignment")


def findings_of(evidence, ids):
    with jax.enable_x64(True):
        return {finding.id: finding for finding in check(evidence, ids)}


@pytest.fixture(scope="module", params=[1, 3])
def short(request):
    return evidence_of(SHORT, network__power=request.param)


def test_a_flow_that_ended_before_anything_happened_refutes_nothing(short):
    own = "partial-activation" if short.p == 1 else "angle-and-norm"
    findings = findings_of(short, EARLY)

    for name in (own, "conjecture-1", "alignment"):
        assert findings[name].verdict is Verdict.UNDECIDED, findings[name]
        assert "give `flow.end_time` at least about" in findings[name].opinion.reason
    reason = findings["alignment"].opinion.reason
    assert reason.startswith("Undecided: the flow ended before every output escaped, smallest ")


@pytest.mark.parametrize(
    ("power", "loss"),
    [
        *[(1, "exponential"), (1.5, "half_square"), (3, "exponential")],
        *(
            pytest.param(p, loss, marks=pytest.mark.slow)
            for p, loss in ((1, "half_square"), (1.5, "exponential"), (3, "half_square"))
        ),
    ],
)
def test_the_end_time_that_is_given_is_enough_and_not_far_too_long(power, loss):
    keys = {"network__power": power, "flow__loss": f'"{loss}"'}
    end = escape_end(evidence_of(SHORT, **keys), every=True)
    assert end is not None

    longer = evidence_of(SHORT, **keys, flow__end_time=end)

    assert escaped(longer, every=True).met
    assert not escaped(evidence_of(SHORT, **keys, flow__end_time=end / 1.5), every=True).met


def test_where_no_law_says_no_end_time_is_given():
    short = evidence_of(SHORT)
    plain = as_if(short, "network", normalized=False)

    assert escape_end(plain) is None
    assert escaped(plain).clause.endswith("; give a later `flow.end_time`")
    by_loss = replace(short, outcome=replace(short.outcome, reason=Reason.END_LOSS))
    assert escaped(by_loss).clause.endswith("; give a smaller `flow.end_loss`")


def test_far_enough_is_read_off_the_record(short):
    one = np.arange(4) == 0
    grown = altered(short, center_output=lambda f: np.where(one, 0.6, f))
    lower = altered(short, loss=lambda loss: np.linspace(1, 0.5, len(loss)) * loss[0])

    assert escaped(short).met is left_start(short).met is late(short).met is None
    assert escaped(grown).met is True and escaped(grown, every=True).met is None
    assert left_start(lower).met is True
    assert "0.5 of" not in left_start(short).measured and "still 1 of" in left_start(short).measured


def test_a_value_on_its_way_to_the_bar_is_not_settled(short):
    t = short.times
    # By 0.01 in the last doubling: 3.3 times that ahead.
    rising = 0.9 + 0.01 * np.log2(np.maximum(t, t[-1] / 2) / t[-1])

    assert settled(short, rising, 0.92, "x").met is None
    assert settled(short, rising, 0.94, "x").met is True
    assert settled(short, rising, 0.85, "x").met is True


def test_slow_is_not_at_rest_before_neurons_could_align(short):
    still, last = np.ones(len(short.times)), len(short.times) - 1
    later = replace(short, record=short.record.assign_coords(time=100 * short.times))

    assert at_rest(short, still, last, allowed=0.1).met is None
    assert at_rest(later, still, last, allowed=0.1).met is True
    assert at_rest(later, np.exp(-short.times), last, allowed=0.1).met is None


@pytest.mark.parametrize(
    ("power", "scale"),
    [
        (1, 1e-2),
        (3, 0.5),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1, 0.5), (3, 1e-2))),
    ],
)
def test_a_start_that_is_not_small_is_outside_laws_of_a_vanishing_one(scale, power):
    run = evidence_of(SHORT, network__power=power, network__init_scale=scale, flow__end_time=100)

    for finding in findings_of(run, (*EARLY, "voronoi-rule", "stability", "closed-form")).values():
        assert finding.verdict is Verdict.OUTSIDE, finding


@pytest.mark.parametrize("power", [1, 3])
def test_a_start_too_large_for_directions_to_rest_is_undecided(power):
    run = evidence_of(SHORT, network__power=power, network__init_scale=1e-4, flow__end_time=100)
    name = "partial-activation" if power == 1 else "angle-and-norm"

    opinion = findings_of(run, [name])[name].opinion

    assert opinion.verdict is Verdict.UNDECIDED
    assert "directions still turn" in opinion.reason
    assert opinion.reason.endswith("give a smaller `network.init_scale`.")


def test_steps_that_do_not_follow_the_flow_are_outside():
    run = evidence_of(STEPS)

    for name, finding in findings_of(run, (*EARLY, "voronoi-rule", "stability")).items():
        assert finding.verdict is Verdict.OUTSIDE, finding
        number = CATALOGUE[name].number
        assert finding.opinion.reason.startswith(f"{number} does not apply: it needs ")
    assert "late in quiet growth" in findings_of(run, ["alignment"])["alignment"].opinion.reason


def test_centers_of_other_lengths_are_outside(tmp_path):
    rng = np.random.default_rng(0)
    subclass, length = rng.integers(3, size=60), np.array([2.0, 0.5, 1.3])
    centers = np.diag(length) @ np.eye(3, 20)
    x = centers[subclass] + 0.02 * rng.standard_normal((60, 20))
    y = np.where(subclass < 2, 1, -1)
    np.savez(tmp_path / "mine.npz", X=x, y=y, subclass=subclass, centers=centers)

    evidence = simulate(parse_scenario(OWN_CENTERS, folder=tmp_path)).evidence

    for finding in findings_of(evidence, (*EARLY, "voronoi-rule", "stability")).values():
        assert finding.verdict is Verdict.OUTSIDE, finding
        assert "orthonormal" in finding.opinion.reason


def test_the_bound_on_noise_of_the_relu_laws(short):
    loud = replace(as_if(short, "network", power=1.0), alpha=1.0)

    opinion = findings_of(loud, ["partial-activation"])["partial-activation"].opinion

    assert opinion.verdict is Verdict.OUTSIDE and "needs α <= 0.3" in opinion.reason


def test_unequal_counts_turn_the_average_of_relu_centers():
    # tan of the angle between (2, 1) and (1, 1) is 1/3.
    assert counts_angle(np.array([0.2, 0.1]), 1.0) == pytest.approx(np.arctan(1 / 3))
    assert counts_angle(np.array([0.1, 0.1, 0.1]), 1.5) == pytest.approx(0, abs=1e-7)


@pytest.fixture(scope="module")
def ended():
    return evidence_of(SHORT, flow__end_time=1000)


def test_a_flow_that_got_far_enough_is_refuted_by_what_it_should_not_be(ended):
    away = altered(ended, cosine=lambda c: 0.9 * c)

    assert judge_alignment(ended).verdict is Verdict.HOLDS
    assert judge_alignment(away).verdict is Verdict.FAILS
    # Turned only at the end, it is on its way.
    t = ended.times
    turn = np.interp(t, [0, t[-1] / 2, t[-1]], [0.5, 0.5, 0.98])[:, None, None]
    turning = altered(ended, cosine=lambda c: c * turn)
    assert judge_alignment(turning).verdict is Verdict.UNDECIDED


def test_outputs_that_are_not_alike_yet_do_not_refute_the_conjecture(ended):
    lag = evidence_of(SHORT, flow__end_time=48)

    opinion = judge_conjecture(lag)

    assert opinion.verdict is Verdict.UNDECIDED
    assert opinion.bracket is not None and opinion.bracket[0] > 0.1
    assert "outputs that are not yet alike" in opinion.reason
    assert judge_conjecture(ended).verdict is Verdict.HOLDS


def test_an_empty_cell_is_outside_the_conjecture(ended):
    def emptied(cosine):
        cosine[0, :, 0] = -0.1
        return cosine

    opinion = judge_conjecture(altered(ended, cosine=emptied))

    assert opinion.verdict is Verdict.OUTSIDE
    assert "It needs a neuron of its class in every Voronoi cell" in opinion.reason


def test_selection_waits_for_escape(short):
    other = as_if(short, "network", power=3.0 if short.p == 1 else 1.0)

    (finding,) = check_study([short, other], ["alignment"])

    assert finding.verdict is Verdict.UNDECIDED
