"""Extractors turn photographs into features: a pretrained network, or the user's own function.

An extractor is a function from a batch of square images to one row of features per image, so one
short file suffices to use a network of any library.

    # mine.py; gflow data features FOLDER --extractor mine.py
    def extract(images):          # bytes (n, 224, 224, 3)
        return images.mean(axis=(1, 2))

The networks of torchvision need the extra `gflow[images]`; torchvision downloads their weights
unless a file is given.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float, UInt8

from gflow.errors import DataError
from gflow.plugin import load_value, refused, traced

SIDE = 224
"""Side of an image, in pixels."""

Extractor = Callable[[UInt8[np.ndarray, "n s s 3"]], Float[np.ndarray, "n D"]]
"""Features of a batch of images, one row per image."""

_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision has it


def own_extractor(path: Path) -> Extractor:
    """The function `extract` of a Python file; the file is executed.

    **Raises:** `ScenarioError` naming what is wrong with the file.
    """
    what = "a function from bytes (n, 224, 224, 3) to features (n, D)"
    function: Any = load_value(path, "extract", what)
    if not callable(function):
        raise refused(path, f"must define `extract`, {what}, but it cannot be called; fix it")
    return cast(Extractor, traced(function, path))


def torchvision_extractor(name: str, weights: Path | None) -> Extractor:
    """The inputs of the last linear layer of a pretrained torchvision network.

    Images are scaled to [0, 1] and normalized by the mean and standard deviation of ImageNet; the
    network is in evaluation mode.

    **Arguments:**

    - `name`: such as "resnet152", whose 2048 features the published experiments use.
    - `weights`: file with a state dictionary; None lets torchvision download its default weights.

    **Raises:** `DataError` if torchvision is not installed, for a name it does not know, or for
    weights that cannot be loaded or do not fit.

    **Source:** theory E4.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
        from torchvision import models  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError(
            "torchvision must be installed to use its networks, but is not; try pip install "
            "'gflow[images]', or `--extractor FILE.py` with a function of your own."
        ) from None
    if name not in models.list_models(models):
        raise DataError(
            f"`--network` must be a classifier of torchvision, but is {name}; try resnet152."
        )
    model = _loaded(name, weights, torch, models)
    linear = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    if not linear:
        raise DataError(
            f"`--network` must end in a linear layer, whose inputs are the features, but {name} "
            "has none; try resnet152, or `--extractor FILE.py` with a function of your own."
        )

    # A hook on the last linear layer stores its inputs, whatever comes before it.
    last = linear[-1]
    inputs: list[Any] = []
    last.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    mean, deviation = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (_MEAN, _SPREAD))

    def extract(images: UInt8[np.ndarray, "n s s 3"]) -> Float[np.ndarray, "n D"]:
        """One forward pass without gradients."""
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            model((x - mean) / deviation)
        return inputs.pop().flatten(1).numpy()

    return extract


def _loaded(name: str, weights: Path | None, torch: Any, models: Any) -> Any:
    try:
        if weights is None:
            return models.get_model(name, weights="DEFAULT").eval()
        model = models.get_model(name)
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        return model.eval()
    except Exception as error:
        raise DataError(
            f"weights of {name} must load and fit, but do not ({error}); try `--weights FILE` "
            "with a state dictionary of that network."
        ) from None


def tag_of(file: Path | None, network: str) -> str:
    """What distinguishes extractors: the content of a file, or the name of a network."""
    return network if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
