"""The body of an HTTP message as it was before its transfer, or why it is not there as a whole.

FastWARC takes a cut gzip or deflate body, chunks without the last one, and a body shorter than its
Content-Length for whole; so bodies are taken out of chunks and content encodings here. What an
encoding itself proves to be whole is whole: Content-Length counts only for a body without any.

Common Crawl stored decoded bodies below the unchanged headers of encoded ones until August 2018
(since then these are called X-Crawler-…). So a body that begins as HTML where it should be encoded
is taken as it is, whatever its length. Servers that call an encoding "none" or "utf-8" pass by the
same rule.

Source: RFC 9110 section 8.4, RFC 9112 sections 6 and 7
"""

import re
import zlib
from collections.abc import Callable, Iterator

import brotli
import zstandard
from fastwarc.warc import HeaderMap

LOOKS_LIKE_HTML = re.compile(rb"<!doctype html|<html|<head|<body", re.I)
SNIFF_BYTES = 1024
OUTPUT_BYTES = 1 << 16
INPUT_BYTES = 1 << 10
"""One kilobyte of zstd can unfold to 32 MB at most."""
WINDOW_BYTES = 1 << 27

CHUNK = re.compile(rb"[ \t]*([0-9a-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n", re.I)
NEWLINE = re.compile(rb"\r?\n")
BEFORE_MARKUP = b"\xef\xbb\xbf \t\r\n"
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"


class BodyError(ValueError):
    """A body that is cut or damaged; says which."""


def looks_like_html(body: bytes) -> bool:
    """Whether markup of a page stands in the first kilobyte."""
    return LOOKS_LIKE_HTML.search(body[:SNIFF_BYTES]) is not None


def decode_body(raw: bytes, headers: HeaderMap, maximum_bytes: int) -> bytes:
    """The body without chunks and content encodings.

    Raises:
        BodyError: it is cut, damaged, of an unknown encoding, or longer than ``maximum_bytes``.
    """
    chunked = "chunked" in (headers.get("Transfer-Encoding") or "").lower()
    named = (headers.get("Content-Encoding") or "").lower().split(",") if raw else []
    encodings = [name.strip() for name in named if name.strip() not in ("", "identity")]
    if not chunked and not encodings:
        _require_length(raw, (headers.get("Content-Length") or "").strip())
    try:
        body = _without_chunks(raw) if chunked else raw
        for encoding in reversed(encodings):
            body = _unfold(body, encoding, maximum_bytes)
    except BodyError:
        if raw.lstrip(BEFORE_MARKUP).startswith(b"<") and looks_like_html(raw):
            return raw
        raise
    return body


def _require_length(raw: bytes, declared: str) -> None:
    """No fewer bytes than declared; that there are more is common, and harms nothing."""
    if declared.isdecimal() and len(raw) < int(declared[:18]):
        raise BodyError(f"payload is cut: HTTP Content-Length {declared[:18]}, found {len(raw)}")


def _without_chunks(raw: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while at < len(raw):
        head = CHUNK.match(raw, at)
        if not head and raw.find(b"\n", at) < 0:
            break
        if not head:
            raise BodyError(f"payload is damaged: no chunk begins at its byte {at}")
        begin, end = head.end(), head.end() + int(head[1], 16)
        if begin == end:
            return b"".join(parts)
        parts.append(raw[begin:end])
        newline = NEWLINE.match(raw, end)
        if not newline and end + 1 < len(raw):
            raise BodyError(f"payload is damaged: a chunk does not end at its byte {end}")
        at = newline.end() if newline else len(raw)
    raise BodyError("payload is cut: its last chunk is missing")


def _unfold(data: bytes, encoding: str, maximum_bytes: int) -> bytes:
    """The content of one encoding."""
    unfold = ENCODINGS.get(encoding)
    if not unfold:
        raise BodyError(f"payload is damaged: Content-Encoding '{encoding[:40]}' is unknown")
    pieces, length = [], 0
    try:
        for piece in unfold(data) if data else ():
            pieces.append(piece)
            length += len(piece)
            if length > maximum_bytes:
                raise BodyError(f"longer than max_document_bytes ({maximum_bytes}) when decoded")
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise BodyError(f"payload is damaged: {encoding}: {error}") from error
    except EOFError as error:
        raise BodyError(f"payload is cut: {encoding} ends too early") from error
    return b"".join(pieces)


def _gunzip(data: bytes) -> Iterator[bytes]:
    """Members; what follows them and is none is passed over, as browsers do."""
    while True:
        decoder = zlib.decompressobj(31)
        yield from _inflate(data, decoder)
        data = decoder.unused_data
        if not data.startswith(GZIP):
            return


def _deflate(data: bytes) -> Iterator[bytes]:
    """zlib's format as the standard says, or bare deflate as some servers send."""
    try:
        zlib.decompressobj().decompress(data[:2], 1)
    except zlib.error:
        return _inflate(data, zlib.decompressobj(-15))
    return _inflate(data, zlib.decompressobj())


def _inflate(data: bytes, decoder: "zlib._Decompress") -> Iterator[bytes]:
    while not decoder.eof:
        piece = decoder.decompress(data, OUTPUT_BYTES)
        data = decoder.unconsumed_tail
        if not piece and not data and not decoder.eof:
            raise EOFError
        yield piece


def _unbrotli(data: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    while not decoder.is_finished():
        piece = decoder.process(data, output_buffer_limit=OUTPUT_BYTES)
        data = b""
        if not piece and not decoder.is_finished():
            raise EOFError
        yield piece


def _unzstd(data: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
    while True:
        decoder, at = decompressor.decompressobj(), 0
        while not decoder.eof:
            if at >= len(data):
                raise EOFError
            yield decoder.decompress(data[at : at + INPUT_BYTES])
            at += INPUT_BYTES
        data = decoder.unused_data + data[at:]
        if not data.startswith(ZSTD):
            return


ENCODINGS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
