"""The texts of candidates end to end in one file, for as long as they are compared."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.dedup.documents import Documents, Mask, Numbers, column_of
from nativize.dedup.fold import normal_form
from nativize.dedup.mapped import mapped
from nativize.dedup.pages import texts_in_pages
from nativize.engine import CorpusEngine
from nativize.errors import CorpusError
from nativize.texts import Texts

BYTES_IN_ONE_CALL = 32_000_000
"""Of text that one call looks at: what a process holds at once, however many texts there are."""
WORTH_A_CALL = 4_000
"""Texts that are read in one call, of however many shards; some megabytes."""


@dataclass
class StoredTexts:
    """Texts of n documents, which grow as more are fetched; no text is fetched twice.

    Attributes:
        documents: all there are.
        engine: where texts are fetched.
        directory: for the file, which is made anew.
        members: the n documents, in the order of the file.
        ends: n + 1, where each text ends, behind 0.
        normal: n, which of them had to be put in normal form.
    """

    documents: Documents
    engine: CorpusEngine
    directory: Path
    members: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    ends: Numbers = field(default_factory=lambda: np.zeros(1, np.int64))
    normal: Mask = field(default_factory=lambda: np.empty(0, bool))

    def __post_init__(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.path.touch()

    @property
    def path(self) -> Path:
        return self.directory / "texts"

    def numbers_of(self, documents: Numbers) -> Numbers:
        """Which text is that of each of these documents, all of which were fetched."""
        order = np.argsort(self.members)
        return np.asarray(order[np.searchsorted(self.members[order], documents)])

    def sizes(self) -> Numbers:
        """Bytes of each text."""
        return np.diff(self.ends)

    def save_spans(self) -> Path:
        """A file of where all texts begin and end, and whether the kernel takes them as they are.

        A complicated text is stored in normal form, so that it is taken as it is too.
        """
        path = self.directory / "spans.npy"
        np.save(path, np.stack([self.ends[:-1], self.ends[1:], self.normal], axis=1))
        return path

    def fetch(self, documents: Numbers) -> None:
        """Those of some documents that are not there yet."""
        missing = np.setdiff1d(documents, self.members)
        if not len(missing):
            return
        calls = [
            (some, self.directory / f"part-{number:06d}")
            for number, some in enumerate(self._calls(missing))
        ]
        stored = self.engine.map(store_texts, calls, "texts")
        ends, normal = [self.ends], [self.normal]
        with self.path.open("ab") as whole:
            for (_, path), (its_ends, its_normal) in zip(calls, stored, strict=True):
                ends.append(ends[-1][-1] + its_ends)
                normal.append(its_normal)
                with path.open("rb") as part:
                    shutil.copyfileobj(part, whole, 1 << 20)
                path.unlink()
        self.ends, self.normal = np.concatenate(ends), np.concatenate(normal)
        self.members = np.concatenate([self.members, missing])

    def _calls(self, documents: Numbers) -> Iterator[list["WantedTexts"]]:
        """The texts of some shards that are read in one call."""
        some: list[WantedTexts] = []
        for shard, piece in self.documents.by_shard(documents):
            some.append(
                WantedTexts(
                    self.documents.shards[shard],
                    self.documents.signature_file(shard, "pages"),
                    self.documents.signature_file(shard, "documents"),
                    int(self.documents.begins[shard + 1] - self.documents.begins[shard]),
                    piece - self.documents.begins[shard],
                )
            )
            if sum(len(wanted.numbers) for wanted in some) >= WORTH_A_CALL:
                yield some
                some = []
        if some:
            yield some


@dataclass(frozen=True)
class WantedTexts:
    """Texts of a shard.

    Attributes:
        shard: where they are.
        pages: what is known of its pages.
        documents: and of its documents.
        count: how many of these there are.
        numbers: ascending, those of them that are wanted.
    """

    shard: Path
    pages: Path
    documents: Path
    count: int
    numbers: Numbers

    def read(self) -> Texts:
        pages = np.fromfile(self.pages, np.int64).reshape(-1, 3)
        rows = self.column("row").astype(np.int64)
        if not len(pages):
            return Texts.of_column(read_rows(self.shard, rows))
        return texts_in_pages(self.shard, pages, rows, self.column("place"), self.column("bytes"))

    def column(self, name: str) -> NDArray[Any]:
        return column_of(self._columns, name, self.count)[self.numbers]

    @cached_property
    def _columns(self) -> NDArray[np.uint8]:
        return mapped(self.documents, np.uint8)


def store_texts(some: Sequence[WantedTexts], out: Path) -> tuple[Numbers, Mask]:
    """Texts of shards end to end at ``out``: where each ends, and which are in normal form now."""
    ends, normal = [np.zeros(1, np.int64)], []
    with out.open("wb") as file:
        for wanted in some:
            texts, complicated = wanted.read(), wanted.column("complicated")
            odd: list[int] = np.flatnonzero(complicated).tolist()
            texts = texts.replaced({one: normal_form(texts[one]).encode() for one in odd})
            start = texts.offsets[0]
            texts.data[start : texts.offsets[-1]].tofile(file)
            ends.append(ends[-1][-1] + texts.offsets[1:] - start)
            normal.append(complicated)
    return np.concatenate(ends)[1:], np.concatenate(normal)


def read_rows(path: Path, rows: Numbers) -> pa.ChunkedArray:
    """The texts of some ascending rows of a shard; row groups without any are left alone."""
    with pq.ParquetFile(path) as shard:
        sizes = [shard.metadata.row_group(group).num_rows for group in range(shard.num_row_groups)]
        begins = np.cumsum([0, *sizes])
        groups = np.searchsorted(begins, rows, "right") - 1
        wanted = np.unique(groups)
        # where the rows of a group are, once the groups before it that are not read are gone
        moved = np.cumsum([0, *np.array(sizes)[wanted]])[:-1] - begins[wanted]
        table = shard.read_row_groups(wanted.tolist(), columns=["text"])
        places = rows + moved[np.searchsorted(wanted, groups)]
        return table["text"].take(pa.array(places))


def parts_for_calls(sizes: Numbers) -> list[Numbers]:
    """Things of so many bytes each, by their numbers, as parts of about `BYTES_IN_ONE_CALL`."""
    calls_before = np.cumsum(sizes) // BYTES_IN_ONE_CALL
    return np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(calls_before)) + 1)


def load_texts(
    path: Path, spans: Path, numbers: Numbers
) -> tuple[NDArray[np.uint8], Numbers, Mask]:
    """Some texts by ascending numbers: their bytes, where each lies in them, and which are normal.

    Args:
        path: of `StoredTexts`.
        spans: its `save_spans`.
    """
    chosen = np.load(spans, mmap_mode="r")[numbers]
    return *_load(path, chosen[:, :2]), chosen[:, 2].astype(bool)


def _load(path: Path, spans: Numbers) -> tuple[NDArray[np.uint8], Numbers]:
    """The bytes of n ascending spans (n x 2) of a file end to end, and where each lies in them.

    Read, not mapped: the system maps 64 kB around every page that is touched.
    """
    lengths = spans[:, 1] - spans[:, 0]
    ends = np.cumsum(lengths)
    data = np.empty(int(lengths.sum()), np.uint8)
    opens = np.flatnonzero(np.append(True, spans[1:, 0] != spans[:-1, 1]))
    closes = np.append(opens[1:], len(spans)) - 1
    room, at = memoryview(data.data), 0
    with path.open("rb", buffering=0) as file:
        for first, last in zip(spans[opens, 0].tolist(), spans[closes, 1].tolist(), strict=True):
            file.seek(first)
            while first < last:
                read = file.readinto(room[at : at + last - first])
                if not read:
                    raise CorpusError(f"{path}: ends before byte {last}; run the walk again")
                at, first = at + read, first + read
    return data, np.stack([ends - lengths, ends], axis=1)
