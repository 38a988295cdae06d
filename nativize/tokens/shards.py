"""Reading token shards: memory-mapped samples in the order of training."""

import bisect
import itertools
import json
from pathlib import Path
from typing import Any

import numpy

from nativize.artifact.fingerprint import fingerprint
from nativize.errors import CorpusError
from nativize.tokens.order import NEW, REPLAY, Order
from nativize.tokens.packing import Ids, Marks, pack

INDEX = "index.json"


class TokenShards:
    """The samples of a training, by number.

    A corpus is one stream over its shards, cut into blocks of ``sequence_length``; only what is
    left after the last full block is never seen.

    Attributes:
        index: what ``index.json`` says.
        sequence_length: tokens per sample.
        order: which block each sample is.
    """

    def __init__(self, directory: Path, *, seed: int | None = None) -> None:
        """Opens a value of ``token_shards``.

        Args:
            directory: where index.json lies.
            seed: of the order; the mixture's own without one.
        Raises:
            CorpusError: no index, or a shard does not have the size that the index says.
        """
        self.directory = directory
        self.index = _read_index(directory)
        self.sequence_length: int = self.index["sequence_length"]
        self.marks = Marks(self.index["vocabulary"]["bos"], self.index["vocabulary"]["eos"])
        self._streams = {
            name: _Stream(directory, entries, self.index["dtype"])
            for name, entries in self.index["corpora"].items()
        }
        blocks = {name: self.blocks(name) for name in (NEW, REPLAY)}
        seed = self.index["seed"] if seed is None else seed
        self.order = Order(blocks, self.index["replay_share"], seed)

    def __reduce__(self) -> tuple[Any, ...]:
        # a data loader's worker opens the files itself instead of receiving their content
        return _reopen, (self.directory, self.order.seed)

    def blocks(self, corpus: str) -> int:
        """Full blocks of a corpus, "new" or "replay"."""
        stream = self._streams.get(corpus)
        return stream.tokens // self.sequence_length if stream else 0

    def sample(self, index: int) -> Ids:
        """The ids of sample number ``index``: (sequence_length,), int64; numbers never end."""
        corpus, block = self.order.locate(index)
        return self._streams[corpus].read(block * self.sequence_length, self.sequence_length)

    def packed(self, index: int) -> dict[str, Ids]:
        """Sample number ``index`` with what the mixture's packing says of its documents.

        Returns:
            input_ids, labels (IGNORED where nothing predicts the token) and position_ids (from 0
            in each document, or in the whole block); each (sequence_length,), int64.
        """
        return pack(self.sample(index), self.marks, self.index["packing"])

    def samples_per_epoch(self) -> int:
        """Samples until every block of the new corpus was seen once."""
        return self.order.samples_per_epoch()

    def digest(self) -> str:
        """What the samples are, content and order; a training resumes only on the same."""
        return fingerprint({**self.index, "seed": self.order.seed})


class _Stream:
    """The shards of one corpus as one run of tokens."""

    def __init__(self, directory: Path, entries: list[dict[str, Any]], dtype: str) -> None:
        self._parts = [_open(directory, entry, dtype) for entry in entries]
        self._ends = list(itertools.accumulate(len(part) for part in self._parts))
        self.tokens = self._ends[-1] if self._ends else 0

    def read(self, start: int, length: int) -> Ids:
        ids = numpy.empty(length, dtype=numpy.int64)
        filled = 0
        part = bisect.bisect_right(self._ends, start)
        while filled < length:
            begin = start + filled - (self._ends[part] - len(self._parts[part]))
            piece = self._parts[part][begin : begin + length - filled]
            ids[filled : filled + len(piece)] = piece
            filled += len(piece)
            part += 1
        return ids


def _open(directory: Path, entry: dict[str, Any], dtype: str) -> Any:
    path = directory / f"{entry['name']}.tokens"
    kind = numpy.dtype(dtype).newbyteorder("<")
    expected = entry["tokens"] * kind.itemsize
    if not path.exists() or path.stat().st_size != expected:
        raise CorpusError(
            f"{path}: {entry['tokens']} tokens ({expected} bytes) expected by {INDEX}, but it is"
            " missing or has another size; materialise token_shards again"
        )
    # an empty file cannot be mapped
    return numpy.memmap(path, dtype=kind, mode="r") if expected else numpy.empty(0, dtype=kind)


def _read_index(directory: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((directory / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{directory / INDEX}: no token shards here ({error})") from error
    return index


def _reopen(directory: Path, seed: int) -> TokenShards:
    return TokenShards(directory, seed=seed)
