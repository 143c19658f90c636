"""Files are fetched from the first mirror that has them, and verified."""

import contextlib
import functools
import hashlib
import http.server
import threading
import time

import pytest
from digits import TRAIN_X, written

from gflow.data.kinds import mnist
from gflow.data.kinds.mnist import FILES, read_digits, unpacked
from gflow.data.make import download
from gflow.data.make.download import download_mnist
from gflow.errors import DataError


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
