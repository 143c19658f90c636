"""Archives of data sets are fetched, checked and unpacked; what is there already is kept."""

import hashlib
import io
import os
import tarfile

import pytest
from commands import call
from images import cifar
from servers import served

from gflow.data.kinds.cifar10 import FOLDER, PIXELS, TEST, TRAIN, read_cifar
from gflow.data.make import caltech256, cifar10
from gflow.data.make.archive import Archive
from gflow.data.make.caltech256 import counts, download_caltech256
from gflow.data.make.cifar10 import download_cifar10
from gflow.errors import DataError


def archive_of(path, files, address):
    """Write a tar archive, and describe it as a published one."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    data = path.read_bytes()
    md5 = hashlib.md5(data).hexdigest()
    return Archive(path.name, (f"{address}nowhere", f"{address}{path.name}"), md5, len(data))


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """A server of a CIFAR-10 of 20 images per file, in the layout of the official archive."""
    made, shelf = tmp_path / "made", tmp_path / "shelf"
    made.mkdir()
    shelf.mkdir()
    cifar(made)
    monkeypatch.setattr(cifar10, "BYTES", 20 * (1 + PIXELS))
    files = {f"{FOLDER}/{name}": (made / name).read_bytes() for name in (*TRAIN, TEST)}
    files |= {f"{FOLDER}/readme.html": b"<html>", f"../{FOLDER}x/{TEST}": b"outside"}
    with served(shelf) as address:
        yield made, archive_of(shelf / "cifar-10-binary.tar.gz", files, address)


def test_six_files_of_cifar_are_unpacked_and_the_archive_is_removed(tmp_path, small_cifar):
    made, archive = small_cifar
    folder, lines = tmp_path / "data" / FOLDER, []

    download_cifar10(folder, archive, lines.append)

    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in made.iterdir()
    }
    assert "data_batch_1.bin, " in lines[0] and lines[0].endswith("missing or incomplete")
    assert "404" in lines[1] and lines[2].endswith("downloaded and checked")
    assert len(read_cifar(folder)[0].label) == 100


def test_only_what_is_missing_is_written(tmp_path, small_cifar):
    made, archive = small_cifar
    folder, lines = tmp_path / "data", []
    download_cifar10(folder, archive, lambda line: None)
    (folder / TRAIN[1]).write_bytes((made / TRAIN[1]).read_bytes()[:-7])
    (folder / TEST).unlink()
    kept = (folder / TRAIN[0]).stat().st_mtime_ns

    download_cifar10(folder, archive, lines.append)
    download_cifar10(folder, archive, lines.append)

    assert lines[0] == f"{folder}: {TRAIN[1]}, {TEST} missing or incomplete"
    assert (folder / TRAIN[1]).read_bytes() == (made / TRAIN[1]).read_bytes()
    assert (folder / TRAIN[0]).stat().st_mtime_ns == kept
    assert [line for line in lines if "downloaded" in line] == [lines[2]]  # once


def test_an_archive_that_is_there_is_not_fetched(tmp_path, small_cifar):
    _, archive = small_cifar
    folder = tmp_path / "data"
    folder.mkdir()
    shelf = tmp_path / "shelf" / archive.name
    (folder / archive.name).write_bytes(shelf.read_bytes())
    shelf.unlink()

    download_cifar10(folder, archive, lambda line: None)

    assert len(read_cifar(folder)[1].label) == 20


def test_no_mirror_of_an_archive_leaves_an_empty_folder_and_says_what_to_do(tmp_path, small_cifar):
    _, archive = small_cifar
    (tmp_path / "shelf" / archive.name).write_bytes(b"<html>Not here any more</html>")

    with pytest.raises(DataError, match=r"but is not .*404.*web page.*or put cifar-10-binary.tar"):
        download_cifar10(tmp_path / "data", archive, lambda line: None)

    assert list((tmp_path / "data").iterdir()) == []


def test_photographs_of_categories_are_unpacked_and_copies_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(caltech256, "CATEGORIES", 2)
    monkeypatch.setattr(caltech256, "PHOTOGRAPHS", 5)
    photographs = [f"001.ak47/001_000{i}.jpg" for i in (1, 2)]
    photographs += [f"002.dog/002_000{i}.jpg" for i in (1, 2, 3)]
    others = ["002.dog/greg/002_0001.jpg", "002.dog/RENAME2", "002.dog/001_0001.jpg", "../x.jpg"]
    top = caltech256.FOLDER
    files = {f"{top}/{name}": name.encode() for name in photographs + others}
    shelf, folder, lines = tmp_path / "shelf", tmp_path / "data", []
    shelf.mkdir()

    with served(shelf) as address:
        archive = archive_of(shelf / f"{top}.tar", files, address)
        download_caltech256(folder, archive, lines.append)
        (folder / photographs[0]).unlink()
        download_caltech256(folder, archive, lines.append)
    download_caltech256(folder, archive, lines.append)  # all there: no server is asked

    there = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    assert sorted(there) == sorted(photographs) and counts(folder) == (2, 5)
    assert not (tmp_path / "x.jpg").exists()
    assert lines[0] == f"{folder}: 5 of 5 photographs and 2 of 2 categories missing"
    assert f"{folder}: 1 of 5 photographs and 0 of 2 categories missing" in lines
    assert lines[-1] == f"{folder}: 5 photographs of 2 categories"


def test_the_verb_downloads_nothing_where_all_files_are_there(tmp_path):
    for name in (*TRAIN, TEST):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, cifar10.BYTES)  # only sizes are looked at

    answer = call("data", "cifar10", "--out", tmp_path)

    assert answer.exit_code == 0 and not answer.stderr
    assert answer.stdout == f"{tmp_path}: 50,000 images to train on and 10,000 to test on\n"
