"""A plain diffrax solve against gflow at the published size, p = 3; as in `plain`, once."""

from pathlib import Path

import plain
from timing import once

import gflow

PRELU = Path(__file__).parents[2] / "scenarios" / "paper-5.1-prelu.toml"


def main() -> None:
    question = gflow.load_scenario(PRELU)
    seconds = {}
    for side, solve in (
        ("gflow", lambda: plain.ours(question)[0]),
        ("plain", lambda: plain.plain(question, 3)),
    ):
        found: list[plain.Answer] = []
        seconds[side] = once(lambda s=solve, f=found: f.append(s()))
        print(f"{side} {seconds[side]:.0f} s, {found[0].steps} steps", flush=True)
    print(f"ratio {seconds['plain'] / seconds['gflow']:.1f}", flush=True)
