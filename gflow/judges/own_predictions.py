"""A user's own predictions, from a Python file of theirs.

A prediction is a value, so a file that makes some is all there is to write:

    from gflow.judges.finding import Opinion, Verdict
    from gflow.judges.prediction import Prediction

    def judge(evidence):
        loss = float(evidence.record["loss"][-1])
        verdict = Verdict.HOLDS if loss <= 1e-3 else Verdict.FAILS
        return Opinion(verdict, "loss <= 1e-3", f"{loss:.1e}", "At the end of the flow.")

    PREDICTIONS = [Prediction("small-loss", "mine", "The loss gets small.", "me", judge=judge)]
"""

from dataclasses import replace
from pathlib import Path

from gflow.judges.catalogue import CATALOGUE
from gflow.judges.prediction import Prediction
from gflow.plugin import load_value, refused, traced


def load_predictions(path: Path) -> tuple[Prediction, ...]:
    """The predictions of a file; its code is run.

    **Arguments:**

    - `path`: a Python file that defines `PREDICTIONS`, a list of `Prediction`.

    **Raises:** `ScenarioError` naming what is wrong with the file.
    """
    what = "a list of `gflow.judges.prediction.Prediction`"
    predictions = load_value(path, "PREDICTIONS", what)
    if not isinstance(predictions, list | tuple) or not all(
        isinstance(p, Prediction) for p in predictions
    ):
        raise refused(path, f"must define `PREDICTIONS`, {what}, but does not; add it")
    if taken := [one.id for one in predictions if one.id in CATALOGUE]:
        raise refused(
            path, f"must not reuse ids of gflow, but has {', '.join(taken)}; choose others"
        )
    return tuple(
        replace(
            one,
            judge=one.judge and traced(one.judge, path),
            judge_study=one.judge_study and traced(one.judge_study, path),
        )
        for one in predictions
    )
