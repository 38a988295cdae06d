"""JSONL: one object a line.

A bad line costs that line: lines are found in the bytes, before anything is decoded.
"""

import json
import re
from collections.abc import Iterator

from nativize.crawl.encoding import UndecodableError, decode
from nativize.crawl.fields import document_of_row
from nativize.crawl.reader import CrawlFile, Item, Quarantined
from nativize.crawl.split import Piece, split

NEWLINE = re.compile(rb"\n")


def read_jsonl(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every line as a document or a quarantined record; blank lines are no records."""
    for line in split_lines(file, maximum_bytes):
        if isinstance(line, Quarantined):
            yield line
        elif line.data is None:
            yield line.refused(f"longer than max_document_bytes ({maximum_bytes})")
        elif line.data.strip():
            yield document_of_object(file, line, line.data)


def split_lines(file: CrawlFile, maximum_bytes: int) -> Iterator[Piece | Quarantined]:
    """The lines of all members, without their newlines."""
    return split(file, NEWLINE, 1, maximum_bytes)


def document_of_object(file: CrawlFile, piece: Piece, data: bytes) -> Item:
    """The document of one JSON object, or why it is none."""
    encoding = file.source.encoding
    try:
        row = json.loads(decode(data, only="utf-8-sig" if encoding == "auto" else encoding))
    except UndecodableError as error:
        return piece.refused(str(error))
    except (ValueError, RecursionError) as error:
        return piece.refused(f"no JSON: {error}")
    if not isinstance(row, dict):
        return piece.refused("no JSON object")
    return document_of_row(file, row, piece.offset, piece.length) or piece.refused(
        f"field '{file.source.text_field}' is missing or no valid text"
    )
