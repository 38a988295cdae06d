"""JSON documents: an array of objects, or objects one after another, however they are laid out.

Where an object ends is found in the bytes by counting brackets, so that no more than one is held,
and one that is no JSON costs itself. One that never ends costs the rest of its file: nothing tells
an object of an array from an object within. An array without its end is cut. Files that call
themselves ``.json`` but hold an object a line (C4, Dolma) are read by their lines, where damage
costs a line.
"""

import json
import re
from collections.abc import Iterator

from nativize.crawl.lines import document_of_object, read_jsonl, split_lines
from nativize.crawl.members import read_members
from nativize.crawl.reader import CrawlFile, Item, Quarantined
from nativize.crawl.split import Piece

TOKEN = re.compile(rb'\\.?|["{}\[\]]', re.DOTALL)
BETWEEN = re.compile(rb"[\s,\[\]]*")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_json(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every object as a document or a quarantined record."""
    if _begins_with_a_whole_line(file, maximum_bytes):
        yield from read_jsonl(file, maximum_bytes)
        return
    for piece in _objects(file, maximum_bytes):
        if isinstance(piece, Quarantined):
            yield piece
        elif piece.data is None:
            yield piece.refused(f"longer than max_document_bytes ({maximum_bytes})")
        else:
            yield document_of_object(file, piece, piece.data)


def _begins_with_a_whole_line(file: CrawlFile, maximum_bytes: int) -> bool:
    """Whether the first line that is not blank is an object by itself."""
    for line in split_lines(file, maximum_bytes):
        data = None if isinstance(line, Quarantined) else line.data
        if data is None or data.strip():
            return data is not None and _is_object(data)
    return False


def _is_object(data: bytes) -> bool:
    if not data.removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _objects(file: CrawlFile, maximum_bytes: int) -> Iterator[Piece | Quarantined]:
    """The outermost objects; what stands between them and is neither blank, bracket nor comma."""
    scan = _Scan(maximum_bytes, 0)
    for member in read_members(file.path):
        while chunk := member.read():
            yield from scan.take(chunk)
        if member.damage:
            damage = member.damage
            lost = scan.end - scan.begin + damage.lost_bytes
            yield Quarantined(damage.reason, damage.offset, damage.length, lost)
            scan = _Scan(maximum_bytes, scan.end)
    rest = list(scan.close())
    yield from rest
    if scan.array_is_open and not rest:
        yield Quarantined("the array is cut: it has no end", scan.end, 0, 0, "uncompressed")


class _Scan:
    """Objects found in a stream of bytes; holds no more than the object that is open."""

    def __init__(self, maximum_bytes: int, position: int) -> None:
        self._maximum_bytes = maximum_bytes
        self.begin = position
        self._held = bytearray()
        self._length = 0
        self._escapes = False
        self._depth = 0
        self._in_string = False
        self.array_is_open = False

    def take(self, chunk: bytes) -> Iterator[Piece]:
        """The objects that end in a chunk, and what stands before objects that begin in it."""
        done, escaped, self._escapes = 0, self._escapes, False
        for token in TOKEN.finditer(chunk, int(escaped)):
            depth = self._depth
            self._step(token.group())
            if depth + self._depth == 1:  # an outermost object begins or ends
                edge = token.end() if depth else token.start()
                self._hold(chunk[done:edge])
                yield from self.close()
                done = edge
        self._hold(chunk[done:])

    def close(self) -> Iterator[Piece]:
        """What is held, where it is more than what may stand between objects."""
        data = bytes(self._held) if self._length <= self._maximum_bytes else None
        if data is None or not BETWEEN.fullmatch(data.removeprefix(BYTE_ORDER_MARK)):
            yield Piece(self.begin, self._length, data)
        self.begin, self._length = self.end, 0
        self._held.clear()

    @property
    def end(self) -> int:
        return self.begin + self._length

    def _step(self, token: bytes) -> None:
        if token.startswith(b"\\"):
            self._escapes = len(token) == 1  # what it escapes is yet to come
        elif token == b'"':
            self._in_string = not self._in_string
        elif self._in_string:
            return
        elif token == b"{" or (token == b"[" and self._depth):
            self._depth += 1
        elif token in b"]}" and self._depth:
            self._depth -= 1
        elif token in b"[]":  # of what holds the objects
            self.array_is_open = token == b"["

    def _hold(self, data: bytes) -> None:
        self._length += len(data)
        if self._length > self._maximum_bytes:
            self._held.clear()
        else:
            self._held += data
