"""The stage `raw_crawl`: every crawl file read once, into shards of its own.

A shard depends on one crawl file, so a new file makes new shards and leaves the old ones alone.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nativize.artifact import Accounts, Report, ShardTask, Stage, Workplace, sha256_of
from nativize.crawl.columns import read_parquet
from nativize.crawl.document import Document, DocumentFile
from nativize.crawl.lines import read_jsonl
from nativize.crawl.plain import read_text
from nativize.crawl.reader import CrawlFile, Dropped, Item, Quarantined, Reader, size_of
from nativize.crawl.sources import crawl_files, shard_stem
from nativize.crawl.warc import read_warc
from nativize.engine import CorpusEngine, LocalEngine
from nativize.errors import CrawlError
from nativize.recipe import Crawl, identity

READ_CRAWL = Stage("raw_crawl", version=1, group="corpus", reads=("crawl",))

READERS: Mapping[str, Reader] = {
    "warc": read_warc,
    "wet": read_warc,
    "jsonl": read_jsonl,
    "text": read_text,
    "parquet": read_parquet,
}


def read_crawl(
    place: Workplace,
    *,
    crawl: Crawl,
    directory: Path,
    engine: CorpusEngine | None = None,
) -> Report:
    """The documents of all sources as Parquet shards, and what could not be read.

    Writes ``<source>-<file>-<nnnn>.parquet`` and, where any, ``<source>-<file>.quarantine.jsonl``.

    Args:
        place: where the value grows.
        crawl: sources and bounds.
        directory: what the sources' paths are relative to.
        engine: where the work runs; one process per core by default.

    Raises:
        CrawlError: a source matches nothing, is of unknown format, or nothing is a document.
    """
    files = crawl_files(crawl, directory)
    tasks = [_task(file, crawl) for file in files]
    _require_different([task.name for task in tasks])
    reports = place.shards.build(engine or LocalEngine(), read_file, tasks, place.out)
    accounts = Accounts.total(report.accounts for report in reports if report.accounts)
    _require_documents(accounts, files)
    return Report(_metrics(files, reports, accounts), accounts)


def read_file(
    file: CrawlFile, maximum_document_bytes: int, shard_text_bytes: int, out: Path
) -> Report:
    """One crawl file as shards in ``out``; its books."""
    accounts = Accounts()
    quarantined: list[Quarantined] = []
    items = _entered(READERS[file.format](file, maximum_document_bytes), accounts)
    documents = _documents_only(items, accounts, quarantined)
    shards = write_shards(documents, out, shard_stem(file), shard_text_bytes, accounts)
    if quarantined:
        path = out / f"{shard_stem(file)}.quarantine.jsonl"
        lines = (_quarantine_line(file, item) for item in quarantined)
        path.write_text("".join(lines), encoding="utf-8")
    return Report({"shards": shards, "crawl_bytes": file.path.stat().st_size}, accounts)


def write_shards(
    documents: Iterable[Document],
    out: Path,
    stem: str,
    shard_text_bytes: int,
    accounts: Accounts,
) -> int:
    """The documents in files of about ``shard_text_bytes``, at least one; how many files."""
    remaining = iter(documents)
    document = next(remaining, None)
    number = 0
    while number == 0 or document:
        written = 0
        with DocumentFile(out / f"{stem}-{number:04}.parquet") as shard:
            while document and written < shard_text_bytes:
                shard.add(vars(document))
                accounts.keep(document.text)
                written += len(document.text.encode())
                document = next(remaining, None)
        number += 1
    return number


def _entered(items: Iterable[Item], accounts: Accounts) -> Iterator[Item]:
    for item in items:
        accounts.entered += size_of(item)
        yield item


def _documents_only(
    items: Iterable[Item], accounts: Accounts, quarantined: list[Quarantined]
) -> Iterator[Document]:
    """The documents; what is refused goes to the books and to ``quarantined``."""
    for item in items:
        if isinstance(item, Document):
            yield item
        elif isinstance(item, Dropped):
            dropped = accounts.dropped.get(item.reason)
            size = size_of(item)
            accounts.dropped[item.reason] = dropped + size if dropped else size
        else:
            accounts.quarantined += size_of(item)
            quarantined.append(item)


def _quarantine_line(file: CrawlFile, item: Quarantined) -> str:
    row: dict[str, Any] = {
        "source": file.source.name,
        "file": file.name,
        "offset": item.offset,
        "length": item.length,
        "within": item.within,
        "reason": item.reason,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _task(file: CrawlFile, crawl: Crawl) -> ShardTask:
    return ShardTask(
        name=shard_stem(file),
        identity={
            "file": file.name,
            "format": file.format,
            "sha256": sha256_of(file.path),
            "source": identity(file.source),
            "max_document_bytes": crawl.max_document_bytes,
            "shard_text_bytes": crawl.shard_text_bytes,
        },
        arguments=(file, crawl.max_document_bytes, crawl.shard_text_bytes),
    )


def _require_different(names: Iterable[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise CrawlError(
            f"two crawl files would make shards of the same name: {', '.join(twice[:5])}."
            " Let each file match one source, and rename one of the sources."
        )


def _require_documents(accounts: Accounts, files: list[CrawlFile]) -> None:
    if not accounts.kept.documents:
        dropped = {reason: count.documents for reason, count in accounts.dropped.items()}
        raise CrawlError(
            f"{len(files)} crawl files, first {files[0].path}, hold no document:"
            f" {accounts.entered.documents} records entered, dropped {dropped},"
            f" quarantined {accounts.quarantined.documents}."
            " Look at 'format', 'text_field' and 'encoding' of the recipe's crawl sources."
        )


def _metrics(
    files: list[CrawlFile], reports: list[Report], accounts: Accounts
) -> dict[str, int | float]:
    return {
        "files": len(files),
        "files_read": sum(not report.metrics["shard_reused"] for report in reports),
        "shards": sum(report.metrics["shards"] for report in reports),
        "crawl_bytes": sum(report.metrics["crawl_bytes"] for report in reports),
        "documents": accounts.kept.documents,
        "characters": accounts.kept.characters,
        "dropped": accounts.dropped_total().documents,
        "quarantined": accounts.quarantined.documents,
    }
