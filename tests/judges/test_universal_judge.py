"""The judge of universal vectors, on networks that have learned what theory says."""

import pytest
from evidences import altered, evidence_of

from gflow.judges.finding import Verdict
from gflow.judges.universal import judge_universal

MIXTURE = """
[data]
dimension = 20
subclasses = 5
positive_subclasses = 3
noise = 0.05
samples = 100
test_samples = 200

[network]
width = 40
power = 3
init_scale = 1e-8

[flow]
end_time = 4000
"""


@pytest.fixture(scope="module", params=[1, 3])
def late(request):
    return evidence_of(MIXTURE, network__power=request.param)


def test_samples_fall_where_the_law_says(late):
    opinion = judge_universal(late)

    assert opinion.verdict is Verdict.HOLDS, opinion
    assert ("shortest for all" in opinion.measured) == (late.p == 3)


def test_other_outputs_at_the_centers_fail(late):
    def unlike(output):
        output = output.copy()
        output[:, :3] *= 1.5**late.p  # radii along d0 are then off by a tenth and more
        return output

    assert judge_universal(altered(late, center_output=unlike)).verdict is Verdict.FAILS


def test_too_few_samples_much_noise_and_an_early_end_are_not_judged():
    few = judge_universal(evidence_of(MIXTURE, data__test_samples=20))
    none = judge_universal(evidence_of(MIXTURE, data__test_samples=0))
    noisy = judge_universal(evidence_of(MIXTURE, data__noise=0.3))
    early = judge_universal(evidence_of(MIXTURE, flow__end_time=30))

    assert few.verdict is Verdict.OUTSIDE and "50 test samples" in few.reason
    assert none.verdict is Verdict.OUTSIDE
    assert noisy.verdict is Verdict.OUTSIDE and "τ√K" in noisy.reason
    assert early.verdict in (Verdict.UNDECIDED, Verdict.OUTSIDE)
