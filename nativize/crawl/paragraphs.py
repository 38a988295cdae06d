"""CC-100: plain text whose documents are separated by blank lines.

A document over the bound is quarantined without being held. Where a compressed member breaks, the
document before the damage and the one after it are no whole documents and are quarantined.

Source: https://data.statmt.org/cc-100/
"""

from collections.abc import Iterator

from nativize.crawl.encoding import UndecodableError, decode
from nativize.crawl.lines import split_lines
from nativize.crawl.reader import CrawlFile, Item, Quarantined
from nativize.crawl.split import Piece


def read_cc100(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every stretch of lines without a blank one as a document or a quarantined record."""
    growing, cut = _Growing(maximum_bytes), False
    for line in split_lines(file, maximum_bytes):
        if isinstance(line, Quarantined):
            yield from growing.close(file, cut=True)
            yield line
            growing, cut = _Growing(maximum_bytes), True
        elif line.data is not None and not line.data.strip():
            yield from growing.close(file, cut)
            growing, cut = _Growing(maximum_bytes), False
        else:
            growing.add(line)
    yield from growing.close(file, cut)


class _Growing:
    """The document whose lines are being read; over the bound it holds nothing."""

    def __init__(self, maximum_bytes: int) -> None:
        self._maximum_bytes = maximum_bytes
        self._lines: list[bytes] = []
        self._begin: int | None = None
        self._end = 0

    def add(self, line: Piece) -> None:
        self._begin = line.offset if self._begin is None else self._begin
        self._end = line.offset + line.length
        if line.data is None or self._end - self._begin > self._maximum_bytes:
            self._lines.clear()
        else:
            self._lines.append(line.data)

    def close(self, file: CrawlFile, cut: bool) -> Iterator[Item]:
        """The document, if a line of one was read."""
        if self._begin is None:
            return
        piece = Piece(self._begin, self._end - self._begin, None)
        if cut:
            yield piece.refused("not whole: it reaches into damage of the compressed file")
        elif piece.length > self._maximum_bytes:
            yield piece.refused(f"longer than max_document_bytes ({self._maximum_bytes})")
        else:
            yield _document(file, piece, b"\n".join(self._lines))


def _document(file: CrawlFile, piece: Piece, data: bytes) -> Item:
    encoding = file.source.encoding
    try:
        text = decode(data, only="utf-8-sig" if encoding == "auto" else encoding)
    except UndecodableError as error:
        return piece.refused(str(error))
    return file.document(text, offset=piece.offset, length=piece.length)
