"""Lines that stand in many documents stay in the best of them and are cut from the others.

Menus, notices and imprints are no text of the page that they stand on. A line is compared as whole
documents are, folded; which documents have it is counted over those that are still kept, so that
copies of one page do not make its lines frequent.

A line is known by 64 bits. Among L different lines any two have the same with probability about
L² / 2**65: 3e-10 for 10**5 lines, 3e-4 for 10**8, 0.03 for 10**9. Such a pair is counted as one
line, so that a document may lose its line although what stays elsewhere is the other.

Source: Wenzek et al. 2020, "CCNet", whose threshold is two documents; FineWeb (Penedo et al.
2024) measured that models trained without such lines were worse, so the step is off by default.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nativize.artifact import Count, ShardTask, Workplace
from nativize.dedup.documents import Documents, Hashes, Mask, Numbers
from nativize.dedup.lines import FORMAT, UNCLOSED, Span, read_lines
from nativize.dedup.report import Table, shortened
from nativize.dedup.sign import Signing
from nativize.dedup.stored import read_rows
from nativize.engine import CorpusEngine
from nativize.recipe import FrequentLines, identity

log = logging.getLogger(__name__)

LINES_IN_ONE_RANGE = 4_000_000
"""Joined at once: 500 MB of memory. What is cut stays in it, 35 bytes a place."""
MOST_SHOWN = 20

Spans = NDArray[np.int64]
Fields = NDArray[np.uint32]
"""m x `Span`."""


@dataclass(frozen=True)
class LineCuts:
    """What is cut out of N documents.

    Attributes:
        emptied: documents of which nothing would remain but what folds to blank space, such as
            "---"; they have no spans.
        documents: of each of m spans the document, ascending.
        spans: m x 2 bytes of the document's UTF-8, ascending, neither touching nor overlapping.
        lines: how many different lines were frequent.
        places: how many lines are cut, counted wherever they stand.
        cut: what all spans hold; its documents are those that lose a part.
        shown: the lines that stand in most documents, as a table.
    """

    emptied: Mask
    documents: Numbers
    spans: Spans
    lines: int
    places: int
    cut: Count
    shown: Table = field(default_factory=dict)

    @classmethod
    def nothing(cls, documents: int) -> "LineCuts":
        empty = np.empty(0, np.int64)
        return cls(np.zeros(documents, bool), empty, empty.reshape(0, 2), 0, 0, Count())

    def of_rows(self, first: int, rows: Numbers, count: int) -> pa.Array:
        """What is cut out of each row of a shard, as lists of begins and ends.

        Args:
            first: the shard's first document.
            rows: the row of each of its documents.
            count: its rows.
        """
        begin, end = np.searchsorted(self.documents, [first, first + len(rows)])
        of_row = rows[self.documents[begin:end] - first]
        lengths = 2 * np.bincount(of_row, minlength=count)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        flat = self.spans[begin:end].ravel().astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def frequent_line_cuts(
    documents: Documents,
    survivors: Mask,
    signing: Signing,
    lines: FrequentLines,
    place: Workplace,
    engine: CorpusEngine,
) -> LineCuts:
    """What to cut out of the documents that are still kept.

    Args:
        documents: all there are.
        survivors: those of them that are kept.
        signing: what lines are folded by.
        lines: the recipe's section.
        place: keeps the lines of each shard.
        engine: where shards are read.
    """
    found = _Found(documents, survivors, _read(documents, signing, lines, place, engine))
    frequent = [_frequent_of(found, part, lines) for part in found.ranges()]
    numbers = np.concatenate([part.documents for part in frequent])
    cut = np.concatenate([part.cut for part in frequent])
    emptied = _emptied(found, numbers, cut)
    remains = np.flatnonzero(~emptied[numbers])
    order = remains[np.lexsort((cut[remains, Span.BEGIN], numbers[remains]))]
    numbers, cut = numbers[order], cut[order]
    owners, spans = _spans(numbers, cut)
    sizes = Count(int(_opens(owners).sum()), _characters(spans, cut), int(np.diff(spans).sum()))
    log.info("frequent lines: %d cut out of %d documents", len(cut), sizes.documents)
    return LineCuts(
        emptied, owners, spans, sum(part.lines for part in frequent), len(cut), sizes,
        _shown(documents, frequent),
    )  # fmt: skip


@dataclass(frozen=True)
class _Frequent:
    """Of one range of hashes.

    Attributes:
        lines: how many are frequent.
        documents: of each place where one is cut the document.
        cut: of each such place the `Span`.
        counts: of those that stand in most documents, how many these are.
        best: the document where each of these stays.
        best_spans: and its place there.
    """

    lines: int
    documents: Numbers
    cut: Fields
    counts: Numbers
    best: Numbers
    best_spans: Fields


@dataclass(frozen=True)
class _Range:
    """Lines of survivors in the order of their hashes, then documents, then places.

    Attributes:
        hashes: of each of m lines.
        documents: and the document where it stands.
        order: and which of ``spans`` it has, for few of them are ever asked for.
        spans: m x `Span`.
    """

    hashes: Hashes
    documents: Numbers
    order: Numbers
    spans: Fields

    def spans_of(self, lines: Numbers) -> Fields:
        return self.spans[self.order[lines]]


@dataclass(frozen=True)
class _Found:
    """The lines of all shards, in files, of which one is open at a time."""

    documents: Documents
    survivors: Mask
    place: Workplace

    def ranges(self) -> Iterator[_Range]:
        """All lines, a range of hashes at a time."""
        sizes = [len(self._open(shard, "lines")) for shard in self._shards()]
        parts = max(1, -(-sum(sizes) // LINES_IN_ONE_RANGE))
        borders = np.array([(part << 64) // parts for part in range(1, parts)], np.uint64)
        cuts = [
            np.searchsorted(self._open(shard, "lines"), borders).tolist()
            for shard in self._shards()
        ]
        for part in range(parts):
            slices = [
                slice(*([0, *inner, size][part : part + 2]))
                for inner, size in zip(cuts, sizes, strict=True)
            ]
            yield self._range(slices)

    def letters(self) -> Numbers:
        """How many folded characters each document has."""
        found = np.empty(len(self.documents), np.int64)
        for shard in self._shards():
            here = slice(*self.documents.begins[shard : shard + 2])
            found[here] = self._open(shard, "letters")[self.documents.of_shard("row", shard)]
        return found

    def _shards(self) -> range:
        return range(len(self.documents.shards))

    def _open(self, shard: int, kind: str) -> NDArray[Any]:
        """A file of a shard, mapped; it is open for as long as the array lives."""
        path = self.place.out / f"{self.documents.shards[shard].stem}.{kind}.npy"
        return np.asarray(np.load(path, mmap_mode="r"))

    def _range(self, slices: list[slice]) -> _Range:
        parts = [self._part(shard, here) for shard, here in enumerate(slices)]
        hashes, numbers, spans = (np.concatenate(some) for some in zip(*parts, strict=True))
        order = np.argsort(hashes, kind="stable")
        return _Range(hashes[order], numbers[order], order, spans)

    def _part(self, shard: int, here: slice) -> tuple[Hashes, Numbers, Fields]:
        """Hashes, documents and spans of some lines of a shard, those of survivors."""
        begin, end = self.documents.begins[shard : shard + 2]
        numbers = begin + np.flatnonzero(self.survivors[begin:end])
        spans = self._open(shard, "spans")[here]
        if not len(numbers) or not len(spans):
            # copies, for a part of a mapped file would keep it open
            return np.empty(0, np.uint64), numbers[:0], spans[:0].copy()
        rows = self.documents.of_shard("row", shard)[numbers - begin]
        nearest = np.minimum(np.searchsorted(rows, spans[:, Span.ROW]), len(rows) - 1)
        kept = rows[nearest] == spans[:, Span.ROW]
        return self._open(shard, "lines")[here][kept], numbers[nearest[kept]], spans[kept]


def _read(
    documents: Documents,
    signing: Signing,
    lines: FrequentLines,
    place: Workplace,
    engine: CorpusEngine,
) -> Workplace:
    """Lines of every shard, those of shards that were read before taken from the cache."""
    step = place.step("lines")
    tasks = [
        ShardTask(
            shard.stem,
            {
                "shard": digest,
                "format": FORMAT,
                "fold": identity(signing.dedup.fold),
                "seed": signing.dedup.seed,
                "minimum_characters": lines.minimum_characters,
            },
            (shard, signing.shingling(), lines.minimum_characters),
        )
        for shard, digest in zip(documents.shards, documents.digests, strict=True)
    ]
    step.shards.build(engine, read_lines, tasks, step.out)
    return step


def _frequent_of(found: _Found, part: _Range, lines: FrequentLines) -> _Frequent:
    """Which lines of a range are frequent, where they stay and where they are cut."""
    opens = _opens(part.hashes)
    anew = opens | _opens(part.documents)
    line = np.cumsum(opens) - 1
    counts = np.bincount(line[anew])
    is_frequent = counts >= lines.minimum_documents
    here = np.flatnonzero(is_frequent[line])
    # lines that are not frequent have no number
    line = (np.cumsum(is_frequent) - 1)[line[here]]
    counts, documents = counts[is_frequent], part.documents[here]
    of_documents = anew[here]
    best = found.documents.best(documents[of_documents], line[of_documents])
    stays = documents == best[line]
    cut = here[~stays]
    most = np.argsort(-counts, kind="stable")[:MOST_SHOWN]
    first = np.searchsorted(line[stays], most)
    return _Frequent(
        len(best), part.documents[cut], part.spans_of(cut),
        counts[most], best[most], part.spans_of(here[stays][first]),
    )  # fmt: skip


def _opens(values: NDArray[Any]) -> Mask:
    """Where each run of equal values begins."""
    opens = np.ones(len(values), bool)
    opens[1:] = values[1:] != values[:-1]
    return opens


def _emptied(found: _Found, numbers: Numbers, cut: Fields) -> Mask:
    """Documents all of whose letters are cut; one that never had any is none of them."""
    lost = np.bincount(numbers, cut[:, Span.LETTERS], minlength=len(found.documents))
    return np.asarray((lost > 0) & (lost >= found.letters()))


def _spans(numbers: Numbers, cut: Fields) -> tuple[Numbers, Spans]:
    """Neighbouring lines as one span; a text that ended without a newline still does."""
    begins, ends = cut[:, Span.BEGIN].astype(np.int64), cut[:, Span.END].astype(np.int64)
    newlines = cut[:, Span.NEWLINES].astype(np.int64)
    first, last = _runs(numbers, begins, ends)
    # with a last line that had no newline goes the one before what is cut
    before = np.where(newlines[last] >= UNCLOSED, newlines[first] % UNCLOSED, 0)
    numbers, begins, ends = numbers[first], begins[first] - before, ends[last]
    # which may belong to an empty line that was all that stood between two spans
    first, last = _runs(numbers, begins, ends)
    return numbers[first], np.stack([begins[first], ends[last]], axis=1)


def _runs(numbers: Numbers, begins: Numbers, ends: Numbers) -> tuple[Numbers, Numbers]:
    """First and last of each run of spans of a document that touch."""
    opens = _opens(numbers)
    opens[1:] |= begins[1:] != ends[:-1]
    first = np.flatnonzero(opens)
    return first, np.append(first[1:], len(numbers))[: len(first)] - 1


def _characters(spans: Spans, cut: Fields) -> int:
    """What all spans hold; newlines before their lines have a byte a character."""
    lines = cut.sum(axis=0, dtype=np.int64)
    newlines = np.diff(spans).sum() - (lines[Span.END] - lines[Span.BEGIN])
    return int(newlines + lines[Span.CHARACTERS])


def _shown(documents: Documents, frequent: list[_Frequent]) -> Table:
    """The lines that stand in most documents, as the best of these has them."""
    counts = np.concatenate([part.counts for part in frequent])
    most = np.argsort(-counts, kind="stable")[:MOST_SHOWN]
    best = np.concatenate([part.best for part in frequent])[most].tolist()
    spans = np.concatenate([part.best_spans for part in frequent])[most]
    rows = [
        [_line_of(documents, one, span), count, documents.id(one)]
        for one, span, count in zip(best, spans, counts[most].tolist(), strict=True)
    ]
    return {"columns": ["line", "documents", "kept in"], "rows": rows}


def _line_of(documents: Documents, document: int, span: NDArray[np.uint32]) -> str:
    shard = int(np.searchsorted(documents.begins, document, "right")) - 1
    rows = documents.of("row", np.array([document])).astype(np.int64)
    text = read_rows(documents.shards[shard], rows)[0].as_py().encode()
    return shortened(text[span[Span.BEGIN] : span[Span.END]].decode().strip())
