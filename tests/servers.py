"""Servers on this machine, in place of mirrors."""

import contextlib
import functools
import http.server
import threading


@contextlib.contextmanager
def serving(handler):
    """The address of a local server, which ends with a slash."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def served(folder):
    """The address of a local server of a folder."""
    handler = http.server.SimpleHTTPRequestHandler
    return serving(functools.partial(handler, directory=str(folder)))
