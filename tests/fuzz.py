"""Random edits of valid files and folders, which may be refused but must not break anything."""

import shutil
import warnings
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from questions import GRID, OF_A_FILE, SEEDS, SMALL, samples

from gflow.cost import check_memory, estimate
from gflow.data.kinds.features import FeatureData, read_features
from gflow.data.kinds.file import FileData
from gflow.data.own_samples import read_npz
from gflow.errors import GflowError
from gflow.runs.problem import prepare
from gflow.runs.status import read_status
from gflow.runs.study import load
from gflow.scenario import parse_scenario

VALUES = (
    "0", "1", "-1", "2", "1e-300", "1e300", "1e30", "-0.0", "0.5", "nan", "inf", "true", '"polar"',
    '"layers"', '"vector"', '"sgd"', '"adam"', '"square"', '"cartesian"', '"lightcone"', '"file"',
    '"mnist"', '"features"', '""', "[]", "[1, 3]", "{}", "{count = 3}", "1979-05-27", "'ε'",
    "9223372036854775807", "9223372036854775808", "100000000000000", "[[1]]", '["l2", "linf"]',
)  # fmt: skip
"""Values that a file may hold for a key, most of them wrong for most keys."""

KEYS = (
    "seed", "name", "[network]", "[train]", "[robustness]", "[vary]", "kind", "width", "power",
    "init", "init_scale", "balanced", "normalized", "hidden_layers", "outputs", "loss", "chart",
    "method", "batch", "momentum", "step_size", "epochs", "tolerance", "min_step", "end_loss",
    "flip", "times", "linear", "geometric", "groups", "noise", "imbalance", "center_angle",
    '"network.power"', '"data.noise"', "together", "norms", "precision", "convention", "counts",
)  # fmt: skip

LARGEST = 5000
"""Samples × neurons up to which the problem that a file poses is set up, too."""


def scenario_files(rng: np.random.Generator, count: int) -> Iterator[str]:
    """Valid scenario files with one or two random edits of each."""
    valid = (SMALL, GRID, SEEDS, OF_A_FILE)
    for _ in range(count):
        lines = valid[rng.integers(len(valid))].split("\n")
        for _ in range(rng.integers(1, 3)):
            _edit_lines(lines, rng)
        yield "\n".join(lines)


def _edit_lines(lines: list[str], rng: np.random.Generator) -> None:
    at = int(rng.integers(len(lines)))
    key, value = KEYS[rng.integers(len(KEYS))], VALUES[rng.integers(len(VALUES))]
    match int(rng.integers(8)):
        case 0 if len(lines) > 1:
            del lines[at]
        case 1:
            lines.insert(at, lines[rng.integers(len(lines))])
        case 2:
            lines[at] = lines[at][: rng.integers(len(lines[at]) + 1)]
        case 3:
            letter = int(rng.integers(len(lines[at]) + 1))
            lines[at] = lines[at][:letter] + chr(rng.integers(1, 0x3000)) + lines[at][letter:]
        case 4 | 5:
            lines.insert(at, key if key.startswith("[") else f"{key} = {value}")
        case _:
            lines[at] = f"{lines[at].partition('=')[0]} = {value}"


def use_scenario(text: str, folder: Path) -> bool:
    """Whether a file is a scenario: read, written, priced, and set up if it is small."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scenario = parse_scenario(text, "fuzz.toml", folder)
            assert parse_scenario(scenario.to_toml(), "fuzz.toml").to_toml() == scenario.to_toml()
            check_memory(scenario)
            assert str(estimate(scenario))
            one = scenario.points()[0].scenario
            if one.data.sizes.n * one.network.width <= LARGEST:
                prepare(one)
        except GflowError as error:
            assert str(error).endswith((".", "?"))
            return False
    return True


def npz_files(rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Files of samples: damaged ones, and sound ones of arrays of any type and shape."""
    sound = BytesIO()
    np.savez_compressed(sound, **samples())
    for number in range(count):
        if number % 2:
            yield damaged(sound.getvalue(), rng)
            continue
        file = BytesIO()
        np.savez(file, **{name: _any_array(array, rng) for name, array in samples().items()})
        yield file.getvalue()


def _any_array(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An array, or something like it."""
    match int(rng.integers(12)):
        case 0:
            return array[..., None]
        case 1:
            return array[: rng.integers(len(array))]
        case 2:
            return array.astype([bool, complex, str, "f2", "i1", "u8", object][rng.integers(6)])
        case 3:
            return array * [0.0, 1e200, -1e308, 1e-200, np.nan, np.inf][rng.integers(6)]
        case 4:
            return np.asarray(array.flat[0])
        case 5:
            return array.reshape(-1)
    return array


def use_npz(data: bytes, folder: Path) -> bool:
    """Whether a file is one of samples or features, by every way of reading it."""
    path = folder / "samples.npz"
    path.write_bytes(data)
    results = []
    ways = (
        read_npz, lambda p: read_npz(p, (1, 2)), read_features,
        lambda p: FileData(path=p).sizes, lambda p: FeatureData(path=p).sizes,
        lambda p: prepare(parse_scenario(OF_A_FILE, folder=p.parent)),
    )  # fmt: skip
    for way in ways:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                way(path)
                results.append(True)
            except GflowError as error:
                assert " must " in str(error)
                results.append(False)
    return any(results)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes of which some were changed, lost, or put in between."""
    wrong, at = bytearray(data), int(rng.integers(len(data)))
    match int(rng.integers(4)):
        case 0:
            del wrong[at:]
        case 1:
            del wrong[at : at + int(rng.integers(1, 100))]
        case 2:
            wrong[at:at] = rng.bytes(int(rng.integers(1, 100)))
        case _:
            for place in rng.integers(len(data), size=rng.integers(1, 20)):
                wrong[place] ^= int(rng.integers(1, 256))
    return bytes(wrong)


def damage_folder(folder: Path, rng: np.random.Generator) -> None:
    """Damage one to three files of a run or study folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in rng.choice(np.array(files, object), size=rng.integers(1, 4), replace=False):
        match int(rng.integers(5)):
            case 0:
                path.unlink()
            case 1:
                path.unlink()
                path.mkdir()
            case _:
                path.write_bytes(damaged(path.read_bytes() or b"x", rng))


def use_folder(folder: Path) -> bool:
    """Whether a folder can be read; its state is told in any case."""
    whole = True
    for way in (load, read_status):
        try:
            way(folder)
        except GflowError as error:
            assert str(folder) in str(error)
            whole = False
    return whole


def copies(folder: Path, place: Path, count: int) -> Iterator[Path]:
    """Copies of a folder, one after another in the same place."""
    for _ in range(count):
        shutil.rmtree(place, ignore_errors=True)
        yield shutil.copytree(folder, place)


def as_archive(members: dict[str, bytes]) -> bytes:
    """A zip file of these members."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()
