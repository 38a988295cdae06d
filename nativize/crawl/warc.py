"""WARC and WET: framed by us, parsed by FastWARC, main content extracted by resiliparse.

Only successful HTML and plain text responses are documents; everything else is dropped by a
reason of its own. A record that begins its compressed member is located by the member's place in
the file, as in a CDX index.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from fastwarc.warc import WarcRecord
from resiliparse.extract.html2text import extract_plain_text

from nativize.crawl.document import Document
from nativize.crawl.encoding import UndecodableError, decode, meta_charset
from nativize.crawl.framing import Broken, Record, frame_records
from nativize.crawl.members import Member, PlainMember, read_members
from nativize.crawl.reader import CrawlFile, Dropped, Item, Quarantined

RECORD_TYPE = re.compile(rb"\nwarc-type:[ \t]*([a-z]+)", re.I)
HTML_TYPES = {"text/html", "application/xhtml+xml"}
LOOKS_LIKE_HTML = re.compile(rb"<!doctype html|<html|<head|<body", re.I)
SNIFF_BYTES = 1024


class _RefusedError(ValueError):
    """A record that is no document; its one argument is what it is instead."""

    def __init__(self, item: Dropped | str) -> None:
        super().__init__(item)
        self.item = item


def read_warc(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every record of a WARC file: HTML and plain text responses and resources as documents."""
    for member in read_members(file.path):
        for framed in frame_records(member, maximum_bytes):
            yield _item(file, member, framed, maximum_bytes)


def _item(file: CrawlFile, member: Member, framed: Record | Broken, maximum_bytes: int) -> Item:
    offset, length = _place(member, framed)
    if isinstance(framed, Broken):
        return Quarantined(framed.reason, offset, length, framed.length)
    try:
        return _document(file, framed, offset, length, maximum_bytes)
    except _RefusedError as refused:
        if isinstance(refused.item, Dropped):
            return refused.item
        return Quarantined(refused.item, offset, length, len(framed.data))


def _place(member: Member, framed: Record | Broken) -> tuple[int, int]:
    """Offset and length in the file: of the record itself, or of its compressed member."""
    length = framed.length if isinstance(framed, Broken) else len(framed.data)
    if isinstance(member, PlainMember):
        return member.offset + framed.inner, length
    return member.offset, member.end - member.offset or length


def _document(
    file: CrawlFile, framed: Record, offset: int, length: int, maximum_bytes: int
) -> Document | Dropped:
    _require_type(framed, ("conversion",) if file.format == "wet" else ("response", "resource"))
    record, payload = _parse(framed, maximum_bytes)
    url = (record.headers.get("WARC-Target-URI") or "").strip("<> ")
    text = _decode(file, payload) if file.format == "wet" else _text(file, record, url, payload)
    return file.document(
        text,
        offset=offset,
        length=length,
        locator=f"{offset}+{framed.inner}",  # a compressed member may hold several records
        url=url,
        fetched_at=(record.headers.get("WARC-Date") or "").strip(),
        language=(record.headers.get("WARC-Identified-Content-Language") or "").split(",")[0],
    )


def _require_type(framed: Record, wanted: tuple[str, ...]) -> None:
    found = RECORD_TYPE.search(framed.data)
    kind = found.group(1).decode("ascii").lower() if found else "unknown"
    if kind not in wanted:
        raise _RefusedError(Dropped(f"record_{kind}", len(framed.data)))


def _parse(framed: Record, maximum_bytes: int) -> tuple[WarcRecord, bytes]:
    """The parsed record and its payload, decoded from chunks and content encodings."""
    try:
        record = WarcRecord.from_bytes(framed.data)
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
    return (kind or "").strip().lower(), charset


def extract_text(html: str) -> str:
    """The main content of an HTML page, one block a line."""
    text: str = extract_plain_text(
        html,
        preserve_formatting=True,
        main_content=True,
        list_bullets=False,
        alt_texts=False,
        comments=False,
        post_meta=False,
    )
    return text


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
