"""Files are fetched from the first mirror that has them, and verified; other answers are named."""

import contextlib
import functools
import hashlib
import http.server
import time

import pytest
from digits import TRAIN_X, written
from servers import served, serving

from gflow.data.kinds import mnist
from gflow.data.kinds.mnist import FILES, read_digits, unpacked
from gflow.data.make import download
from gflow.data.make.download import Published, fetch, has_md5
from gflow.data.make.mnist import download_mnist
from gflow.errors import DataError


@pytest.fixture
def mirror(tmp_path):
    """A local server of a folder of its own."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with served(folder) as address:
        yield folder, address


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
    failed = [line for line in lines if line.startswith(address + "nowhere/")]
    assert len(failed) == 4 and all("HTTP Error 404" in line for line in failed)
    assert [line.rsplit(": ")[1] for line in lines if line not in failed] == (
        ["downloaded and checked"] * 4 + ["exists"] * 4
    )


def test_a_mirror_with_another_content_leaves_nothing(tmp_path, mirror):
    served, address = mirror
    written(served)

    with pytest.raises(DataError, match=r"but is not .*content differs from the published file"):
        download_mnist(tmp_path / "data", [address])

    assert list((tmp_path / "data").iterdir()) == []


CONTENT = bytes(range(256)) * 40
"""What all mirrors should send."""


class _Mirror(http.server.BaseHTTPRequestHandler):
    """Answers as the address says."""

    def do_GET(self):
        kind = self.path.strip("/")
        if kind == "silence":
            time.sleep(5.0)
        body = {"page": b"\n<!DOCTYPE html><html>Sign in</html>", "nothing": b"",
                "half": CONTENT[: len(CONTENT) // 2], "other": CONTENT[::-1],
                "longer": CONTENT * 2}.get(kind, CONTENT)  # fmt: skip
        self.send_response(200)
        promised = {"half": len(CONTENT), "dribble": 1_000_000}.get(kind, len(body))
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        with contextlib.suppress(OSError):
            while kind == "dribble":
                self.wfile.write(b"x")
                time.sleep(0.01)
            self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def mirrors(monkeypatch):
    """The address of mirrors that send what their name says, and little time for each."""
    monkeypatch.setattr(download, "PATIENCE", 1.0)
    monkeypatch.setattr(download, "SILENCE", 1.0)
    with serving(_Mirror) as address:
        yield address


def published(*addresses):
    md5 = hashlib.md5(CONTENT).hexdigest()
    whole = functools.partial(has_md5, md5=md5)
    return Published("file.bin", addresses, largest=len(CONTENT), is_whole=whole)


BAD = [
    ("page", "it sends a web page instead"),
    ("half", "it sends only 5,120 of 10,240 bytes"),
    ("nothing", "it sends nothing"),
    ("other", "content differs from the published file"),
    ("longer", "it sends more than 10,240 bytes"),
    ("dribble", "bytes arrived in 1 s"),
    ("silence", "timed out"),
]


@pytest.mark.parametrize(("kind", "words"), BAD)
def test_a_first_mirror_that_fails_is_named_and_the_second_one_used(tmp_path, mirrors, kind, words):
    lines = []

    path = fetch(published(mirrors + kind, mirrors + "good"), tmp_path, "…", lines.append)

    assert path.read_bytes() == CONTENT and list(tmp_path.iterdir()) == [path]
    assert lines[0].startswith(f"{mirrors}{kind}: ") and words in lines[0]
    assert lines[1:] == [f"{path}: downloaded and checked"]


def test_mirrors_that_all_fail_are_all_named_and_nothing_is_left(tmp_path, mirrors):
    file = published(*(mirrors + kind for kind, _ in BAD))

    with pytest.raises(
        DataError, match=r"from one of 7 mirrors, but is not .*; try again, or wait"
    ):
        try:
            fetch(file, tmp_path, "wait", lambda line: None)
        except DataError as error:
            assert all(f"{mirrors}{kind}: " in str(error) and words in str(error)
                       for kind, words in BAD)  # fmt: skip
            raise

    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_not_blamed_on_a_mirror(tmp_path, mirrors):
    # /dev/full refuses every byte; the file is written through it.
    (tmp_path / "file.bin.part").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left"):
        fetch(published(mirrors + "good"), tmp_path, "…", lambda line: None)
