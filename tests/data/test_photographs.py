"""Features of folders of photographs: real files, and everything that can be wrong with them."""

import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gflow import cli
from gflow.cli import Exit
from gflow.data.kinds.features import read_features
from gflow.data.make.extractors import own_extractor, torchvision_extractor
from gflow.data.make.photographs import read_photograph, write_features
from gflow.errors import DataError, ScenarioError

FORMATS = ("a.jpg", "b.png", "c.GIF", "d.bmp", "e.webp")


def colors(images):
    """Mean color of each image, between 0 and 1."""
    return images.mean(axis=(1, 2)) / 255


def written(folder, categories=("cats", "dogs", "suns"), each=FORMATS):
    """Images of one color per category, in several formats and sizes."""
    shade = {name: np.eye(3)[i] * 255 for i, name in enumerate(categories)}
    for name in categories:
        (folder / name).mkdir(parents=True)
        for i, file in enumerate(each):
            pixels = np.broadcast_to(shade[name].astype(np.uint8), (40 + 30 * i, 90, 3))
            Image.fromarray(np.ascontiguousarray(pixels)).save(folder / name / file)
        (folder / name / "notes.txt").write_text("no image")
    (folder / "empty").mkdir()


def test_features_are_those_of_the_images_and_read_as_data(tmp_path):
    written(tmp_path / "in")
    lines = []

    write_features(tmp_path / "in", tmp_path / "f.npz", colors, "colors", tell=lines.append)

    features = read_features(tmp_path / "f.npz")
    assert features.names == ("cats", "dogs", "suns")
    assert np.bincount(features.category).tolist() == [5, 5, 5]
    # Colors of jpg and webp are kept to some 2 in 255.
    np.testing.assert_allclose(features.x, np.eye(3)[features.category], atol=0.01)
    with np.load(tmp_path / "f.npz") as file:
        assert file["files"][5] == "dogs/a.jpg"
    assert lines[1] == "2 of 3: dogs, 5 images" and lines[3].endswith("15 images of 3 categories")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.npz", "in"]


def test_a_photograph_is_its_middle(tmp_path):
    # 100 x 300: scaled by 2.56 to 256 x 768, of which columns 272 to 495 are the middle 224. The
    # image is black up to column 150, that is 384 of 768, so white from column 112 of 224 on.
    pixels = np.zeros((100, 300), np.uint8)
    pixels[:, 150:] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")

    middle = read_photograph(tmp_path / "wide.png")

    assert middle.shape == (224, 224, 3) and middle.dtype == np.uint8
    # Bicubic interpolation reaches over two pixels of the original, 5.2 of the scaled one.
    assert (middle[:, : 112 - 6] == 0).all() and (middle[:, 112 + 6 :] == 255).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "CMYK", "LA"])
def test_every_kind_of_pixels_becomes_three_colors(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.new("RGB", (3, 1), "white").convert(mode).save(path)

    np.testing.assert_array_equal(read_photograph(path), 255)


def spoil(folder):
    whole = (folder / "cats" / "a.jpg").read_bytes()
    (folder / "cats" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "dogs" / "page.png").write_text("<html>not found</html>")


def test_images_that_do_not_decode_are_named_counted_and_skipped_when_asked(tmp_path):
    written(tmp_path / "in")
    spoil(tmp_path / "in")
    events = []  # sizes of batches, and lines of progress

    def counted(images):
        events.append(len(images))
        return colors(images)

    with pytest.raises(DataError) as caught:
        write_features(tmp_path / "in", tmp_path / "f.npz", counted, "c", tell=events.append)

    text = str(caught.value)
    assert "every image must be decodable, but 2 are not (cats/cut.jpg, dogs/page.png)" in text
    assert "--skip-broken" in text and str(tmp_path / "f.npz.parts") in text
    assert not (tmp_path / "f.npz").exists()

    events.clear()
    write_features(
        tmp_path / "in", tmp_path / "f.npz", counted, "c", skip_broken=True, tell=events.append
    )

    assert len(read_features(tmp_path / "f.npz").x) == 15
    assert all("already computed" in line for line in events[:3]), "nothing is computed twice"
    assert events[3].endswith("; 2 images that cannot be decoded are left out")


def test_a_stopped_computation_goes_on(tmp_path):
    written(tmp_path / "in")
    calls = []

    def stopped(images):
        calls.append(len(images))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return colors(images)

    with pytest.raises(KeyboardInterrupt):
        write_features(tmp_path / "in", tmp_path / "f.npz", stopped, "c", tell=str)
    assert not (tmp_path / "f.npz").exists()
    write_features(tmp_path / "in", tmp_path / "f.npz", stopped, "c", tell=str)

    assert calls == [5, 5, 5, 5] and len(read_features(tmp_path / "f.npz").x) == 15


@pytest.mark.parametrize("change", ["tag", "image", "part"])
def test_what_is_kept_is_used_for_the_same_question_only(tmp_path, change):
    written(tmp_path / "in")
    spoil(tmp_path / "in")
    lines = []
    with pytest.raises(DataError):
        write_features(tmp_path / "in", tmp_path / "f.npz", colors, "one", tell=str)
    if change == "image":
        Image.new("RGB", (50, 50)).save(tmp_path / "in" / "suns" / "f.png")
    elif change == "part":
        part = tmp_path / "f.npz.parts" / "0002.npz"
        part.write_bytes(part.read_bytes()[:-40])

    tag = "other" if change == "tag" else "one"
    write_features(
        tmp_path / "in", tmp_path / "f.npz", colors, tag, skip_broken=True, tell=lines.append
    )

    expected = [False] * 3 if change == "tag" else [True, True, False]
    assert ["already computed" in line for line in lines[:3]] == expected


@pytest.mark.parametrize(
    ("extract", "words"),
    [
        (lambda images: np.zeros(len(images)), "must return one row of features per image"),
        (lambda images: np.full((len(images), 2), np.nan), "must return finite features"),
        (
            lambda images: np.zeros((len(images), int(images[0, 0, 0, 0] > 0) + 2)),
            "same number of f",
        ),
    ],
)
def test_what_is_no_features_is_told(tmp_path, extract, words):
    written(tmp_path / "in")

    with pytest.raises(DataError, match=words):
        write_features(tmp_path / "in", tmp_path / "f.npz", extract, "c", tell=str)

    assert not (tmp_path / "f.npz").exists()


def test_folders_that_cannot_be_used_are_told(tmp_path):
    with pytest.raises(DataError, match="must be a folder with one folder per category"):
        write_features(tmp_path / "none", tmp_path / "f.npz", colors, "c")
    written(tmp_path / "in", ("cats",))
    with pytest.raises(DataError, match=r"for each of at least two categories, but has 1"):
        write_features(tmp_path / "in", tmp_path / "f.npz", colors, "c")
    written(tmp_path / "few", ("cats", "dogs"), FORMATS[:1])
    with pytest.raises(DataError, match=r"at least 2 images, but 2 have fewer \(cats, dogs\)"):
        write_features(tmp_path / "few", tmp_path / "f.npz", colors, "c", tell=str)


def test_the_command_takes_a_function_of_ones_own(tmp_path):
    written(tmp_path / "in")
    mine = tmp_path / "mine.py"
    mine.write_text("def extract(images):\n    return images.mean(axis=(1, 2)) / 255\n")
    arguments = ["data", "features", str(tmp_path / "in"), "--out", str(tmp_path / "f.npz")]

    done = CliRunner().invoke(cli.app, [*arguments, "--extractor", str(mine)])

    assert done.exit_code == Exit.OK, done.output
    assert "15 images of 3 categories" in done.output
    np.testing.assert_allclose(read_features(tmp_path / "f.npz").x[7], [0, 1, 0], atol=0.01)


def test_files_without_an_extractor_are_told(tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "b.py").write_text("extract = 1")
    for name, words in (("a.py", "must define `extract`, a function"), ("b.py", "be called")):
        with pytest.raises(ScenarioError, match=words):
            own_extractor(tmp_path / name)


def test_libraries_that_are_missing_are_told(tmp_path, monkeypatch):
    written(tmp_path / "in")
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(DataError, match=r"pillow must be installed .*'gflow\[images\]'"):
        write_features(tmp_path / "in", tmp_path / "f.npz", colors, "c")
    with pytest.raises(DataError, match=r"torchvision must be installed .*--extractor"):
        torchvision_extractor("resnet152", None)


@pytest.mark.slow
def test_a_network_of_torchvision_gives_what_its_last_layer_reads(tmp_path):
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(0)
    model = models.get_model("resnet18").eval()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    images = np.random.default_rng(0).integers(256, size=(2, 224, 224, 3), dtype=np.uint8)

    features = torchvision_extractor("resnet18", tmp_path / "w.pt")(images)

    assert features.shape == (2, 512)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    spread = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = model((x - mean) / spread)
        outputs = model.fc(torch.from_numpy(features))
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match="must be a classifier of torchvision, but is resnet1"):
        torchvision_extractor("resnet1", None)
    with pytest.raises(DataError, match="weights of resnet34 must load and fit"):
        torchvision_extractor("resnet34", tmp_path / "w.pt")
