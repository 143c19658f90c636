"""Digits, images and features: sound files, damaged files, and labels."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import threading
import time

import numpy as np
import pytest

import gflow
from gflow.data.dataset import Dataset
from gflow.data.kinds import mnist
from gflow.data.kinds.cifar10 import PIXELS, TEST, TRAIN, read_cifar
from gflow.data.kinds.features import read_features, split_by_category
from gflow.data.kinds.mnist import FILES, Digits, read_digits, read_idx, unpacked, write_idx
from gflow.data.labels import prepared, signs_of
from gflow.data.make import download
from gflow.data.make.download import download_mnist
from gflow.errors import DataError, ScenarioError
from gflow.runs.index import home
from gflow.scenario import RobustnessTable

TRAIN_X, TRAIN_Y, TEST_X, TEST_Y = FILES


def written(folder, n=40, m=20, suffix=".gz", seed=0):
    """Write the four files of a small MNIST of 3 x 2 pixels."""
    rng = np.random.default_rng(seed)
    parts = []
    for count, images, labels in ((n, TRAIN_X, TRAIN_Y), (m, TEST_X, TEST_Y)):
        pixels = rng.integers(256, size=(count, 3, 2), dtype=np.uint8)
        digit = (np.arange(count) % 10).astype(np.uint8)
        write_idx(folder / f"{images}{suffix}", pixels)
        write_idx(folder / f"{labels}{suffix}", digit)
        parts.append(Digits(pixels.reshape(count, 6), digit.astype(int)))
    return parts


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_are_read_as_they_were_written(tmp_path, suffix):
    made = written(tmp_path, suffix=suffix)

    read_back = read_digits(tmp_path, "official")

    for one, other in zip(made, read_back, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.digit, other.digit)


def test_an_idx_file_begins_with_its_shape(tmp_path):
    # Two rows of three bytes, by hand.
    path = tmp_path / "a"
    path.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 9, 8, 7, 6, 5, 4]))

    np.testing.assert_array_equal(read_idx(path), [[9, 8, 7], [6, 5, 4]])


def test_the_published_split_tests_on_the_last_ten_thousand(tmp_path):
    (train, _) = written(tmp_path, n=10_030)

    first, last = read_digits(tmp_path, "published")

    assert (len(first.digit), len(last.digit)) == (30, 10_000)
    np.testing.assert_array_equal(last.pixels, train.pixels[30:])


def test_files_are_found_by_the_environment(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    written(tmp_path / "mnist")
    monkeypatch.setenv("GFLOW_DATA", str(tmp_path))

    assert len(read_digits(None, "official")[0].digit) == 40


def test_files_that_are_nowhere_are_named_with_the_places(tmp_path, monkeypatch):
    monkeypatch.setenv("GFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with pytest.raises(DataError) as caught:
        read_digits(None, "official")

    text = str(caught.value)
    assert TRAIN_X in text and str(tmp_path / "data" / "mnist") in text
    assert str(tmp_path / "cache" / "gflow" / "mnist") in text and "data.extract = true" in text


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[:-7], "must hold 256 bytes by its header, but holds 249"),
        (lambda data: data + b"0", "must hold 256 bytes by its header, but holds 257"),
        (lambda data: b"PK" + data, "begins with [80, 75, 0]"),
        (lambda data: b"", "begins with [] and has 0 bytes"),
        (lambda data: data[:6], "and has 6 bytes"),
        (lambda data: gzip.compress(data)[:-9], "must be readable, but is not"),
    ],
)
def test_a_spoiled_file_is_named(tmp_path, spoil, words):
    written(tmp_path, suffix="")
    path = tmp_path / TRAIN_X
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(DataError) as caught:
        read_digits(tmp_path, "official")

    assert str(path) in str(caught.value) and words in str(caught.value)


def test_labels_that_are_no_digits_or_too_few_are_named(tmp_path):
    written(tmp_path)
    labels = tmp_path / f"{TRAIN_Y}.gz"
    write_idx(labels, np.full(40, 11, np.uint8))
    with pytest.raises(DataError, match="must hold digits 0 to 9, but holds 11"):
        read_digits(tmp_path, "official")
    write_idx(labels, np.zeros(39, np.uint8))
    with pytest.raises(DataError, match="must be as many images as labels"):
        read_digits(tmp_path, "official")


def test_the_packaged_digits_are_even_and_look_like_digits():
    train, test = read_digits(None, "official", extract=True)

    assert np.bincount(train.digit).tolist() == [300] * 10
    assert np.bincount(test.digit).tolist() == [100] * 10
    # The closest mean image is the digit's own for some four in five; one in ten by chance.
    means = np.stack([train.pixels[train.digit == k].mean(axis=0) for k in range(10)])
    nearest = ((test.pixels[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == test.digit).mean() > 0.7


def some(n=60, C=4, D=5, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(C, size=n)
    return Dataset(
        rng.standard_normal((n, D)) + label[:, None],
        label,
        names=tuple("abcd"[:C]),
        class_of=tuple(range(C)),
        sign=signs_of(tuple(range(C)), (1, 3)),
    )


def read(scenario):
    """The samples of a scenario."""
    return scenario.data.read(scenario.seed)


@pytest.mark.parametrize("count", [1, 8, 30, 60])
def test_a_choice_of_samples_is_even_over_classes(count):
    data = some()

    subset = data.subset(count, np.random.default_rng(1))

    counts, available = np.bincount(subset.subclass, minlength=4), np.bincount(data.subclass)
    assert counts.sum() == count
    # Nobody gets more than one above the least, unless that one has no more.
    assert all(counts[k] <= counts.min() + 1 or counts.min() == available.min() for k in range(4))
    rows = {tuple(x) for x in data.x}
    assert len({tuple(x) for x in subset.x} & rows) == count


def test_more_samples_than_there_are_is_a_mistake():
    with pytest.raises(DataError, match="must be at most the number available, 60, but one is 61"):
        some().subset(61, np.random.default_rng(1))


def test_inputs_are_centered_by_the_training_mean_and_scaled():
    train, test = some(), some(seed=1)

    a, b = prepared(train, test, True, "unit")
    c, d = prepared(train, test, True, "mean")

    mean = train.x.mean(axis=0)
    for one, before in ((a, train), (b, test)):
        expected = before.x - mean
        np.testing.assert_allclose(
            one.x, expected / np.linalg.norm(expected, axis=1, keepdims=True)
        )
    assert np.linalg.norm(c.x, axis=1).mean() == pytest.approx(1)
    length = np.linalg.norm(train.x - mean, axis=1).mean()
    np.testing.assert_allclose(d.x, (test.x - mean) / length)


def test_labels_come_in_three_grains():
    class_of = (0, 1, 2, 0, 1)
    sign = signs_of(class_of, None)  # the odd class, that of b and e

    data = Dataset(np.eye(6), np.arange(6) % 5, tuple("abcde"), class_of, sign)

    assert (data.K, data.C) == (5, 3) and sign == (-1, 1, -1, -1, 1)
    assert [data.outputs(grain) for grain in ("sign", "classes", "subclasses")] == [1, 3, 5]
    assert data.targets("sign").tolist() == [-1, 1, -1, -1, 1, -1]
    assert data.targets("classes").tolist() == [0, 1, 2, 0, 1, 0]
    assert data.targets("subclasses").tolist() == [0, 1, 2, 3, 4, 0]
    assert data.labels("subclasses").tolist() == [0, 1, 2, 0, 1, 0]


def test_parity_is_a_class_modulo_two():
    parity = PARITY.replace("extract = true", "extract = true, classes = 2")
    train = read(gflow.parse_scenario(parity)).train

    assert (train.K, train.C) == (10, 2)
    np.testing.assert_array_equal(train.labels("classes"), train.subclass % 2)


def test_any_map_of_labels_can_be_listed():
    def listing(classes):
        return gflow.parse_scenario(
            PARITY.replace("extract = true", f"extract = true, classes = {classes}")
        )

    train = read(listing([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])).train

    assert (train.K, train.C) == (10, 3)
    np.testing.assert_array_equal(train.labels("classes"), np.minimum(train.subclass // 3, 2))
    for wrong in ([0, 1], [0, 0, 0, 2, 2, 2, 2, 2, 2, 2]):
        with pytest.raises(DataError, match=r"must list a class, 0, 1, … without gaps, for each"):
            read(listing(wrong))


def test_a_mixture_has_two_classes():
    text = PARITY.replace(
        'kind = "mnist", extract = true, samples = 200, test_samples = 100, length = "unit"',
        "dimension = 9, subclasses = 4, positive_subclasses = 3, noise = 0.1, samples = 40",
    )
    train = read(gflow.parse_scenario(text)).train

    assert train.class_of == (1, 1, 1, 0)


def test_some_classes_are_positive_and_the_others_are_not():
    data = some()

    assert data.sign == (-1, 1, -1, 1)
    np.testing.assert_array_equal(
        data.labels("sign"), np.where(np.isin(data.subclass, (1, 3)), 1, -1)
    )
    np.testing.assert_allclose(data.means[2], data.x[data.subclass == 2].mean(axis=0))
    with pytest.raises(DataError, match="must hold classes, which are 0 to 3, but is \\[7\\]"):
        signs_of((0, 1, 2, 3), (7,))


def test_all_or_none_of_the_classes_may_be_positive():
    assert signs_of((0, 1, 0), (0, 1)) == (1, 1, 1)
    assert signs_of((0, 1, 0), ()) == (-1, -1, -1)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (dict(y=np.zeros(4, int)), "array `x` must exist, but the file holds ['y']"),
        (dict(x=np.zeros((4, 2), int), y=np.zeros(4, int)), "must be features of shape (n, D)"),
        (dict(x=np.zeros((4, 2)), y=np.zeros(3, int)), "must be one integer for each of 4 rows"),
        (dict(x=np.zeros((4, 2)), y=-np.ones(4, int)), "categories from 0 to 999999, but holds -1"),
        (dict(x=np.zeros((4, 2)), y=np.array([0, 0, 10**15, 10**15])), "but holds 0 to 1000000000"),
        (dict(x=np.zeros((4, 2)), y=np.array([0, 0, 1, 1]), names=np.array("a")), "but has 1; add"),
        (dict(x=np.zeros((4, 2)), y=np.array([0, 0, 1, 0])), "at least 2 samples, but 1 have"),
    ],
)
def test_features_that_cannot_be_used_are_told(tmp_path, arrays, words):
    path = tmp_path / "f.npz"
    np.savez(path, **arrays)

    with pytest.raises(DataError) as caught:
        read_features(path)

    assert str(path) in str(caught.value) and words in str(caught.value)


GAPS = """
data = {{kind = "features", path = "{path}", classes = 10, length = "unit"}}
network = {{width = 6, power = 3, init_scale = 1.0, kind = "layers", outputs = "{outputs}"}}
flow = {{end_time = 0.2}}
"""


@pytest.mark.parametrize("outputs", ["classes", "subclasses"])
def test_classes_that_no_category_falls_into_are_left_out(tmp_path, outputs):
    # Categories 0, 2, 4 and 12: the classes 0, 2 and 4 modulo 10.
    x = np.random.default_rng(0).standard_normal((20, 5))
    path = tmp_path / "f.npz"
    np.savez(path, x=x, y=np.repeat([0, 2, 4, 12], 5))

    run = gflow.simulate(gflow.parse_scenario(GAPS.format(path=path, outputs=outputs)))

    assert np.asarray(run.network(x)).shape == (20, 3)
    assert read(run.scenario).train.class_of == (0, 1, 2, 1)


def test_many_outputs_may_be_tested_on_one_sample(tmp_path):
    text = GAPS.format(path=tmp_path / "f.npz", outputs="classes")
    x = np.random.default_rng(0).standard_normal((20, 5))
    np.savez(tmp_path / "f.npz", x=x, y=np.repeat([0, 1, 2, 3], 5))

    run = gflow.simulate(gflow.parse_scenario(text, overrides=["data.test_samples=1"]))

    assert run.test["accuracy"] in (0.0, 1.0)


FOLDER = """
data = {{kind = "mnist", path = "{path}", split = "official"}}
network = {{width = 4, power = 3, init_scale = 1e-3}}
flow = {{end_time = 1.0}}
"""


def test_other_digits_in_the_same_files_are_another_question(tmp_path):
    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        (tmp_path / name).mkdir()
        written(tmp_path / name, seed=seed)
    homes = [
        home(gflow.parse_scenario(FOLDER.format(path=tmp_path / name)), tmp_path) for name in "abc"
    ]

    assert homes[0] != homes[1]
    assert homes[0] == homes[2]  # the content counts, not where it is


def test_a_network_is_not_attacked_on_other_digits_than_it_has_learned(tmp_path):
    written(tmp_path)
    run = gflow.simulate(gflow.parse_scenario(FOLDER.format(path=tmp_path)))
    written(tmp_path, seed=1)

    with pytest.raises(DataError, match="must be as they were when the run was made"):
        gflow.attack(run, RobustnessTable(norms=("l2",)))


def test_more_samples_than_there_are_cannot_be_attacked(tmp_path):
    written(tmp_path)
    run = gflow.simulate(gflow.parse_scenario(FOLDER.format(path=tmp_path)))

    with pytest.raises(DataError, match="at most the number of test samples, 20, but is 1000"):
        gflow.attack(run, RobustnessTable(norms=("l2",), attacked=1000))


def test_every_category_is_split():
    category = np.repeat(np.arange(5), [2, 3, 10, 40, 7])

    train, test = split_by_category(category, 0.2, np.random.default_rng(0))

    assert sorted([*train, *test]) == list(range(62))
    assert np.bincount(category[test]).tolist() == [1, 1, 2, 8, 1]
    many = np.repeat(np.arange(50), 20)
    first = many[split_by_category(many, 0.2, np.random.default_rng(0))[1][:20]]
    assert len(np.unique(first)) > 10  # of 50; sorted by category they would be 5


def test_nan_features_are_told():
    with pytest.raises(DataError, match="inputs must be finite, but row 1 is not"):
        Dataset(np.array([[0.0], [np.nan]]), np.zeros(2, int), ("a",), (0,), (1,))


@pytest.fixture
def mirror(tmp_path):
    """A local server of a folder of its own."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_files_are_fetched_from_the_first_mirror_that_has_them(tmp_path, mirror, monkeypatch):
    served, address = mirror
    written(served)
    checksums = {n: hashlib.md5(unpacked(served / f"{n}.gz")).hexdigest() for n in FILES}
    monkeypatch.setattr(mnist, "FILES", checksums)
    lines = []

    download_mnist(tmp_path / "data", [address + "nowhere/", address], lines.append)
    download_mnist(tmp_path / "data", [], lines.append)  # all there: nothing is downloaded
    cut = tmp_path / "data" / f"{TRAIN_X}.gz"
    cut.write_bytes(cut.read_bytes()[:-20])
    download_mnist(tmp_path / "data", [address], lambda line: None)  # only the truncated one

    assert len(read_digits(tmp_path / "data", "official")[0].digit) == 40
    assert [line.rsplit(": ")[1] for line in lines] == (
        ["downloaded and checked"] * 4 + ["exists"] * 4
    )


def test_a_mirror_with_another_content_leaves_nothing(tmp_path, mirror):
    served, address = mirror
    written(served)

    with pytest.raises(DataError, match=r"but is not .*content differs from the published file"):
        download_mnist(tmp_path / "data", [address])

    assert list((tmp_path / "data").iterdir()) == []


class _Dribble(http.server.BaseHTTPRequestHandler):
    """Promises a file, and sends one byte of it every hundredth of a second."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"x")
                time.sleep(0.01)

    def log_message(self, format, *args):
        pass


def test_a_mirror_that_dribbles_is_given_up_after_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    began = time.monotonic()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Dribble) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        with pytest.raises(DataError, match=r"must be available .*bytes arrived in 0.3 s"):
            download_mnist(tmp_path / "data", [address])
        server.shutdown()

    assert time.monotonic() - began < 5
    assert list((tmp_path / "data").iterdir()) == []


def cifar(folder, n=20):
    """Write six files in the format of CIFAR-10, of n records each."""
    rng = np.random.default_rng(0)
    for name in (*TRAIN, TEST):
        label = (np.arange(n) % 10).astype(np.uint8)
        pixels = rng.integers(256, size=(n, PIXELS), dtype=np.uint8)
        (folder / name).write_bytes(np.concatenate([label[:, None], pixels], axis=1).tobytes())


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


def test_spoiled_cifar_files_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("GFLOW_DATA", raising=False)
    with pytest.raises(DataError, match=r"neither it nor \$GFLOW_DATA is set"):
        read_cifar(None)
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


PARITY = """
data = {kind = "mnist", extract = true, samples = 200, test_samples = 100, length = "unit"}
network = {width = 20, power = 3, init_scale = 1e-3}
flow = {end_time = 5.0, loss = "logistic"}
"""


def test_parity_of_digits_flows_with_digits_as_subclasses():
    run = gflow.simulate(gflow.parse_scenario(PARITY))

    assert run.centers.K == 10 and run.centers.label.tolist() == [-1, 1] * 5
    assert run.centers.origin == "subclass means"
    assert run.outcome.complete and 0 < run.test["accuracy"] <= 1


def test_classes_of_many_categories_have_an_average_each():
    text = PARITY.replace(
        'kind = "mnist", extract = true, samples = 200, test_samples = 100', 'kind = "features"'
    ).replace(
        "width = 20", 'width = 5, kind = "layers", outputs = "classes", input_normalized = true'
    )
    text = text.replace("1e-3", "1.0").replace("end_time = 5.0", "end_time = 0.1")
    run = gflow.simulate(gflow.parse_scenario(text))

    mu = run.centers.mu
    assert run.record["cosine"].shape[1:] == (5, 50)
    assert run.record["reference"].values[-1] == "average_9"
    mean = mu[[3, 13, 23, 33]].sum(axis=0)  # categories whose index is 3 modulo 10
    u = np.asarray(run.state.weights.direction)
    np.testing.assert_allclose(
        run.record["cosine"].values[-1, :, 43], u @ mean / np.linalg.norm(mean), atol=1e-6
    )


def test_keys_of_a_mixture_have_no_value_for_digits():
    scenario = gflow.parse_scenario(PARITY)

    assert scenario.value("data.subclasses") is None
    assert scenario.value("data.length") == "unit"


def test_features_come_with_the_package():
    split = read(gflow.parse_scenario(PARITY.replace(
        'kind = "mnist", extract = true, samples = 200, test_samples = 100', 'kind = "features"'
    )))  # fmt: skip
    train, test = split.train, split.test

    assert (train.n, test.n, train.D, train.K, train.C) == (640, 160, 1280, 40, 10)
    assert train.class_of == tuple(range(10)) * 4
    np.testing.assert_allclose(np.linalg.norm(train.x, axis=1), 1)


def test_unknown_keys_of_real_data_are_told():
    with pytest.raises(ScenarioError, match="extrakt"):
        gflow.parse_scenario(PARITY.replace("extract", "extrakt"))
