"""A user's own predictions, from a Python file of theirs.

One idea: a prediction is a value, so a file that makes some is all there is to write:

    from gflow.theory.finding import Opinion, Verdict
    from gflow.theory.prediction import Prediction

    def judge(evidence):
        loss = float(evidence.record["loss"][-1])
        verdict = Verdict.HOLDS if loss <= 1e-3 else Verdict.FAILS
        return Opinion(verdict, "loss <= 1e-3", f"{loss:.1e}", "At the end of the flow.")

    PREDICTIONS = [Prediction("small-loss", "mine", "The loss gets small.", "me", judge=judge)]
"""

import importlib.util
from pathlib import Path

from gflow.errors import ScenarioError
from gflow.theory.prediction import Prediction
from gflow.theory.predictions import CATALOGUE


def load_predictions(path: Path) -> tuple[Prediction, ...]:
    """The predictions of a file; its code is run.

    **Arguments:**

    - `path`: a Python file that defines `PREDICTIONS`, a list of `Prediction`.

    **Raises:** `ScenarioError` naming what is wrong with the file.
    """
    spec = importlib.util.spec_from_file_location(f"gflow_plugin_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise _refused(path, "must be a Python file, but is none; try a path that ends in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise _refused(path, f"must run, but does not ({why}); mend it") from error
    found = getattr(module, "PREDICTIONS", None)
    if not isinstance(found, list | tuple) or not all(isinstance(p, Prediction) for p in found):
        what = "a list of `gflow.theory.prediction.Prediction`"
        raise _refused(path, f"must define `PREDICTIONS`, {what}, but does not; add it")
    if taken := [one.id for one in found if one.id in CATALOGUE]:
        raise _refused(
            path, f"must not reuse ids of gflow, but has {', '.join(taken)}; choose others"
        )
    return tuple(found)


def _refused(path: Path, text: str) -> ScenarioError:
    return ScenarioError((f"{path}: {text}.",))
