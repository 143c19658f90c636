"""CIFAR-10: six binary files of labels and pixels, sound or damaged."""

import numpy as np
import pytest
from digits import PARITY, read
from images import cifar

import gflow
from gflow.data.kinds.cifar10 import FOLDER, PIXELS, TRAIN, image_files, read_cifar
from gflow.errors import DataError


def test_cifar_files_are_five_batches_and_a_test_batch(tmp_path):
    cifar(tmp_path)
    first = np.frombuffer((tmp_path / TRAIN[0]).read_bytes(), np.uint8)

    train, test = read_cifar(tmp_path)

    assert (len(train.label), len(test.label)) == (100, 20)
    np.testing.assert_array_equal(train.label[:20], np.arange(20) % 10)
    np.testing.assert_array_equal(train.pixels[0], first[1 : 1 + PIXELS])
    toml = PARITY.replace('kind = "mnist", extract = true, samples = 200, test_samples = 100',
                          f'kind = "cifar10", path = "{tmp_path}"')  # fmt: skip
    one = read(gflow.parse_scenario(toml)).train
    assert (one.n, one.D, one.C) == (100, 3072, 10)


def test_cifar_files_are_looked_for_in_the_usual_places(tmp_path, monkeypatch):
    monkeypatch.setenv("GFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    usual = [
        tmp_path / "data" / FOLDER, tmp_path / "data", tmp_path / "cache" / "gflow" / FOLDER
    ]  # fmt: skip

    with pytest.raises(DataError) as caught:
        read_cifar(None)

    assert ", ".join(map(str, usual)) in str(caught.value)
    assert "run `gflow data cifar10`" in str(caught.value)
    for place in reversed(usual):
        place.mkdir(parents=True, exist_ok=True)
        cifar(place)
        assert image_files(None)[0].parent == place


def test_spoiled_cifar_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"data_batch_1.bin: must be a file of the binary version"):
        read_cifar(tmp_path)
    cifar(tmp_path)
    path = tmp_path / TRAIN[2]
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(DataError, match=r"data_batch_3.bin: must hold records of 3073 bytes"):
        read_cifar(tmp_path)
    path.write_bytes(bytes([77]) + whole[1:])
    with pytest.raises(DataError, match=r"data_batch_3.bin: must hold labels 0 to 9, but holds 77"):
        read_cifar(tmp_path)
