"""Whether a FAILS is one: a random family of small scenarios, and what becomes of every FAILS.

    python tests/benchmarks/honesty.py 300        scenarios 0 to 299, in some hours on two cores
    python tests/benchmarks/honesty.py 20 100     scenarios 100 to 119

Every scenario is drawn from its number.  A FAILS is said to survive if it is said again with ten
times the time, with a tenth of the tolerance, and, where the law is one for ε → 0, with a
thousandth of the initialization scale.  One that does not is a defect of its judge: it was said of
a flow that had not got there.  A network that was stopped by hand is one with less time, whose
outcome says so; it has to end without a FAILS.
"""

import sys
import time
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from gflow.errors import GflowError
from gflow.flow.trajectory import Reason
from gflow.judges.catalogue import CATALOGUE, NUMERICS, check, check_study
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Finding, Verdict
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

ASYMPTOTIC = {
    f"P{i}"
    for i in (5, 6, 8, 9, 10, 11, 12, 17, 18, 22, 23, 24, 26, 27, 28, 30, 31, 32, 39, 43, 44)
}
"""Predictions about ε → 0."""

Keys = dict[str, Any]
"""Values of a scenario by dotted key."""


class Question(NamedTuple):
    """A scenario of the family: one flow, or three that differ in the initialization scale."""

    keys: Keys
    scales: tuple[float, ...]
    stopped: bool
    """Whether it is stopped by hand at its end time."""


class Fate(NamedTuple):
    """A FAILS, and the verdicts when it is asked again."""

    number: int
    """Of the scenario."""
    finding: Finding
    again: dict[str, str]
    """Verdict by remedy."""

    @property
    def survives(self) -> bool:
        """Whether it is said again by each."""
        return set(self.again.values()) <= {Verdict.FAILS.value}

    def __str__(self) -> str:
        fate = "survives" if self.survives else "DEFECT"
        again = ", ".join(f"{name}: {verdict}" for name, verdict in self.again.items())
        opinion = self.finding.opinion
        return (
            f"scenario {self.number}, {self.finding.id}, {fate} ({again})\n"
            f"    {opinion.expected}; {opinion.measured}; {opinion.reason}"
        )


def question(number: int) -> Question:
    """The scenario of a number."""
    rng = np.random.default_rng(number)
    K, p = int(rng.integers(2, 7)), float(rng.choice([1, 1.5, 2, 2.5, 3, 4]))
    loss = str(rng.choice(["exponential", "logistic", "half_square", "square"]))
    samples = K * int(np.exp(rng.uniform(np.log(2), np.log(60))))
    convention = str(rng.choice(["mean", "mean", "sum"]))
    log_eps = float(rng.uniform(np.log(1e-30), np.log(0.5)))
    kind = rng.uniform()
    noise = 0.0 if kind < 0.3 else rng.uniform(0, 0.3) if kind < 0.85 else rng.uniform(0.3, 1)
    # Short and long, in units of about the time of escape; alignment takes D^{p/2-1} besides.
    D = int(rng.integers(10, 61))
    pi = samples / K if convention == "sum" else 1 / K
    kappa = {"exponential": 1.0, "logistic": 0.5, "half_square": 1.0, "square": 2.0}[loss]
    unit = (5 * max(1.0, D ** (p / 2 - 1)) / p - log_eps) / (kappa * pi)
    end = unit * 10 ** rng.uniform(-1.0, 1.5)
    keys: Keys = {
        "seed": number,
        "data.dimension": D,
        "data.subclasses": K,
        "data.positive_subclasses": int(rng.integers(1, K)),
        "data.noise": float(f"{noise:.3g}"),
        "data.samples": samples,
        "data.test_samples": int(rng.choice([0, 200])),
        "network.width": int(rng.integers(6, 61)),
        "network.power": p,
        "flow.loss": loss,
        "flow.convention": convention,
        "flow.end_time": float(f"{end:.3g}"),
        "flow.tolerance": float(rng.choice([1e-3, 1e-3, 1e-4, 1e-6])),
        "robustness.norms": [],
    }
    if rng.uniform() < 0.3 and keys["data.subclasses"] > 2:
        keys["data.imbalance"] = float(rng.integers(2, 5))
    if rng.uniform() < 0.1:
        keys |= {"network.balanced": False, "flow.chart": "lightcone"}
    few = rng.uniform() < 0.25
    ratios = (1.0, 10**-1.5, 1e-3) if few else (1.0,)
    scales = tuple(float(f"{np.exp(log_eps) * ratio:.3g}") for ratio in ratios)
    return Question(keys, scales, bool(rng.uniform() < 0.1))


def judged(asked: Question) -> dict[str, Finding]:
    """Findings about all flows of a question, by the id of the prediction and the flow."""
    runs = [_evidence(asked, scale) for scale in asked.scales]
    with jax.enable_x64(True):
        each = {
            f"{finding.id} of flow {place}": finding
            for place, run in enumerate(runs)
            for finding in check(run, list(CATALOGUE))
        }
        together = check_study(runs, list(CATALOGUE)) if len(runs) > 1 else ()
    return each | {finding.id: finding for finding in together}


def _evidence(asked: Question, scale: float) -> Evidence:
    keys = asked.keys | {"network.init_scale": scale}
    overrides = [f"{key}={_toml(value)}" for key, value in keys.items()]
    evidence = simulate(parse_scenario("", overrides=overrides)).evidence
    if not asked.stopped:
        return evidence
    outcome = replace(evidence.outcome, reason=Reason.INTERRUPTED)
    return replace(evidence, outcome=outcome)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def remedies(asked: Question, finding: Finding) -> dict[str, Question]:
    """What a FAILS has to survive."""
    keys = asked.keys
    later = {"flow.end_time": 10 * keys["flow.end_time"], "flow.max_steps": 200_000}
    finer = {"flow.tolerance": max(keys["flow.tolerance"] / 10, 1e-12), "flow.max_steps": 200_000}
    again = {
        "ten times the time": asked._replace(keys=keys | later),
        "a tenth of the tolerance": asked._replace(keys=keys | finer),
    }
    if CATALOGUE[finding.id].number in ASYMPTOTIC:
        smaller = tuple(1e-3 * scale for scale in asked.scales)
        again["a smaller start"] = asked._replace(scales=smaller)
    return again


def fates(number: int, tally: Counter[str] | None = None) -> list[Fate]:
    """Every FAILS of a scenario, and what becomes of it; verdicts are counted in `tally`."""
    asked = question(number)
    findings = judged(asked)
    if tally is not None:
        tally.update(finding.verdict.value for finding in findings.values())
    # What is about the numerics alone fails at a tolerance, and has that for a cure.
    failures = {
        key: one
        for key, one in findings.items()
        if one.verdict is Verdict.FAILS and CATALOGUE[one.id].number not in NUMERICS
    }
    answers: dict[str, dict[str, Finding]] = {}
    result = []
    for key, finding in failures.items():
        again = {}
        for name, other in remedies(asked, finding).items():
            if name not in answers:
                answers[name] = judged(other)
            there = answers[name].get(key)
            again[name] = there.verdict.value if there else "nothing"
        result.append(Fate(number, finding, again))
    return result


def main(count: int, first: int = 0) -> None:
    """Ask so many scenarios, and print every FAILS and the counts."""
    tally, began = Counter[str](), time.perf_counter()
    for number in range(first, first + count):
        try:
            failures = fates(number, tally)
        except GflowError as error:
            tally["refused"] += 1
            print(f"scenario {number} is refused: {error}", flush=True)
            continue
        tally["scenarios"] += 1
        tally["with a FAILS"] += bool(failures)
        for fate in failures:
            tally["survive" if fate.survives else "DEFECTS"] += 1
            print(fate, flush=True)
    minutes = (time.perf_counter() - began) / 60
    print(f"{dict(tally)} in {minutes:.1f} min")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
