"""Reading token shards: memory-mapped samples in the order of training."""

import bisect
import itertools
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nativize.artifact.fingerprint import fingerprint
from nativize.errors import CorpusError
from nativize.tokens.id_file import IdFile, file_bytes
from nativize.tokens.order import Order, Stream
from nativize.tokens.packing import Ids, Marks, pack

INDEX = "index.json"
LIMITS = "limits.json"
"""Beside the index, as a limit changes no sample: raising it makes no model stale."""

REMEDY = "materialise token_shards again"


class TokenShards:
    """The samples of a training, by number.

    A stream is one run of ids over its shards, cut into blocks of ``sequence_length``; only what
    is left after the last full block is never seen.

    Attributes:
        index: what ``index.json`` says.
        sequence_length: tokens per sample.
        marks: what parts documents.
        order: which block each sample is.
        maximum_epochs: of any stream in one training.
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
        self.index = _read(directory / INDEX)
        self.maximum_epochs: float = _read(directory / LIMITS)["maximum_epochs"]
        self.sequence_length: int = self.index["sequence_length"]
        self.marks = Marks(self.index["vocabulary"]["bos"], self.index["vocabulary"]["eos"])
        self._runs, streams = {}, {}
        for stream in self.index["streams"]:
            run = _Run(directory, stream["shards"], self.index["bits"])
            blocks = run.tokens // self.sequence_length
            self._runs[stream["name"]] = run
            streams[stream["name"]] = Stream(blocks, Fraction(stream["share"]))
        self.order = Order(streams, self.index["seed"] if seed is None else seed)

    def __reduce__(self) -> tuple[Any, ...]:
        # a data loader's worker opens the files itself instead of receiving their content
        return _reopen, (self.directory, self.order.seed)

    @property
    def new_rows(self) -> tuple[int, int]:
        """First id of the new language's tokens, and the one behind their last."""
        vocabulary = self.index["vocabulary"]
        return vocabulary["base_size"], vocabulary["size"]

    def sample(self, index: int) -> Ids:
        """The ids of sample number ``index``: (sequence_length,), int64; numbers never end."""
        stream, block = self.order.locate(index)
        return self._runs[stream].read(block * self.sequence_length, self.sequence_length)

    def packed(self, index: int) -> dict[str, Ids]:
        """Sample number ``index`` with what the mixture's packing says of its documents.

        Returns:
            input_ids, labels (IGNORED where nothing predicts the token) and position_ids (from 0
            in each document, or in the whole block); each (sequence_length,), int64.
        """
        return pack(self.sample(index), self.marks, self.index["packing"])

    def epochs(self, samples: int) -> dict[str, float]:
        """How often the first ``samples`` go through each stream."""
        counts = self.order.counts(samples)
        return {name: counts[name] / stream.blocks for name, stream in self.order.streams.items()}

    def refuse_too_many_epochs(self, samples: int) -> None:
        """Nothing, when a training of so many samples repeats no stream too often.

        Raises:
            CorpusError: it does; names the most repeated stream, its epochs and the limit.
        """
        epochs, name = max((often, name) for name, often in self.epochs(samples).items())
        if epochs > self.maximum_epochs:
            tokens = self.order.streams[name].blocks * self.sequence_length
            raise CorpusError(
                f"{self.directory}: {samples} samples of {self.sequence_length} tokens go"
                f" {epochs:.1f} times through the {tokens:,} tokens of {name};"
                f" mixture.maximum_epochs is {self.maximum_epochs:g}. Train fewer steps, give"
                " it more text or a smaller share, or raise mixture.maximum_epochs"
            )

    def digest(self) -> str:
        """What the samples are, content and order; a training resumes only on the same."""
        return fingerprint({**self.index, "seed": self.order.seed})


class _Run:
    """The shards of one stream as one run of tokens."""

    def __init__(self, directory: Path, entries: list[dict[str, Any]], bits: int) -> None:
        self._files = [_open(directory, entry, bits) for entry in entries]
        self._ends = list(itertools.accumulate(len(file) for file in self._files))
        self.tokens = self._ends[-1] if self._ends else 0

    def read(self, start: int, length: int) -> Ids:
        number = bisect.bisect_right(self._ends, start)
        pieces: list[Ids] = []
        while length:
            file = self._files[number]
            begin = start - (self._ends[number] - len(file))
            pieces.append(file.read(begin, begin + length))
            start, length = start + len(pieces[-1]), length - len(pieces[-1])
            number += 1
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _open(directory: Path, entry: Mapping[str, Any], bits: int) -> IdFile:
    path, tokens = directory / f"{entry['name']}.tokens", entry["tokens"]
    expected = file_bytes(tokens, bits)
    if not path.exists() or path.stat().st_size != expected:
        raise CorpusError(
            f"{path}: {tokens} tokens ({expected} bytes) expected by {INDEX}, but it is"
            f" missing or has another size; {REMEDY}"
        )
    return IdFile(path, tokens, bits)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: no token shards here ({error}); {REMEDY}") from error
    return content


def _reopen(directory: Path, seed: int) -> TokenShards:
    return TokenShards(directory, seed=seed)
