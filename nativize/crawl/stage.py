"""The stage `raw_crawl`: every crawl file read once, into shards of its own.

A shard depends on one crawl file (or a bundle of small files of one document each), so a new file
makes new shards and leaves the old ones alone.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from nativize.artifact import (
    Accounts,
    Count,
    Report,
    ShardTask,
    Stage,
    Workplace,
    shard_counts,
    throughput,
)
from nativize.artifact.digests import remembered_digests
from nativize.crawl.document import Document, DocumentFile
from nativize.crawl.formats import BY_NAME
from nativize.crawl.quarantine import QuarantineFile, quarantine_lines
from nativize.crawl.reader import CrawlFile, Dropped, size_of
from nativize.crawl.report import (
    KEPT,
    SAMPLES,
    draw_lengths,
    length_counts,
    sample,
    write_quarantine,
    write_samples,
)
from nativize.crawl.sources import crawl_files, shard_stem
from nativize.engine import CorpusEngine, LocalEngine
from nativize.errors import CrawlError
from nativize.recipe import Crawl, identity

READ_CRAWL = Stage(
    "raw_crawl",
    version=2,
    group="corpus",
    reads=("crawl",),
    shard_reads=(),  # a task's identity names the options of its own source
    volatile=("*.quarantine.jsonl", "*.samples.jsonl"),
)

BUNDLE_FILES = 64
"""Small files in one bundle, on average."""
BUNDLED_FILE_BYTES = 1_000_000
METADATA = {"record_metadata", "record_warcinfo", "record_request"}
"""What all records of a WAT file are dropped as."""


def read_crawl(
    place: Workplace,
    *,
    crawl: Crawl,
    directory: Path,
    engine: CorpusEngine | None = None,
) -> Report:
    """The documents of all sources as Parquet shards, and what could not be read.

    Writes ``<source>-<file>-<nnnn>.parquet`` (of a bundle: its first file) and, where any,
    ``<source>-<file>.quarantine.jsonl``.

    Args:
        place: where the value grows.
        crawl: sources and bounds.
        directory: what the sources' paths are relative to.
        engine: where the work runs; one process per core by default.

    Raises:
        CrawlError: a source matches nothing, is of unknown format, or nothing is a document.
    """
    files = crawl_files(crawl, directory)
    digests = remembered_digests(file.path for file in files)
    tasks = [_task(bundle, crawl, digests) for bundle in bundles(files)]
    _require_different([task.name for task in tasks])
    reports = place.shards.build(engine or LocalEngine(), read_bundle, tasks, place.out)
    accounts = Accounts.total(report.accounts for report in reports if report.accounts)
    _require_documents(accounts, files, place.out)
    write_samples(sorted(place.out.glob("*.samples.jsonl")), place.out)
    write_quarantine(quarantine_lines(place.out), place.out)
    draw_lengths(reports, place.out)
    return Report(_metrics(files, reports, accounts), accounts)


def bundles(files: Sequence[CrawlFile]) -> list[tuple[CrawlFile, ...]]:
    """The files of each shard task: one, or neighbours among many small files.

    A shard has a fixed cost (30 ms); 3,000 stories in 3,000 files took minutes in all stages. A
    bundle ends where a file's name says so, so that a new file changes one bundle only.
    """
    result: list[tuple[CrawlFile, ...]] = []
    growing: list[CrawlFile] = []
    for file in files:
        if growing and _kind(growing[-1]) != _kind(file):
            result.append(tuple(growing))
            growing = []
        growing.append(file)
        if _ends_bundle(file):
            result.append(tuple(growing))
            growing = []
    return [*result, tuple(growing)] if growing else result


def _kind(file: CrawlFile) -> tuple[str, str]:
    return file.source.name, file.format


def _ends_bundle(file: CrawlFile) -> bool:
    if not BY_NAME[file.format].bundled or file.path.stat().st_size > BUNDLED_FILE_BYTES:
        return True
    digest = hashlib.sha256(file.name.encode()).digest()
    return int.from_bytes(digest[:4], "big") % BUNDLE_FILES == 0


def read_bundle(
    files: tuple[CrawlFile, ...], maximum_document_bytes: int, shard_text_bytes: int, out: Path
) -> Report:
    """Crawl files as shards in ``out``; their books, the lengths of the documents, and samples."""
    started = time.process_time()
    accounts, stem, seen = Accounts(), shard_stem(files[0]), _Seen()
    with QuarantineFile(out / f"{stem}.quarantine.jsonl") as quarantine:
        documents = chain.from_iterable(
            _documents(file, maximum_document_bytes, accounts, quarantine) for file in files
        )
        shards = write_shards(map(seen.look, documents), out, stem, shard_text_bytes, accounts)
    (out / f"{stem}.samples.jsonl").write_text("".join(seen.samples), encoding="utf-8")
    crawl_bytes = sum(file.path.stat().st_size for file in files)
    figures = {"shards": shards, "files": len(files), "crawl_bytes": crawl_bytes}
    seconds = {"read_seconds": time.process_time() - started}
    return Report({**figures, **seconds, "lengths_kept": seen.lengths.tolist()}, accounts)


class _Seen:
    """What passes on its way into shards: the first documents, and all lengths."""

    def __init__(self) -> None:
        self.samples: list[str] = []
        self.lengths = length_counts(np.empty(0, np.int64))

    def look(self, document: Document) -> Document:
        self.lengths += length_counts(np.array([len(document.text)]))
        if len(self.samples) < SAMPLES:
            line = json.dumps(sample(vars(document), KEPT), ensure_ascii=False)
            self.samples.append(line + "\n")
        return document


def write_shards(
    documents: Iterable[Document],
    out: Path,
    stem: str,
    shard_text_bytes: int,
    accounts: Accounts,
) -> int:
    """The documents in files of about ``shard_text_bytes``; how many files."""
    remaining = iter(documents)
    document = next(remaining, None)
    number = 0
    while document:
        written = 0
        with DocumentFile(out / f"{stem}-{number:04}.parquet") as shard:
            while document and written < shard_text_bytes:
                shard.add(vars(document))
                accounts.keep(document.text)
                written += len(document.text.encode())
                document = next(remaining, None)
        number += 1
    return number


def _documents(
    file: CrawlFile, maximum_bytes: int, accounts: Accounts, quarantine: QuarantineFile
) -> Iterator[Document]:
    """A file's documents; all items enter the books, what is refused goes to quarantine."""
    for item in BY_NAME[file.format].read(file, maximum_bytes):
        size = size_of(item)
        accounts.entered += size
        if isinstance(item, Document):
            yield item
        elif isinstance(item, Dropped):
            accounts.dropped[item.reason] = accounts.dropped.get(item.reason, Count()) + size
        else:
            accounts.quarantined += size
            quarantine.add(file, item)


def _task(bundle: tuple[CrawlFile, ...], crawl: Crawl, digests: Mapping[Path, str]) -> ShardTask:
    return ShardTask(
        name=shard_stem(bundle[0]),
        identity={
            "files": {file.name: digests[file.path] for file in bundle},
            "format": bundle[0].format,
            "source": identity(bundle[0].source),
            "max_document_bytes": crawl.max_document_bytes,
            "shard_text_bytes": crawl.shard_text_bytes,
        },
        arguments=(bundle, crawl.max_document_bytes, crawl.shard_text_bytes),
    )


def _require_different(names: Iterable[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise CrawlError(
            f"two crawl files would make shards of the same name: {', '.join(twice[:5])}."
            " Let each file match one source, and rename one of the sources."
        )


def _require_documents(accounts: Accounts, files: list[CrawlFile], out: Path) -> None:
    if accounts.kept.documents:
        return
    dropped = {reason: count.documents for reason, count in accounts.dropped.items()}
    raise CrawlError(
        f"{len(files)} crawl files, first {files[0].path}, hold no document:"
        f" {accounts.entered.documents} records entered, dropped {dropped},"
        f" quarantined {accounts.quarantined.documents}{_first_reason(out)}. {_advice(dropped)}"
    )


def _first_reason(out: Path) -> str:
    line = next(quarantine_lines(out), None)
    return f" (the first: {json.loads(line)['reason']})" if line else ""


def _advice(dropped: Mapping[str, int]) -> str:
    if "record_metadata" in dropped and set(dropped) <= METADATA:
        return (
            "These records are metadata, as those of a WAT file: it holds no text. Name the WET"
            " files (text) or the WARC files (pages) of the same crawl."
        )
    return "Look at 'format', 'text_field' and 'encoding' of the recipe's crawl sources."


def _metrics(
    files: list[CrawlFile], reports: list[Report], accounts: Accounts
) -> dict[str, int | float]:
    return {
        "files": len(files),
        **shard_counts(reports),
        "crawl_bytes": sum(report.metrics["crawl_bytes"] for report in reports),
        "documents": accounts.kept.documents,
        "characters": accounts.kept.characters,
        "dropped": accounts.dropped_total().documents,
        "quarantined": accounts.quarantined.documents,
        **throughput(_work(reports)),
    }


def _work(reports: list[Report]) -> Iterator[tuple[int, float]]:
    """Bytes of crawl files and processor seconds of the shards that were read now."""
    for metrics in (report.metrics for report in reports):
        if not metrics["shard_reused"]:
            yield metrics["crawl_bytes"], metrics["read_seconds"]
