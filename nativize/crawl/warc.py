"""WARC, WET and WAT: framed by us, parsed by FastWARC, and the main content extracted.

Only successful HTML and plain text responses, resources and conversions are documents; everything
else is dropped by a reason of its own. A record that begins its compressed member is located by the
member's place in the file, as in a CDX index.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastwarc.warc import WarcRecord, WarcRecordType

from nativize.crawl.document import Document
from nativize.crawl.encoding import UndecodableError, decode, meta_charset
from nativize.crawl.extraction import extract_text
from nativize.crawl.framing import Broken, Record, frame_records
from nativize.crawl.members import Member, PlainMember, read_members
from nativize.crawl.reader import CrawlFile, Dropped, Item, Quarantined

RECORD_TYPE = re.compile(rb"\nwarc-type:[ \t]*([a-z]+)", re.I)
HTML_TYPES = {"text/html", "application/xhtml+xml"}
LOOKS_LIKE_HTML = re.compile(rb"<!doctype html|<html|<head|<body", re.I)
SNIFF_BYTES = 1024
WITH_CONTENT = {"response", "resource", "conversion"}
"""Record types that hold a page; all that a WAT has is metadata, dropped by that reason."""

Framing = Callable[[Member, int], Iterator[Record | Broken]]


class _RefusedError(ValueError):
    """A record that is no document; its one argument is what it is instead."""

    def __init__(self, item: Dropped | str) -> None:
        super().__init__(item)
        self.item = item


def read_warc(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every record of a WARC, WET or WAT file: what is HTML or plain text as documents."""
    return read_records(file, maximum_bytes, frame_records, bytes)


def read_records(
    file: CrawlFile, maximum_bytes: int, frame: Framing, as_warc: Callable[[bytes], bytes]
) -> Iterator[Item]:
    """Every record of a file as it is framed, once it is a WARC record."""
    for member in read_members(file.path):
        for framed in frame(member, maximum_bytes):
            offset, length = _place(member, framed)
            if isinstance(framed, Broken):
                yield Quarantined(framed.reason, offset, length, framed.length)
            else:
                record = _Read(file, as_warc(framed.data), f"{offset}+{framed.inner}")
                yield _item(record, offset, length, maximum_bytes)


@dataclass(frozen=True)
class _Read:
    """A whole WARC record; the locator, as a compressed member may hold several records."""

    file: CrawlFile
    data: bytes
    locator: str


def _item(read: _Read, offset: int, length: int, maximum_bytes: int) -> Item:
    try:
        return _document(read, offset, length, maximum_bytes)
    except _RefusedError as refused:
        if isinstance(refused.item, Dropped):
            return refused.item
        return Quarantined(refused.item, offset, length, len(read.data))


def _place(member: Member, framed: Record | Broken) -> tuple[int, int]:
    """Offset and length in the file: of the record itself, or of its compressed member."""
    length = framed.length if isinstance(framed, Broken) else len(framed.data)
    if isinstance(member, PlainMember):
        return member.offset + framed.inner, length
    return member.offset, member.end - member.offset or length


def _document(read: _Read, offset: int, length: int, maximum_bytes: int) -> Document | Dropped:
    _require_type(read.data)
    record, payload = _parse(read.data, maximum_bytes)
    url = (record.headers.get("WARC-Target-URI") or "").strip("<> ")
    return read.file.document(
        _text(read.file, record, url, payload),
        offset=offset,
        length=length,
        locator=read.locator,
        url=url,
        fetched_at=(record.headers.get("WARC-Date") or "").strip(),
        language=(record.headers.get("WARC-Identified-Content-Language") or "").split(",")[0],
    )


def _require_type(data: bytes) -> None:
    found = RECORD_TYPE.search(data)
    kind = found.group(1).decode("ascii").lower() if found else "unknown"
    if kind not in WITH_CONTENT:
        raise _RefusedError(Dropped(f"record_{kind}", len(data)))


def _parse(data: bytes, maximum_bytes: int) -> tuple[WarcRecord, bytes]:
    """The parsed record and its payload, decoded from chunks and content encodings."""
    try:
        record = WarcRecord.from_bytes(data)
        if record.is_http:
            record.parse_http(auto_decode="all")
        payload: bytes = record.reader.read(maximum_bytes + 1)
    except (OSError, ValueError) as error:
        raise _RefusedError(f"payload is damaged: {error}") from error
    if len(payload) > maximum_bytes:
        raise _RefusedError(f"longer than max_document_bytes ({maximum_bytes}) when decoded")
    return record, payload


def _text(file: CrawlFile, record: WarcRecord, url: str, payload: bytes) -> str:
    """The text of an HTML or plain text payload."""
    if record.is_http and record.http_headers.status_code not in (200, 203, None):
        raise _RefusedError(Dropped("http_status", len(payload)))
    if _path(url) == "/robots.txt":
        raise _RefusedError(Dropped("robots", len(payload)))
    kind, charset = _media_type(record, payload)
    if kind == "text/plain":
        return _decode(file, payload, charset)
    if kind not in HTML_TYPES:
        raise _RefusedError(Dropped("not_text", len(payload)))
    return extract_text(_decode(file, payload, charset, meta_charset(payload)))


def _media_type(record: WarcRecord, payload: bytes) -> tuple[str, str | None]:
    """Media type and declared charset; without a type, what the payload looks like."""
    if record.is_http:
        kind, charset = record.http_content_type, record.http_charset
    else:
        kind, _, rest = (record.headers.get("Content-Type") or "").partition(";")
        charset = rest.partition("charset=")[2].strip("\"' ") or None
    if not kind and LOOKS_LIKE_HTML.search(payload[:SNIFF_BYTES]):
        return "text/html", charset
    if not kind and record.record_type == WarcRecordType.conversion:
        kind = "text/plain"
    return (kind or "").strip().lower(), charset


def _decode(file: CrawlFile, payload: bytes, *declared: str | None) -> str:
    try:
        return decode(payload, declared, only=file.source.encoding)
    except UndecodableError as error:
        raise _RefusedError(str(error)) from error


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
