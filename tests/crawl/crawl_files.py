"""Crawl files made by hand, and short ways to read them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from nativize.artifact import Report, standalone
from nativize.crawl import read_crawl
from nativize.crawl.document import Document
from nativize.crawl.reader import Dropped, Item, Quarantined
from nativize.engine import LocalEngine
from nativize.recipe import Crawl, CrawlSource

PAGE = "<!DOCTYPE html><html><head><title>題</title></head><body><p>{}</p></body></html>"


def warc_record(
    body: bytes, *, kind: str = "response", url: str = "https://a.example/", head: str = ""
) -> bytes:
    """One WARC record around a content block."""
    lines = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        "WARC-Date: 2025-01-06T00:00:00Z",
        f"WARC-Target-URI: {url}",
        head or "Content-Type: application/http; msgtype=response",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body + b"\r\n\r\n"


def http(
    body: bytes, content_type: str = "text/html; charset=utf-8", status: str = "200 OK"
) -> bytes:
    """An HTTP response message."""
    header = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n\r\n"
    return header.encode() + body


def page(sentence: str, encoding: str = "utf-8") -> bytes:
    """A response record with one paragraph."""
    return warc_record(
        http(PAGE.format(sentence).encode(encoding), f"text/html; charset={encoding}")
    )


def members(*parts: bytes) -> bytes:
    """Each part as its own gzip member."""
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


def jsonl(*texts: str) -> bytes:
    return b"".join(
        json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts
    )


class Read:
    """What a reader made of a file."""

    def __init__(self, items: list[Item]) -> None:
        self.documents = [item for item in items if isinstance(item, Document)]
        self.quarantined = [item for item in items if isinstance(item, Quarantined)]
        self.dropped = [item.reason for item in items if isinstance(item, Dropped)]

    @property
    def texts(self) -> list[str]:
        return [document.text.strip() for document in self.documents]


def run(directory: Path, out: Path, *, workers: int = 1, **options: Any) -> Report:
    """The stage over everything in a directory."""
    crawl = Crawl(source=(CrawlSource(name="s", path="**/*.*"),), **options)
    with standalone(out) as place:
        return read_crawl(place, crawl=crawl, directory=directory, engine=LocalEngine(workers))


def rows(out: Path) -> list[dict[str, Any]]:
    """All documents of a value, in the order of its shards."""
    return [
        row for path in sorted(out.glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
