"""The files of the crawl: planted documents as WARC, as WET and as JSON lines.

Here the bytes are made, and here they are spoilt where a document's kind says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nativize.sample.pages import draw_page
from nativize.sample.planted import Planted
from nativize.sample.records import conversion, exchange, json_line, warcinfo, zstd

CRAWL_DATE = "2026-01-05T00:00:00Z"

# A 1 x 1 PNG without its image data: enough for its type to be recognised.
_PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108020000009077")
_ROBOTS = (
    b"User-agent: *\nDisallow: /admin/\nSitemap: https://www.machi-dayori.example/sitemap.xml\n"
)


def write_warc(name: str, pages: Sequence[Planted], random: Random) -> bytes:
    """Return a WARC file of HTML pages; a truncated last page cuts its response in half."""
    members = [warcinfo(name, CRAWL_DATE)]
    for page in pages:
        content_type, body = _fetched(page, random)
        request, response, metadata = exchange(page.url, _timestamp(page), content_type, body)
        if page.kind == "truncated":
            return b"".join((*members, request, response[: len(response) // 2]))
        members += (request, response, metadata)
    return b"".join(members)


def write_wet(name: str, pages: Sequence[Planted], _: Random) -> bytes:
    """Return a WET file: the plain text of the pages."""
    records = (conversion(page.url, _timestamp(page), _body(page, page.text)) for page in pages)
    return b"".join((warcinfo(name, CRAWL_DATE), *records))


def write_jsonl(_: str, pages: Sequence[Planted], random: Random) -> bytes:
    """Return JSON lines in one zstd frame: text, url, timestamp and sometimes a licence."""
    return zstd(_line(page, random) for page in pages)


def _line(page: Planted, random: Random) -> bytes:
    row = {"text": page.text, "url": page.url, "timestamp": _timestamp(page)}
    if random.random() < 1 / 3:
        row["licence"] = "CC0-1.0"
    line = json_line(row)
    if page.kind == "not_json":
        return line[: len(line) // 2].decode(errors="ignore").encode() + b"\n"
    return _spoil(line) if page.kind == "invalid_byte" else line


def _fetched(page: Planted, random: Random) -> tuple[str, bytes]:
    """Return content type and body of the page's response."""
    if page.kind == "not_text":
        return ("image/png", _PNG) if page.url[-1] < "8" else ("text/plain", _ROBOTS)
    if page.kind == "empty":
        return "text/html", b""
    return f"text/html; charset={page.declared}", _body(page, draw_page(random, page))


def _body(page: Planted, text: str) -> bytes:
    encoded = text.encode(page.encoding)
    return _spoil(encoded) if page.kind == "invalid_byte" else encoded


def _spoil(data: bytes) -> bytes:
    """Put a byte that no UTF-8 has into the middle, between two characters of the text."""
    middle = len(data[: len(data) // 2].decode(errors="ignore").encode())
    return data[:middle] + b"\xff" + data[middle:]


def _timestamp(page: Planted) -> str:
    return f"{page.date}T09:00:00Z"
