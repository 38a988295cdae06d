"""WARC records and compressed lines, written by hand so that equal content is equal bytes.

A gzip member here carries no time and no name, a record's id is a hash of its content, and
dates come from the plan: warcio and FastWARC read the files, but neither writes the same
bytes twice. Source: WARC 1.0, ISO 28500:2009; gzip, RFC 1952.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
import uuid
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import zstandard

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no time, system unknown


def gzip_member(data: bytes) -> bytes:
    """Return one gzip member that depends on ``data`` and the zlib version alone."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    trailer = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return _GZIP_HEADER + deflate.compress(data) + deflate.flush() + trailer


def warc_record(kind: str, date: str, headers: Mapping[str, str], block: bytes) -> bytes:
    """Return one WARC record of type ``kind`` as a gzip member."""
    content_hash = hashlib.sha256(repr((kind, date, dict(headers))).encode() + block)
    identifier = uuid.UUID(bytes=content_hash.digest()[:16], version=4)
    fields = {
        "WARC-Type": kind,
        "WARC-Date": date,
        "WARC-Record-ID": f"<urn:uuid:{identifier}>",
        **headers,
        "Content-Length": str(len(block)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return gzip_member(b"WARC/1.0\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n")


def warcinfo(filename: str, date: str) -> bytes:
    """Return the record that opens every WARC file."""
    block = b"software: nativize.sample\r\nformat: WARC File Format 1.0\r\n"
    headers = {"WARC-Filename": filename, "Content-Type": "application/warc-fields"}
    return warc_record("warcinfo", date, headers, block)


def exchange(url: str, date: str, content_type: str, body: bytes) -> list[bytes]:
    """Return request, response and metadata of one fetched page, as crawls keep them."""
    host, _, path = url.removeprefix("https://").partition("/")
    request = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sample-crawler\r\n\r\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    target = {"WARC-Target-URI": url}
    http = {**target, "Content-Type": "application/http; msgtype="}
    digest = base64.b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
    return [
        warc_record("request", date, _typed(http, "request"), request.encode()),
        warc_record(
            "response",
            date,
            {**_typed(http, "response"), "WARC-Payload-Digest": f"sha1:{digest}"},
            head.encode() + body,
        ),
        warc_record(
            "metadata",
            date,
            {**target, "Content-Type": "application/warc-fields"},
            b"fetchTimeMs: 120\r\n",
        ),
    ]


def conversion(url: str, date: str, text: bytes) -> bytes:
    """Return a WET record: the plain text of a page."""
    headers = {"WARC-Target-URI": url, "Content-Type": "text/plain"}
    return warc_record("conversion", date, headers, text)


def json_line(row: Mapping[str, Any]) -> bytes:
    """Return ``row`` as one line of JSON, its characters unescaped."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def zstd(lines: Iterable[bytes]) -> bytes:
    """Return the lines as one zstd frame with its content size and checksum."""
    return zstandard.ZstdCompressor(level=9, write_checksum=True).compress(b"".join(lines))


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``; whoever looks sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _typed(headers: Mapping[str, str], message: str) -> dict[str, str]:
    return {**headers, "Content-Type": headers["Content-Type"] + message}
