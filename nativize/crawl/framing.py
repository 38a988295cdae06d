"""Where WARC records begin and end, bounded and resynchronising.

FastWARC parses what a record says, but it passes a cut record silently and stops at damage. So
records are framed here first: header block, declared length, the blank lines after it, the next
record's beginning. Where these do not fit, the record is broken and reading goes on at the next
beginning of a record. A record never spans members (WARC 1.1, annex D).

Two blank lines and then garbage may mean that garbage came between records, or that the declared
length is too small and happens to end at a blank line. It is garbage if no second pair of blank
lines stands before the next record, or if it has fields of a header whose first line is damaged;
else the record is taken for broken.

Source: ISO 28500:2017, https://iipc.github.io/warc-specifications/
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nativize.crawl.members import Member

HEADER_BYTES = 1 << 16
MARKER_BYTES = 64
LOOK_AHEAD_BYTES = 1 << 16

HEADER_END = re.compile(rb"\r?\n\r?\n")
CONTENT_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r?\n", re.I)
BEGIN = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n[A-Za-z\-]{1,40}:")
BLANK_LINES = re.compile(rb"\r?\n\r?\n")
ENDS_BLANK = re.compile(rb"\n\r?\n\Z")
AFTER = re.compile(rb"(?:\r?\n){0,3}(?:WARC/\d|\Z)")
NO_HEADER = re.compile(rb"\0|" + BEGIN.pattern)
"""What stands in no header: zeros of a lost disk block, or another record's beginning."""
FIELD = re.compile(rb"\n(?:WARC-(?:Type|Date|Record-ID|Target-URI)|Content-Length):", re.I)


@dataclass(frozen=True)
class Record:
    """A whole record at a byte of its member's uncompressed content."""

    inner: int
    data: bytes


@dataclass(frozen=True)
class Broken:
    """Bytes of a member's uncompressed content that are no whole record.

    Attributes:
        length: with what the member's decoder decoded and did not hand on.
    """

    inner: int
    length: int
    reason: str


class Window:
    """The uncompressed content of a member from `position` on, held only as far as needed."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.held = bytearray()
        self.position = 0

    def fill(self, length: int) -> bool:
        """Whether at least ``length`` bytes are held now."""
        while len(self.held) < length:
            chunk = self.member.read()
            if not chunk:
                return False
            self.held += chunk
        return True

    @property
    def lost_bytes(self) -> int:
        """What the member's decoder decoded and did not hand on."""
        return self.member.damage.lost_bytes if self.member.damage else 0

    def drop(self, length: int) -> None:
        del self.held[:length]
        self.position += length

    def drop_to_next_record(self, start: int) -> int:
        """Everything dropped up to a line at or after ``start`` that begins a record; how much."""
        before = self.position
        while True:
            found = BEGIN.search(self.held, start)
            if found:
                self.drop(found.start())
                return self.position - before
            scanned = max(start, len(self.held) - MARKER_BYTES)
            self.drop(min(scanned, len(self.held)))
            start = max(0, start - scanned)
            if not self.fill(len(self.held) + 1):
                self.drop(len(self.held))
                return self.position - before


def frame_records(member: Member, maximum_bytes: int) -> Iterator[Record | Broken]:
    """The records of one member of a WARC file."""
    return frame_by(_frame, member, maximum_bytes)


def frame_by(
    frame: Callable[[Window, int], Record | Broken], member: Member, maximum_bytes: int
) -> Iterator[Record | Broken]:
    """The records that ``frame`` takes from a member; its damage is a broken record of its own."""
    window = Window(member)
    damage_told = False
    while window.fill(1):
        if window.held[0] in b"\r\n":
            window.drop(1)
            continue
        framed = frame(window, maximum_bytes)
        damage_told = isinstance(framed, Broken) and member.damage is not None
        yield framed
    if member.damage and not damage_told:
        yield Broken(window.position, window.lost_bytes, member.damage.reason)


def _frame(window: Window, maximum_bytes: int) -> Record | Broken:
    window.fill(HEADER_BYTES)
    head = window.held[:HEADER_BYTES]
    header = HEADER_END.search(head) if head.startswith(b"WARC/") else None
    declared = CONTENT_LENGTH.search(head, 0, header.end()) if header else None
    if not header or not declared or NO_HEADER.search(head, 1, header.end()):
        return _broken(window, 1, "no WARC header with a Content-Length begins here")
    length = int(declared.group(1))
    if length > maximum_bytes:
        reason = f"longer than max_document_bytes ({length} > {maximum_bytes})"
        return _broken(window, header.end(), reason)
    end = header.end() + length
    if not window.fill(end):
        got = len(window.held) - header.end()
        reason = f"record is cut: Content-Length {length}, found {got}"
        return _broken(window, header.end(), reason)
    window.fill(end + MARKER_BYTES)
    if not AFTER.match(window.held, end) and not _garbage_follows(window, end):
        return _broken(window, header.end(), f"no record begins after Content-Length {length}")
    if window.member.damage and len(window.held) < end + MARKER_BYTES:
        return _broken(window, header.end(), window.member.damage.reason)
    record = Record(window.position, bytes(window.held[:end]))
    window.drop(end)
    return record


def _garbage_follows(window: Window, end: int) -> bool:
    """Whether a record ended as it should at ``end``, and what follows it is no part of it."""
    window.fill(end + LOOK_AHEAD_BYTES)
    blank = BLANK_LINES.match(window.held, end)
    if not blank:
        return False
    following = BEGIN.search(window.held, end)
    until = following.start() if following else len(window.held)
    between = window.held[blank.end() - 1 : until]
    return not ENDS_BLANK.search(between) or FIELD.search(between) is not None


def _broken(window: Window, start: int, reason: str) -> Broken:
    position = window.position
    length = window.drop_to_next_record(start)
    ended = not window.held and window.member.damage
    if ended:
        return Broken(position, length + window.lost_bytes, ended.reason)
    return Broken(position, length, reason)
