"""What is planted in the crawl: a document, where it stands and what is wrong with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

from nativize.sample.compose import Document
from nativize.sample.material import load_dirt

FIRST_DAY = date(2025, 1, 6)
DAYS = 360
ENGLISH_HOST = "notes.plain-words.example"


@dataclass(frozen=True)
class Planted:
    """One document of the sample and its label.

    ``encoding`` is how its bytes are written, ``declared`` what its page says of them;
    ``topic`` and ``style`` come from the composed document it was made of.
    """

    url: str
    kind: str
    language: str
    topic: str
    style: int
    title: str
    paragraphs: tuple[str, ...]
    encoding: str = "utf-8"
    declared: str = "utf-8"
    duplicate_of: str | None = None

    @property
    def text(self) -> str:
        """Title and paragraphs, one a line; empty when both are."""
        return "\n".join(part for part in (self.title, *self.paragraphs) if part)

    @property
    def date(self) -> str:
        """The day of publication, a function of the address."""
        number = int.from_bytes(hashlib.sha256(self.url.encode()).digest()[:4])
        return (FIRST_DAY + timedelta(days=number % DAYS)).isoformat()

    def truth(self, file: str) -> dict[str, str]:
        """Return the line of truth.jsonl for this document in ``file``."""
        row = {"url": self.url, "file": file, "kind": self.kind, "language": self.language}
        if self.duplicate_of is not None:
            row["duplicate_of"] = self.duplicate_of
        if self.encoding != "utf-8":
            row["encoding"] = self.encoding
        return row


def plant(document: Document, address: str) -> Planted:
    """Return ``document`` as a clean page; ``address`` names its place in the plan."""
    return Planted(
        url=_url_of(document, address),
        kind="clean",
        language=document.language,
        topic=document.topic,
        style=document.style,
        title=document.title,
        paragraphs=document.paragraphs,
    )


def _url_of(document: Document, address: str) -> str:
    """Return an address under one of the sample's sites (RFC 2606 names only)."""
    digest = hashlib.sha256(address.encode()).hexdigest()
    sites = load_dirt()["sites"]
    host = sites[int(digest[:2], 16) % len(sites)]["host"]
    if document.language == "en":
        host = ENGLISH_HOST
    return f"https://{host}/{document.topic}/{digest[:12]}"
