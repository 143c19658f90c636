"""What an npz file of samples may hold besides the plain form, and how flaws of it are named."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from questions import OF_A_FILE, samples

import gflow
from gflow.data.kinds.features import FeatureData
from gflow.data.kinds.file import FileData
from gflow.data.own_samples import read_npz
from gflow.errors import DataError, GflowWarning
from gflow.judges.finding import Verdict

X, Y = np.eye(4), np.array([1, 1, -1, -1])

INDEPENDENT_OF_CENTERS = {"balancedness", "orthogonal-invariant", "energy-balance"}
"""Predictions about any gradient flow."""


def stored(folder, **arrays):
    np.savez(folder / "mine.npz", allow_pickle=True, **arrays)
    return folder / "mine.npz"


@pytest.mark.parametrize(
    "y", [Y[:, None], Y[None], Y[:, None].astype(np.float32)], ids=["column", "row", "single"]
)
def test_labels_in_a_column_or_a_row_are_labels(tmp_path, y):
    train = read_npz(stored(tmp_path, X=X, y=y)).train

    assert np.array_equal(train.labels("sign"), Y)


@pytest.mark.parametrize(
    ("y", "form"),
    [
        (Y > 0, "`y` holds False and True, which are read as -1 and +1."),
        ((Y > 0)[:, None], "`y` holds False and True, which are read as -1 and +1."),
        ((Y > 0).astype(int), "`y` holds 0 and 1, which are read as -1 and +1."),
        ((Y > 0).astype(float), "`y` holds 0.0 and 1.0, which are read as -1 and +1."),
    ],
)
def test_bool_labels_and_0_and_1_are_read_with_a_line_that_says_how(tmp_path, y, form):
    path = stored(tmp_path, X=X, y=y)

    with pytest.warns(GflowWarning) as caught:
        train = read_npz(path).train

    assert [str(one.message) for one in caught] == [f"{path}: {form}"]
    assert np.array_equal(train.labels("sign"), Y)


@pytest.mark.parametrize("y", [[1, 1, 2, 2], [0, 0, 0, 2], [0, 1, -1, 1], [0.5, 1, 0, 1]])
def test_labels_that_may_mean_several_things_are_refused(tmp_path, y):
    with pytest.raises(DataError, match=r"`y` must hold only \+1 and -1"):
        read_npz(stored(tmp_path, X=X, y=np.array(y)))


def test_an_array_that_is_not_used_is_named(tmp_path):
    path = stored(tmp_path, X=X, y=Y, x_test=X, foo=np.ones(3))

    with pytest.warns(GflowWarning) as caught:
        read_npz(path)

    assert [str(one.message) for one in caught] == [
        f"{path}: `foo`, `x_test` is not used; the arrays that are used are X, y, subclass, "
        "centers, X_test, y_test."
    ]


def test_whole_numbers_index_subclasses_whatever_their_type(tmp_path):
    train = read_npz(stored(tmp_path, X=X, y=Y, subclass=np.array([[0.0], [1], [2], [2]]))).train

    assert train.subclass.tolist() == [0, 1, 2, 2]


def test_zero_samples_are_named_with_their_rows_and_no_law_of_unit_centers_is_judged(tmp_path):
    arrays = samples()
    arrays["X"][[3, 7]] = 0
    np.savez(tmp_path / "samples.npz", **arrays)
    scenario = gflow.parse_scenario(OF_A_FILE, folder=tmp_path)

    with pytest.warns(GflowWarning, match=r"`X`: rows 3, 7 are zero, samples on which every netw"):
        run = gflow.simulate(scenario)

    assert run.centers.strays == 2 and not run.centers.orthonormal
    judged = {f.id for f in gflow.check(run) if f.verdict in (Verdict.HOLDS, Verdict.FAILS)}
    assert judged <= INDEPENDENT_OF_CENTERS
    # The same centers without the zero samples are those of the theory.
    assert replace(run.centers, strays=0).orthonormal


def test_a_file_that_is_cut_short_encrypted_or_one_array_is_named_as_such(tmp_path):
    whole = stored(tmp_path, X=X, y=Y).read_bytes()

    def complaint(data):
        (tmp_path / "mine.npz").write_bytes(data)
        for read in (read_npz, lambda path: FileData(path=path).sizes):
            with pytest.raises(DataError) as raised:
                read(tmp_path / "mine.npz")
            yield str(raised.value)

    for length in (10, 100, len(whole) - 30):
        for text in complaint(whole[:length]):
            assert text.endswith("but is cut short; download it or save it again.")
    for text in complaint(_locked(whole)):
        assert text.endswith("but is encrypted; save it without a password.")
    np.save(tmp_path / "one.npy", X)
    for text in complaint((tmp_path / "one.npy").read_bytes()):
        assert "but holds a single array (npy); write it with numpy.savez" in text


def _locked(data):
    """A zip file whose members say that they are encrypted (bit 0 of their flags)."""
    locked = bytearray(data)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(signature)
        while at >= 0:
            locked[at + offset] |= 1
            at = data.find(signature, at + 1)
    return bytes(locked)


@pytest.mark.parametrize(
    "arrays",
    [
        {"X": X, "y": Y, "X_test": np.float64(1), "centers": np.float64(1)},
        {"X": np.float64(1), "y": Y},
        {"y": Y},
        {"x": np.zeros(3), "y": Y, "names": np.array("a")},
        {"x": X, "y": Y, "names": np.array([["a"]])},
    ],
)
def test_shapes_of_any_arrays_give_sizes_or_a_complaint(tmp_path, arrays):
    path = stored(tmp_path, **arrays)

    for data in (FileData(path=path), FeatureData(path=path)):
        try:
            assert data.sizes.D == 4
        except DataError as error:
            assert "must be inputs of shape (n, D), but" in str(error)


def test_a_member_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((")

    for read in (read_npz, lambda path: FileData(path=path).sizes):
        with pytest.raises(DataError, match="must be an npz file of plain arrays"):
            read(tmp_path / "mine.npz")
