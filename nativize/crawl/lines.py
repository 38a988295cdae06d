"""JSONL: one object a line, plain, gzip or zstd.

A bad line costs that line: lines are found in the bytes, before anything is decoded. A line over
the bound is passed over without being held. Where a compressed member breaks, the line that was
open and the damage are one quarantined record.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nativize.crawl.document import Document
from nativize.crawl.encoding import UndecodableError, decode
from nativize.crawl.members import Damage, read_members
from nativize.crawl.reader import CrawlFile, Dropped, Item, Quarantined

OTHER_FIELDS = {
    "url": ("url", "source_url"),
    "licence": ("licence", "license"),
    "fetched_at": ("fetched_at", "date", "timestamp", "date_download"),
    "language": ("language", "lang"),
}
"""Names under which corpora in the wild keep what a document records, ours first."""


@dataclass(frozen=True)
class Line:
    """A line without its newline, at a byte of the uncompressed text; None: over the bound."""

    offset: int
    length: int
    data: bytes | None


def read_jsonl(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every line as a document or a quarantined record; blank lines are no records."""
    for line in split_lines(file, maximum_bytes):
        if isinstance(line, Quarantined):
            yield line
        elif line.data is None:
            yield _refuse(line, f"longer than max_document_bytes ({maximum_bytes})")
        elif line.data.strip():
            yield _parse(file, line, line.data)


def split_lines(file: CrawlFile, maximum_bytes: int) -> Iterator[Line | Quarantined]:
    """The lines of all members, and one quarantined record for each damaged member."""
    held, position, skipped = bytearray(), 0, 0
    for member in read_members(file.path):
        while chunk := member.read():
            start = len(held)
            held += chunk
            while (end := held.find(b"\n", start)) >= 0:
                length = skipped + end
                too_long = length > maximum_bytes
                yield Line(position, length, None if too_long else bytes(held[:end]))
                del held[: end + 1]
                position, skipped, start = position + length + 1, 0, 0
            if skipped + len(held) > maximum_bytes:
                skipped += len(held)
                held.clear()
        if member.damage:
            yield _damaged(member.damage, skipped + len(held))
            position, skipped = position + skipped + len(held), 0
            held.clear()
    if held or skipped:
        yield Line(position, skipped + len(held), None if skipped else bytes(held))


def _parse(file: CrawlFile, line: Line, data: bytes) -> Item:
    encoding = file.source.encoding
    try:
        row = json.loads(decode(data, only="utf-8-sig" if encoding == "auto" else encoding))
    except UndecodableError as error:
        return _refuse(line, str(error))
    except (ValueError, RecursionError) as error:
        return _refuse(line, f"no JSON: {error}")
    if not isinstance(row, dict):
        return _refuse(line, "no JSON object")
    return document_of_row(file, row, line.offset, line.length) or _refuse(
        line, f"field '{file.source.text_field}' is missing or no valid text"
    )


def document_of_row(
    file: CrawlFile, row: Mapping[str, Any], offset: int, length: int
) -> Document | Dropped | None:
    """The document of a record with named fields; None where its text is no valid text."""
    text = row.get(file.source.text_field)
    if not isinstance(text, str) or not _encodable(text):
        return None
    fields = {field: _first_text(row, names) for field, names in OTHER_FIELDS.items()}
    return file.document(text, offset=offset, length=length, **fields)


def _first_text(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    values = (row.get(name) for name in names)
    return next((v for v in values if isinstance(v, str) and _encodable(v)), "")


def _encodable(text: str) -> bool:
    """Whether a text has no lone surrogates, which JSON can smuggle in as ``\\ud800``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(line: Line, reason: str) -> Quarantined:
    return Quarantined(reason, line.offset, line.length, line.length, "uncompressed")


def _damaged(damage: Damage, held_bytes: int) -> Quarantined:
    return Quarantined(damage.reason, damage.offset, damage.length, held_bytes)
