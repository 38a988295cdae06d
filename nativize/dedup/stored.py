"""The texts of candidates end to end in one file, for as long as they are compared."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.dedup.documents import Documents, Mask, Numbers
from nativize.dedup.fold import normal_form
from nativize.dedup.pages import texts_in_pages
from nativize.engine import CorpusEngine
from nativize.errors import CorpusError
from nativize.texts import Texts


@dataclass
class StoredTexts:
    """Texts of n documents, which grow as more are fetched; no text is fetched twice.

    Attributes:
        documents: all there are.
        engine: where texts are fetched.
        directory: for the file, which is made anew.
        members: the n documents, in the order of the file.
        ends: n + 1, where each text ends, behind 0.
    """

    documents: Documents
    engine: CorpusEngine
    directory: Path
    members: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    ends: Numbers = field(default_factory=lambda: np.zeros(1, np.int64))

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
        is_normal = self.documents.of("complicated", self.members)
        np.save(path, np.stack([self.ends[:-1], self.ends[1:], is_normal], axis=1))
        return path

    def fetch(self, documents: Numbers) -> None:
        """Those of some documents that are not there yet."""
        missing = np.setdiff1d(documents, self.members)
        if not len(missing):
            return
        calls = [
            (self._wanted(shard, piece), self.directory / f"{shard:06d}")
            for shard, piece in self.documents.by_shard(missing)
        ]
        self.engine.map(store_texts, calls, "texts")
        ends = [self.ends]
        with self.path.open("ab") as whole:
            for _, path in calls:
                ends.append(int(ends[-1][-1]) + np.load(path.with_suffix(".npy")))
                with path.open("rb") as part:
                    shutil.copyfileobj(part, whole, 1 << 20)
                path.unlink()
        self.ends = np.concatenate(ends)
        self.members = np.concatenate([self.members, missing])

    def _wanted(self, shard: int, documents: Numbers) -> "WantedTexts":
        columns = ("row", "place", "bytes", "complicated")
        return WantedTexts(
            self.documents.shards[shard],
            self.documents.signature_file(shard, "pages.npy"),
            *(self.documents.of(name, documents) for name in columns),
        )


@dataclass(frozen=True)
class WantedTexts:
    """Some ascending rows of a shard, where their texts lie in it, and which are complicated."""

    shard: Path
    pages: Path
    rows: NDArray[np.uint32]
    places: NDArray[np.uint32]
    sizes: NDArray[np.uint32]
    complicated: Mask

    def read(self) -> Texts:
        pages, rows = np.load(self.pages), self.rows.astype(np.int64)
        if len(pages):
            return texts_in_pages(self.shard, pages, rows, self.places, self.sizes)
        return Texts.of_column(read_rows(self.shard, rows))


def store_texts(wanted: WantedTexts, out: Path) -> None:
    """Texts end to end at ``out``, complicated ones in normal form; their ends beside them."""
    texts = wanted.read()
    numbers: list[int] = np.flatnonzero(wanted.complicated).tolist()
    texts = texts.replaced({number: normal_form(texts[number]).encode() for number in numbers})
    start = int(texts.offsets[0])
    texts.data[start : int(texts.offsets[-1])].tofile(out)
    np.save(out.with_suffix(".npy"), texts.offsets[1:] - start, allow_pickle=False)


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


def load_texts(path: Path, spans: Numbers) -> tuple[NDArray[np.uint8], Numbers]:
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
