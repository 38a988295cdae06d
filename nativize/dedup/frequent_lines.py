"""Lines that stand in many documents stay in the best of them and are cut from the others.

Menus, notices and imprints are no text of the page that they stand on. A line is compared as whole
documents are, folded; which documents have it is counted over those that are still kept, so that
copies of one page do not make its lines frequent.

Of L distinct lines two collide in 64 bits with probability L² / 2**65: 3 % of a corpus with a
billion of them loses the count of one line. Source: Wenzek et al. 2020, "CCNet", whose threshold
is two documents; FineWeb (Penedo et al. 2024) measured that models trained without such lines
were worse, so the step is off by default.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nativize.artifact import Count, ShardTask, Workplace
from nativize.dedup.documents import Documents, Hashes, Mask, Numbers
from nativize.dedup.lines import Span, read_lines
from nativize.dedup.report import Table, shortened
from nativize.dedup.sign import Signing
from nativize.dedup.stored import read_rows
from nativize.engine import CorpusEngine
from nativize.recipe import FrequentLines, identity

log = logging.getLogger(__name__)

LINES_IN_ONE_RANGE = 4_000_000
"""Lines are joined by ranges of their hashes; about 400 MB of memory a range."""
MOST_SHOWN = 20

Spans = NDArray[np.int64]


@dataclass(frozen=True)
class LineCuts:
    """What is cut out of N documents.

    Attributes:
        emptied: documents of which nothing would remain but blank space; they have no spans.
        documents: of each of m spans the document, ascending.
        spans: m x 2 bytes of the document's UTF-8, ascending, neither touching nor overlapping.
        lines: how many different lines were frequent.
        cut: what all spans hold; its documents are those that lose a part.
        shown: the lines that stand in most documents, as a table.
    """

    emptied: Mask
    documents: Numbers
    spans: Spans
    lines: int
    cut: Count
    shown: Table = field(default_factory=dict)

    @classmethod
    def nothing(cls, documents: int) -> "LineCuts":
        empty = np.empty(0, np.int64)
        return cls(np.zeros(documents, bool), empty, empty.reshape(0, 2), 0, Count())

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
    frequent = [_cut_of_range(found, part, lines) for part in found.ranges()]
    cut = np.concatenate([part.cut for part in frequent])
    numbers = np.concatenate([part.documents for part in frequent])
    order = np.lexsort((cut[:, Span.BEGIN], numbers))
    cut, numbers = cut[order], numbers[order]
    emptied = _emptied(found, numbers, cut)
    remains = ~emptied[numbers]
    owners, spans = _joined(numbers[remains], cut[remains])
    sizes = Count(
        len(np.unique(owners)),
        int(cut[remains, Span.CHARACTERS].sum()) + _newlines(spans, cut[remains]),
        int((spans[:, 1] - spans[:, 0]).sum()),
    )
    log.info("frequent lines: %d cut out of %d documents", len(cut), sizes.documents)
    shown = _shown(documents, [part for part in frequent if len(part.best)])
    return LineCuts(emptied, owners, spans, sum(len(part.best) for part in frequent), sizes, shown)


@dataclass(frozen=True)
class _Frequent:
    """Of one range of hashes: what is cut, from which documents, and the best of each line."""

    cut: NDArray[np.int64]
    documents: Numbers
    best: Numbers
    best_spans: NDArray[np.int64]
    counts: Numbers


@dataclass(frozen=True)
class _Found:
    """The lines of all shards, in files."""

    documents: Documents
    survivors: Mask
    place: Workplace

    def ranges(self) -> Iterator[tuple[Hashes, Numbers, NDArray[np.int64]]]:
        """Hashes, documents and spans of all lines of survivors, a range of hashes at a time.

        In the order of hashes, then documents, then places.
        """
        hashes = [np.load(self._file(shard, "lines"), mmap_mode="r") for shard in self._shards()]
        parts = max(1, -(-sum(map(len, hashes)) // LINES_IN_ONE_RANGE))
        borders = [(part << 64) // parts for part in range(1, parts)]
        at = np.array(borders, np.uint64)
        cuts = [np.concatenate([[0], np.searchsorted(one, at), [len(one)]]) for one in hashes]
        for part in range(parts):
            yield self._range([slice(*cut[part : part + 2]) for cut in cuts])

    def letters(self) -> Numbers:
        """How many folded characters each document has."""
        rows = self.documents.column("row").astype(np.int64)
        found = np.empty(len(self.documents), np.int64)
        for shard in self._shards():
            here = slice(*self.documents.begins[shard : shard + 2])
            found[here] = np.load(self._file(shard, "letters"))[rows[here]]
        return found

    def _shards(self) -> range:
        return range(len(self.documents.shards))

    def _file(self, shard: int, kind: str) -> str:
        return str(self.place.out / f"{self.documents.shards[shard].stem}.{kind}.npy")

    def _range(self, slices: list[slice]) -> tuple[Hashes, Numbers, NDArray[np.int64]]:
        hashes, numbers, spans = [], [], []
        for shard, here in zip(self._shards(), slices, strict=True):
            some = np.load(self._file(shard, "spans"), mmap_mode="r")[here].astype(np.int64)
            number = self._numbers(shard)[some[:, Span.ROW]]
            kept = number >= 0
            kept[kept] = self.survivors[number[kept]]
            hashes.append(np.load(self._file(shard, "lines"), mmap_mode="r")[here][kept])
            numbers.append(number[kept])
            spans.append(some[kept])
        whole = np.concatenate(hashes)
        order = np.argsort(whole, kind="stable")
        return whole[order], np.concatenate(numbers)[order], np.concatenate(spans)[order]

    def _numbers(self, shard: int) -> Numbers:
        """The document of each row of a shard, -1 where its bucket keeps it back."""
        begin, end = self.documents.begins[shard : shard + 2]
        rows = self.documents.column("row")[begin:end].astype(np.int64)
        numbers = np.full(len(np.load(self._file(shard, "letters"), mmap_mode="r")), -1, np.int64)
        numbers[rows] = np.arange(begin, end)
        return numbers


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


def _cut_of_range(
    found: _Found, part: tuple[Hashes, Numbers, NDArray[np.int64]], lines: FrequentLines
) -> _Frequent:
    hashes, numbers, spans = part
    opens = np.ones(len(hashes), bool)
    opens[1:] = hashes[1:] != hashes[:-1]
    line = np.cumsum(opens) - 1
    anew = opens.copy()
    anew[1:] |= numbers[1:] != numbers[:-1]
    counts = np.bincount(line[anew], minlength=1)
    is_frequent = counts >= lines.minimum_documents
    number_of = np.cumsum(is_frequent) - 1
    here = np.flatnonzero(is_frequent[line]) if len(line) else np.empty(0, np.int64)
    of_documents = here[anew[here]]
    groups = number_of[line[of_documents]]
    if not len(here):
        return _Frequent(spans[:0], numbers[:0], numbers[:0], spans[:0], counts[:0])
    best = found.documents.best(numbers[of_documents], groups)
    stays = numbers[here] == best[number_of[line[here]]]
    _, first = np.unique(number_of[line[here[stays]]], return_index=True)
    best_spans = spans[here[stays][first]]
    cut = here[~stays]
    return _Frequent(spans[cut], numbers[cut], best, best_spans, counts[is_frequent])


def _emptied(found: _Found, numbers: Numbers, cut: NDArray[np.int64]) -> Mask:
    """Documents all of whose letters are cut; one that never had any is none of them."""
    lost = np.bincount(numbers, cut[:, Span.LETTERS], minlength=len(found.documents))
    return np.asarray((lost > 0) & (lost >= found.letters()))


def _joined(numbers: Numbers, cut: NDArray[np.int64]) -> tuple[Numbers, Spans]:
    """Neighbouring lines as one span; a text that ended without a newline still does."""
    spans = cut[:, [Span.BEGIN, Span.END]]
    opens = np.ones(len(numbers), bool)
    opens[1:] = (numbers[1:] != numbers[:-1]) | (spans[1:, 0] != spans[:-1, 1])
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(numbers))[: len(first)] - 1
    begins, ends = spans[first, 0], spans[last, 1]
    # with a last line that had no newline goes the one before what is cut
    begins -= (cut[last, Span.UNCLOSED] == 1) & (begins > 0)
    return numbers[first], np.stack([begins, ends], axis=1)


def _newlines(spans: Spans, cut: NDArray[np.int64]) -> int:
    """Characters that the spans have beside their lines: newlines before them, a byte each."""
    return int((spans[:, 1] - spans[:, 0]).sum() - (cut[:, Span.END] - cut[:, Span.BEGIN]).sum())


def _shown(documents: Documents, frequent: list[_Frequent]) -> Table:
    """The lines that stand in most documents, as the best of these has them."""
    columns = ["line", "documents", "kept in"]
    if not frequent:
        return {"columns": columns, "rows": []}
    counts = np.concatenate([part.counts for part in frequent])
    most = np.argsort(-counts, kind="stable")[:MOST_SHOWN]
    best = np.concatenate([part.best for part in frequent])[most]
    spans = np.concatenate([part.best_spans for part in frequent])[most]
    rows = [
        [_line_of(documents, one, span), int(count), documents.ids[one].as_py()]
        for one, span, count in zip(best.tolist(), spans, counts[most], strict=True)
    ]
    return {"columns": columns, "rows": rows}


def _line_of(documents: Documents, document: int, span: NDArray[np.int64]) -> str:
    shard = int(np.searchsorted(documents.begins, document, "right")) - 1
    rows = documents.column("row")[[document]].astype(np.int64)
    text = read_rows(documents.shards[shard], rows)[0].as_py().encode()
    return shortened(text[span[Span.BEGIN] : span[Span.END]].decode().strip())
