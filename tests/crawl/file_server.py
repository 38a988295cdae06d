"""A real HTTP server in a thread, with the faults that servers of crawls have."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass
class Served:
    """One file and how its server behaves.

    Attributes:
        data: its bytes.
        etag: sent as it is; empty: none is sent.
        modified: Last-Modified; empty: none is sent.
        ranges: whether parts are served.
        head: status of HEAD.
        cuts: after how many bytes each of the next answers breaks off.
        length: Content-Length that is sent; None: the true one; "": none, and not chunked either.
        statuses: of the next answers to GET, before it works.
        redirect: address to which it leads instead.
        encoding: Content-Encoding that is sent.
        then: what it becomes after the next answer to GET.
        stalls: after so many bytes nothing comes any more.
        chunked: whether GET is answered in chunks instead of a length.
    """

    data: bytes = b""
    etag: str = '"one"'
    modified: str = "Mon, 06 Jan 2025 00:00:00 GMT"
    ranges: bool = True
    head: int = 200
    cuts: list[int] = field(default_factory=list)
    length: str | None = None
    statuses: list[int] = field(default_factory=list)
    redirect: str = ""
    encoding: str = ""
    then: "Served | None" = None
    stalls: int = 0
    chunked: bool = False


class FileServer(ThreadingHTTPServer):
    """Serves `files` by path and keeps every request: method, path, Range."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.released = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.requests]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that we cut is no error of the test."""


@contextmanager
def file_server() -> Iterator[FileServer]:
    server = FileServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        served = self._served()
        if served and self._redirected(served) is None:
            self._begin(served, served.head, 0)

    def do_GET(self) -> None:
        served = self._served()
        if served is None or self._redirected(served):
            return
        if served.statuses:
            self._begin(Served(), served.statuses.pop(0), 0)
            return
        start, end = self._range(served)
        if start and start >= len(served.data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(served.data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        partial = (start, end) != (0, len(served.data))
        self._begin(served, 206 if partial else 200, start, end)
        body = served.data[start:end]
        if served.then:
            self.server.files[self.path] = served.then
        if served.chunked:
            self._send_chunks(body, served)
        elif served.cuts:
            self.wfile.write(body[: served.cuts.pop(0)])
            self.close_connection = True
        elif served.stalls:
            self.wfile.write(body[: served.stalls])
            self.server.released.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(body)
            self.close_connection = served.length is not None

    def _send_chunks(self, body: bytes, served: Served) -> None:
        cut = served.cuts.pop(0) if served.cuts else len(body) + 1
        for start in range(0, min(cut, len(body)), 100_000):
            chunk = body[start : start + 100_000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.close_connection = True
        if cut > len(body):
            self.wfile.write(b"0\r\n\r\n")

    def _served(self) -> Served | None:
        self.server.requests.append((self.command, self.path, self.headers.get("Range", "")))
        files = self.server.files
        served = files.get(self.path) or files.get(self.path.partition("?")[0])
        if served is None:
            self._begin(Served(), 404, 0)
        return served

    def _redirected(self, served: Served) -> str | None:
        if served.redirect:
            self.send_response(302)
            self.send_header("Location", served.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return served.redirect or None

    def _range(self, served: Served) -> tuple[int, int]:
        """Which bytes are wanted; all where the range does not hold."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        unchanged = condition is None or condition in (served.etag, served.modified)
        size = len(served.data)
        if not (found and served.ranges and unchanged):
            return 0, size
        return int(found[1]), min(size, int(found[2]) + 1) if found[2] else size

    def _begin(self, served: Served, status: int, start: int, end: int | None = None) -> None:
        end = len(served.data) if end is None else end
        self.send_response(status)
        length = str(end - start) if served.length is None else served.length
        if served.chunked and self.command == "GET":
            self.send_header("Transfer-Encoding", "chunked")
        elif length:
            self.send_header("Content-Length", length)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(served.data)}")
        for name, value in (
            ("ETag", served.etag),
            ("Last-Modified", served.modified),
            ("Content-Encoding", served.encoding),
        ):
            if value:
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""
