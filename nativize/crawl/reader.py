"""What every reader speaks: a crawl file goes in, documents and refused records come out.

A reader is a function ``read(file, maximum_bytes) -> Iterator[Item]``. It never raises for what a
file holds: what cannot be read becomes a `Quarantined`, what is no text a `Dropped`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nativize.artifact import Count
from nativize.crawl.cleaners import CLEANERS
from nativize.crawl.document import Document, document_id, text_sha256
from nativize.recipe import CrawlSource

Within = Literal["file", "uncompressed", "rows"]
"""What an offset counts: bytes of the file as it lies there, of its uncompressed text, or rows."""


@dataclass(frozen=True)
class Dropped:
    """A whole record that holds no text for a corpus: an image, a redirect, crawl metadata."""

    reason: str
    bytes: int


@dataclass(frozen=True)
class Quarantined:
    """A record that cannot be read, and where it lies."""

    reason: str
    offset: int
    length: int
    bytes: int
    within: Within = "file"


Item = Document | Dropped | Quarantined


@dataclass(frozen=True)
class CrawlFile:
    """One file of a source.

    Attributes:
        source: the recipe's entry that matched it.
        path: where it lies now; no identity.
        name: its name relative to the fixed part of the source's glob; part of every id.
        format: the name of its format (`nativize/crawl/formats.py`).
    """

    source: CrawlSource
    path: Path
    name: str
    format: str

    def document(
        self,
        text: str,
        *,
        offset: int,
        length: int,
        locator: str = "",
        url: str = "",
        fetched_at: str = "",
        language: str = "",
        licence: str = "",
    ) -> Document | Dropped:
        """The document at a place in this file, cleaned as its source says.

        One without any text is dropped as empty.
        """
        text = CLEANERS[self.source.cleaner](text)
        if not text.strip():
            return Dropped("empty", length)
        return Document(
            id=document_id(self.source.name, self.name, locator or str(offset)),
            text=text,
            url=url,
            source=self.source.name,
            licence=licence or self.source.licence,
            fetched_at=fetched_at,
            language=language,
            file=self.name,
            offset=offset,
            length=length,
            sha256=text_sha256(text),
        )


Reader = Callable[[CrawlFile, int], Iterator[Item]]


def size_of(item: Item) -> Count:
    """What an item is in the books: a document its text; a refused record its bytes, 0 characters.

    The bytes of a refused record are those of its payload as far as it was read.
    """
    if isinstance(item, Document):
        return Count(1, len(item.text), len(item.text.encode()))
    return Count(1, 0, item.bytes)
