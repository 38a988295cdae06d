"""Second half of filtering: who stays, by columns that were measured before.

Reasons are asked in a fixed order and the first one counts: takedown → empty → mojibake → licence →
blocked_url → the filters in the order of `FILTERS` → words.
"""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Accounts, Count, Report
from nativize.clean.filters import Mask, Thresholds, drops
from nativize.clean.lists import Lists
from nativize.clean.measure import LANGUAGE_SCORE
from nativize.clean.personal import KINDS
from nativize.clean.statistics import Columns
from nativize.clean.takedown import taken_down
from nativize.crawl import SCHEMA
from nativize.crawl.document import open_writer
from nativize.crawl.report import KEPT, SAMPLES, length_counts, sample
from nativize.recipe import Clean, Language
from nativize.texts import Texts

FILTERED_SCHEMA = SCHEMA.append(LANGUAGE_SCORE)
"""A document with the probability that it is in the recipe's language."""


def decide_shard(
    measured: Path,
    language: Language,
    clean: Clean,
    thresholds: Thresholds,
    list_paths: dict[str, Path],
    takedowns: Sequence[str],
    out: Path,
) -> Report:
    """The documents of a measured shard that stay; books, samples, lengths."""
    started = time.process_time()
    lists = Lists.read(clean, list_paths, whole_words=language.shingle == "words")
    accounts, samples, metrics = Accounts(), _Samples(), _Metrics()
    writer = None
    with pq.ParquetFile(measured) as source:
        for group in range(source.num_row_groups):
            rows = source.read_row_group(group)
            fates = decide(rows, clean, thresholds, lists, takedowns)
            _account(accounts, rows, fates)
            samples.add(rows, fates)
            kept = rows.filter(pa.array(fates == KEPT))
            metrics.add(rows, fates == KEPT)
            if len(kept):
                writer = writer or open_writer(out / measured.name, FILTERED_SCHEMA)
                writer.write_table(kept.select(FILTERED_SCHEMA.names).cast(FILTERED_SCHEMA))
    if writer:
        writer.close()
    samples.write(out / f"{measured.stem}.samples.jsonl")
    seconds = time.process_time() - started
    return Report({**metrics.values, "decide_seconds": seconds}, accounts)


def decide(
    rows: pa.Table, clean: Clean, thresholds: Thresholds, lists: Lists, takedowns: Sequence[str]
) -> NDArray[Any]:
    """For each row the first reason that drops it, or "kept"."""
    fates = np.full(len(rows), KEPT, dtype=object)
    for reason, mask in _reasons(rows, clean, thresholds, lists, takedowns):
        fates[mask & (fates == KEPT)] = reason
    undecided = fates == KEPT
    if lists.words and undecided.any():
        # the only filters that look at the texts again see only what all others keep
        texts = Texts.of_column(rows["text"].filter(pa.array(undecided)))
        for words in lists.words:
            numbers = np.flatnonzero(undecided)[words.dropped(texts)]
            fates[numbers[fates[numbers] == KEPT]] = f"words:{words.wanted.name}"
    return fates


def _reasons(
    rows: pa.Table, clean: Clean, thresholds: Thresholds, lists: Lists, takedowns: Sequence[str]
) -> Iterator[tuple[str, Mask]]:
    if takedowns:
        yield "takedown", taken_down(rows, takedowns)
    columns = columns_of(rows)
    yield "empty", columns["characters"] == 0
    yield "mojibake", columns["mojibake"]
    if clean.licences:
        allowed = pc.is_in(rows["licence"], pa.array(clean.licences)).to_numpy()
        yield "licence", ~allowed
    if lists.urls:
        urls = rows["url"].to_pylist()
        yield "blocked_url", np.fromiter(map(lists.urls.blocks, urls), np.bool_, len(urls))
    yield from drops(columns, thresholds)


def columns_of(rows: pa.Table) -> Columns:
    """The statistics of measured rows."""
    names = [field.name for field in rows.schema if not pa.types.is_string(field.type)]
    return {name: rows[name].to_numpy() for name in names}


def _account(accounts: Accounts, rows: pa.Table, fates: NDArray[Any]) -> None:
    """The books, with the sizes of the texts as they came."""
    characters, size = rows["raw_characters"].to_numpy(), rows["raw_bytes"].to_numpy()
    accounts.entered += Count(len(rows), int(characters.sum()), int(size.sum()))
    for fate in np.unique(fates):
        here = fates == fate
        count = Count(int(here.sum()), int(characters[here].sum()), int(size[here].sum()))
        if fate == KEPT:
            accounts.kept += count
        else:
            accounts.dropped[fate] = accounts.dropped.get(fate, Count()) + count


class _Samples:
    """The first few documents of each fate."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.counts: dict[str, int] = {}

    def add(self, rows: pa.Table, fates: NDArray[Any]) -> None:
        texts = rows.select(["id", "url", "text"])
        for fate in np.unique(fates):
            room = SAMPLES - self.counts.get(fate, 0)
            for number in np.flatnonzero(fates == fate)[:room]:
                (row,) = texts.slice(int(number), 1).to_pylist()
                self.counts[fate] = self.counts.get(fate, 0) + 1
                self.lines.append(json.dumps(sample(row, fate), ensure_ascii=False) + "\n")

    def write(self, path: Path) -> None:
        path.write_text("".join(self.lines), encoding="utf-8")


class _Metrics:
    """What was changed in the kept texts, and lengths of kept and dropped ones."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def add(self, rows: pa.Table, kept: Mask) -> None:
        self._sum("boilerplate_lines", rows["boilerplate_lines"].to_numpy()[kept].sum())
        for kind in KINDS:
            name = f"personal_data_{kind}"
            if name in rows.schema.names:
                self._sum(name, rows[name].to_numpy()[kept].sum())
        characters = rows["characters"].to_numpy()
        for name, mask in (("lengths_kept", kept), ("lengths_dropped", ~kept)):
            before = np.array(self.values.get(name, [0]))
            self.values[name] = (before + length_counts(characters[mask])).tolist()

    def _sum(self, name: str, count: Any) -> None:
        self.values[name] = self.values.get(name, 0) + int(count)
