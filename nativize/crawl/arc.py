"""ARC, the Internet Archive's format before WARC: framed here, then read as the WARC it would be.

No kept library reads damaged ARC: FastWARC reads none, warcio stops at the first bad header. A
record is a header line that ends with a length, as many bytes, and a newline. Where the length does
not fit, the record is broken and reading goes on at the next line that is such a header. A length
fits if a newline follows; if no header follows that, it is the next record that is damaged, unless
a header stands within this one.

Source: https://archive.org/web/researcher/ArcFileFormat.php
"""

import re
from collections.abc import Iterator

from nativize.crawl.framing import Broken, Record, Window, frame_by
from nativize.crawl.members import Member
from nativize.crawl.reader import CrawlFile, Item
from nativize.crawl.warc import read_records

HEADER_BYTES = 1 << 14
"""Longest header line: the address is in it."""
HEADER = re.compile(
    rb"(?P<url>[a-z][a-z0-9+.\-]*:[^\r\n]*?) (?P<ip>[0-9a-fA-F.:]+|-) (?P<date>\d{8,18})"
    rb" (?P<type>[^ \r\n]+)(?: [^\r\n]*)? (?P<length>-?\w+)\r?\n"
)
BEGIN = re.compile(rb"(?<=\n)" + HEADER.pattern)
DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})")


def read_arc(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every record of an ARC file; HTML and plain text responses are documents."""
    return read_records(file, maximum_bytes, frame_arc, as_warc)


def frame_arc(member: Member, maximum_bytes: int) -> Iterator[Record | Broken]:
    """The records of one member; damage of the member is a broken record of its own."""
    return frame_by(_frame, member, maximum_bytes)


def as_warc(data: bytes) -> bytes:
    """A whole ARC record as a WARC record of the same content."""
    header = HEADER.match(data)
    if not header:
        return data
    url, body = header["url"], data[header.end() :]
    kind, content = _kind(url, header["type"])
    lines = [b"WARC/1.0", b"WARC-Type: " + kind, b"WARC-Target-URI: " + url]
    lines += [b"WARC-Date: " + _iso(header["date"]), b"Content-Type: " + content]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def _kind(url: bytes, media_type: bytes) -> tuple[bytes, bytes]:
    """Record type and content type that WARC gives to what an address names."""
    if url.startswith((b"http:", b"https:")):
        return b"response", b"application/http; msgtype=response"
    if url.startswith(b"filedesc:"):
        return b"warcinfo", b"application/warc-fields"
    return b"resource", media_type


def _iso(date: bytes) -> bytes:
    found = DATE.match(date.decode("ascii"))
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()).encode() if found else b""


def _frame(window: Window, maximum_bytes: int) -> Record | Broken:
    window.fill(HEADER_BYTES)
    header = HEADER.match(window.held, 0, HEADER_BYTES)
    if not header or not header["length"].isdigit():
        return _broken(window, 1, "no ARC header with a length begins here")
    length, begin = int(header["length"][:18]), header.end()
    if length > maximum_bytes:
        reason = f"longer than max_document_bytes ({length} > {maximum_bytes})"
        return _broken(window, begin, reason)
    end = begin + length
    if not window.fill(end):
        reason = f"record is cut: length {length}, found {len(window.held) - begin}"
        return _broken(window, begin, reason)
    window.fill(end + HEADER_BYTES)
    if not _ends_well(window, begin, end):
        return _broken(window, begin, f"no record begins after length {length}")
    record = Record(window.position, bytes(window.held[:end]))
    window.drop(end)
    return record


def _ends_well(window: Window, begin: int, end: int) -> bool:
    """Whether what should follow a record follows the content that begins and ends there."""
    following = end
    while following < len(window.held) and window.held[following] in b"\r\n":
        following += 1
    if following == len(window.held):
        return window.member.damage is None
    begins_a_line = window.held[following - 1] in b"\r\n"
    if begins_a_line and HEADER.match(window.held, following, following + HEADER_BYTES):
        return True
    return following > end and not BEGIN.search(window.held, begin, end)


def _broken(window: Window, start: int, reason: str) -> Broken:
    position = window.position
    _drop_to_next_record(window, start)
    ended = not window.held and window.member.damage
    length = window.position - position
    if ended:
        return Broken(position, length + window.lost_bytes, ended.reason)
    return Broken(position, length, reason)


def _drop_to_next_record(window: Window, start: int) -> None:
    """Everything dropped up to a line at or after ``start`` that is a header."""
    while True:
        found = BEGIN.search(window.held, start)
        if found:
            window.drop(found.start())
            return
        scanned = max(start, len(window.held) - HEADER_BYTES)
        window.drop(min(scanned, len(window.held)))
        start = max(0, start - scanned)
        if not window.fill(len(window.held) + 1):
            window.drop(len(window.held))
            return
