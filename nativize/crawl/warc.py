"""WARC, WET and WAT: framed by us, parsed by FastWARC, and the main content extracted.

Only successful HTML and plain text responses, resources and conversions are documents; everything
else is dropped by a reason of its own. A record that begins its compressed member is located by the
member's place in the file, as in a CDX index.

A page that its crawler cut says so (WARC-Truncated), and is quarantined as one that was cut since:
its text would end in the middle without a word. Common Crawl cuts at 1 MiB (5 MiB since 2025):
0.76 % of its HTML in November 2019. A cut image is an image all the same, and dropped as one.

ISO 28500 lets others add record types; one that is not its own is taken for damage. Only `unknown`
is dropped by its name: files in the wild say it, and no flipped bit makes it of another type.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastwarc.warc import WarcRecord, WarcRecordType

from nativize.crawl.document import Document
from nativize.crawl.encoding import UndecodableError, decode, meta_charset
from nativize.crawl.extraction import extract_text
from nativize.crawl.framing import HEADER_END, Broken, Record, frame_records
from nativize.crawl.http_body import BodyError, decode_body, looks_like_html
from nativize.crawl.members import Member, PlainMember, read_members
from nativize.crawl.reader import CrawlFile, Dropped, Item, Quarantined

RECORD_TYPE = re.compile(rb"\nwarc-type:[ \t]*([^\r\n]*)", re.I)
HTML_TYPES = {"text/html", "application/xhtml+xml"}
TEXT_TYPES = HTML_TYPES | {"text/plain"}
WITH_CONTENT = {"response", "resource", "conversion"}
"""Record types that hold a page."""
WITHOUT_CONTENT = {"warcinfo", "request", "metadata", "revisit", "continuation", "unknown"}
"""The others of ISO 28500, and `unknown`, dropped by their names; a WAT holds metadata alone."""

Framing = Callable[[Member, int], Iterator[Record | Broken]]


class _DroppedError(ValueError):
    """A whole record that is no document; says by which reason."""


class _RefusedError(ValueError):
    """A record that cannot be read; says why."""


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
    except _DroppedError as dropped:
        return Dropped(str(dropped), len(read.data))
    except (_RefusedError, BodyError, UndecodableError) as refused:
        return Quarantined(str(refused), offset, length, len(read.data))


def _place(member: Member, framed: Record | Broken) -> tuple[int, int]:
    """Offset and length in the file: of the record itself, or of its compressed member."""
    length = framed.length if isinstance(framed, Broken) else len(framed.data)
    if isinstance(member, PlainMember):
        return member.offset + framed.inner, length
    return member.offset, member.end - member.offset or length


def _document(read: _Read, offset: int, length: int, maximum_bytes: int) -> Document | Dropped:
    _require_content(read.data)
    record = _parse(read.data)
    url = (record.headers.get("WARC-Target-URI") or "").strip("<> ")
    return read.file.document(
        _text(read.file, record, url, maximum_bytes),
        offset=offset,
        length=length,
        locator=read.locator,
        url=url,
        fetched_at=(record.headers.get("WARC-Date") or "").strip(),
        language=(record.headers.get("WARC-Identified-Content-Language") or "").split(",")[0],
    )


def _require_content(data: bytes) -> None:
    """A record of a type that holds a page."""
    found = RECORD_TYPE.search(data, 0, _header_end(data))
    kind = found.group(1).decode("latin-1").strip().lower() if found else ""
    if kind in WITHOUT_CONTENT:
        raise _DroppedError(f"record_{kind}")
    if kind not in WITH_CONTENT:
        raise _RefusedError(f"WARC-Type '{kind[:40]}' is none of ISO 28500")


def _header_end(data: bytes) -> int:
    """Where the record's header ends; framing saw that it does."""
    header = HEADER_END.search(data)
    return header.end() if header else len(data)


def _parse(data: bytes) -> WarcRecord:
    try:
        record = WarcRecord.from_bytes(data)
        if record.is_http:
            record.parse_http(auto_decode="none")
    except (OSError, ValueError) as error:
        raise _RefusedError(f"header is damaged: {error}") from error
    if record.is_http and not HEADER_END.search(data, _header_end(data)):
        raise _RefusedError("payload is cut: its HTTP header has no end")
    return record


def _text(file: CrawlFile, record: WarcRecord, url: str, maximum_bytes: int) -> str:
    """The text of a whole HTML or plain text payload."""
    if record.is_http and record.http_headers.status_code not in (200, 203, None):
        raise _DroppedError("http_status")
    if _path(url) == "/robots.txt":
        raise _DroppedError("robots")
    kind, charset = _media_type(record)
    if kind and kind not in TEXT_TYPES:
        raise _DroppedError("not_text")
    _require_whole(record)
    payload = record.reader.read()
    if record.is_http:
        payload = decode_body(payload, record.http_headers, maximum_bytes)
    kind = kind or _likely_type(record, payload)
    if kind == "text/plain":
        return decode(payload, [charset], only=file.source.encoding)
    if kind not in HTML_TYPES:
        raise _DroppedError("not_text")
    return extract_text(
        decode(payload, [charset, meta_charset(payload)], only=file.source.encoding)
    )


def _media_type(record: WarcRecord) -> tuple[str, str | None]:
    """Declared media type, empty without one, and charset."""
    if record.is_http:
        kind, charset = record.http_content_type, record.http_charset
    else:
        kind, _, rest = (record.headers.get("Content-Type") or "").partition(";")
        charset = rest.partition("charset=")[2].strip("\"' ") or None
    return (kind or "").strip().lower(), charset


def _require_whole(record: WarcRecord) -> None:
    """A record whose crawler did not cut it or spread it over several."""
    truncated = record.headers.get("WARC-Truncated")
    if truncated is not None:
        raise _RefusedError(f"cut by its crawler (WARC-Truncated: {truncated.strip()[:40]})")
    if record.headers.get("WARC-Segment-Number") is not None:
        raise _RefusedError("no more than the first segment of a record (WARC-Segment-Number)")


def _likely_type(record: WarcRecord, payload: bytes) -> str:
    """What a payload without a declared type looks like."""
    if looks_like_html(payload):
        return "text/html"
    return "text/plain" if record.record_type == WarcRecordType.conversion else ""


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
