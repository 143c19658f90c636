"""A plain diffrax solve against gflow at the published size, p = 3; as in `plain`, once.

There is no tighter reference at this size: what is printed is how far the two sides differ.
"""

from pathlib import Path

import plain
from timing import once

import gflow

PRELU = Path(__file__).parents[2] / "scenarios" / "paper-5.1-prelu.toml"


def main() -> None:
    question = gflow.load_scenario(PRELU)
    seconds, (answer, contributing) = once(lambda: plain.ours(question))
    print(f"gflow {seconds:.0f} s, {answer.steps} steps", flush=True)
    slower, theirs = once(lambda: plain.plain(question, 3))
    print(f"plain {slower:.0f} s, {theirs.steps} steps", flush=True)
    output, angle = plain.errors(theirs, answer, contributing)
    print(f"ratio {slower / seconds:.1f}; they differ by {output:.1e} in output, {angle:.1e} rad")
