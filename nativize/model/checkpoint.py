"""A checkpoint as files: safetensors shards that are read, copied and grown without a model.

What does not change is copied byte by byte, so that a checkpoint needs no more memory than the
tensors that grow. A shard is eight bytes of header length, a JSON header, the tensors' bytes:
https://huggingface.co/docs/safetensors
"""

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open

from nativize.artifact import write_json
from nativize.errors import ModelError
from nativize.model.directory import refuse_pickles

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
CHUNK_BYTES = 1 << 24
ALIGNMENT = 8
"""Headers end at a multiple of it, as the library pads them."""

Rows = range | torch.Tensor
"""Rows of the old tensor, or new ones."""


@dataclass(frozen=True)
class Stored:
    """One tensor in a shard.

    Attributes:
        path: the shard.
        dtype: safetensors' name of it, for example BF16.
        shape: rows first.
        start: position of its first byte in the file.
        stop: position behind its last byte.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def row_bytes(self) -> int:
        return (self.stop - self.start) // self.shape[0]


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a model directory.

    Attributes:
        directory: where its shards lie.
        shards: for each file name the tensors in it, in the file's order.
    """

    directory: Path
    shards: Mapping[str, Mapping[str, Stored]]

    @property
    def tensors(self) -> dict[str, Stored]:
        return {name: one for shard in self.shards.values() for name, one in shard.items()}

    def load(self, name: str) -> torch.Tensor:
        """A tensor as a view of its file; only what is looked at is read."""
        with safe_open(self.tensors[name].path, framework="pt") as shard:
            tensor: torch.Tensor = shard.get_tensor(name)
        return tensor

    def write(
        self,
        out: Path,
        grown: Mapping[str, Sequence[Rows]],
        link: Callable[[Path, Path], object],
    ) -> None:
        """The checkpoint in the same files at ``out``, some of its tensors with other rows.

        Args:
            out: a directory.
            grown: rows of the tensors that change; the others keep every byte.
            link: puts a file that does not change in its place.
        """
        for name, tensors in self.shards.items():
            if tensors.keys() & grown.keys():
                _write_shard(self.directory / name, out / name, tensors, grown)
            else:
                link(self.directory / name, out / name)
        if (self.directory / INDEX).exists():
            self._write_index(out, grown)

    def rewrite(
        self,
        out: Path,
        changes: Mapping[str, Callable[[torch.Tensor], torch.Tensor]],
        link: Callable[[Path, Path], object],
    ) -> None:
        """The checkpoint in the same files at ``out``, some of its tensors with other numbers.

        Needs the memory of one tensor and of what its change takes: headers and index stay.

        Args:
            out: a directory.
            changes: for each tensor that changes, its new numbers by its old ones; they keep
                their shape, and are rounded to the file's dtype.
            link: puts a file that does not change in its place.
        """
        for name, tensors in self.shards.items():
            if tensors.keys() & changes.keys():
                self._rewrite_shard(name, out / name, changes)
            else:
                link(self.directory / name, out / name)
        if (self.directory / INDEX).exists():
            link(self.directory / INDEX, out / INDEX)

    def _rewrite_shard(
        self,
        name: str,
        target: Path,
        changes: Mapping[str, Callable[[torch.Tensor], torch.Tensor]],
    ) -> None:
        source = self.directory / name
        with source.open("rb") as old, target.open("wb") as new:
            new.write(old.read(_header(source)[1]))
            for key, stored in self.shards[name].items():
                if key in changes:
                    tensor = self.load(key)
                    rounded = changes[key](tensor).to(tensor.dtype)
                    _write_rows(old, new, stored, rounded.view(tensor.shape).reshape(-1))
                else:
                    _write_rows(old, new, stored, None)

    def _write_index(self, out: Path, grown: Mapping[str, Sequence[Rows]]) -> None:
        index = json.loads((self.directory / INDEX).read_text(encoding="utf-8"))
        added_bytes = added_numbers = 0
        for name, parts in grown.items():
            stored = self.tensors[name]
            rows = _count(parts) - stored.shape[0]
            added_bytes += rows * stored.row_bytes
            added_numbers += rows * prod(stored.shape[1:])
        metadata = index.get("metadata", {})
        for key, added in (("total_size", added_bytes), ("total_parameters", added_numbers)):
            if key in metadata:
                metadata[key] += added
        write_json(out / INDEX, index)


def open_checkpoint(directory: Path) -> Checkpoint:
    """The checkpoint of a model directory, after all its files were looked at.

    Raises:
        ModelError: pickles, no weights, a shard that is missing, damaged or without a tensor that
            the index promises.
    """
    refuse_pickles(directory)
    promised = _promised(directory)
    shards = {name: _read_header(directory / name) for name in promised}
    for name, tensors in promised.items():
        missing = sorted(tensors - shards[name].keys())
        if missing:
            raise ModelError(
                f"{directory / name}: no tensor {missing[0]}, which {INDEX} names;"
                " fetch the model again"
            )
    return Checkpoint(directory, shards)


def same_rows(old: Stored, new: Stored, rows: range) -> bool:
    """Whether rows of two tensors are equal to the bit."""
    size = len(rows) * old.row_bytes
    with old.path.open("rb") as left, new.path.open("rb") as right:
        left.seek(old.start + rows.start * old.row_bytes)
        right.seek(new.start + rows.start * old.row_bytes)
        return all(left.read(length) == right.read(length) for length in _chunks(size))


def _promised(directory: Path) -> dict[str, set[str]]:
    """The shards' names, each with the tensors that must be in it."""
    if not (directory / INDEX).exists():
        if not (directory / SINGLE).exists():
            raise ModelError(
                f"{directory}: neither {SINGLE} nor {INDEX}; give a Hugging Face model directory"
            )
        return {SINGLE: set()}
    index = json.loads((directory / INDEX).read_text(encoding="utf-8"))
    promised: dict[str, set[str]] = {}
    for tensor, name in index["weight_map"].items():
        promised.setdefault(name, set()).add(tensor)
    for name, tensors in promised.items():
        if Path(name).name != name or not (directory / name).is_file():
            raise ModelError(
                f"{directory}: shard {name} is missing, which {INDEX} names for"
                f" {min(tensors)} and {len(tensors) - 1} more; fetch the model again"
            )
    return dict(sorted(promised.items()))


def _read_header(path: Path) -> dict[str, Stored]:
    """A shard's tensors; the library looks first, and refuses what is cut off or overlaps."""
    try:
        with safe_open(path, framework="pt"):
            pass
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: damaged ({error}); fetch the model again") from error
    header, data = _header(path)
    stored = {
        name: Stored(
            path,
            entry["dtype"],
            tuple(entry["shape"]),
            *(data + offset for offset in entry["data_offsets"]),
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }
    return dict(sorted(stored.items(), key=lambda item: (item[1].start, item[1].stop)))


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The JSON of a shard, and where its tensors begin."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
    return header, 8 + length


def _write_shard(
    source: Path, target: Path, tensors: Mapping[str, Stored], grown: Mapping[str, Sequence[Rows]]
) -> None:
    with source.open("rb") as old, target.open("wb") as new:
        new.write(_new_header(_header(source)[0], tensors, grown))
        for name, stored in tensors.items():
            for rows in grown.get(name, [None]):
                _write_rows(old, new, stored, rows)


def _new_header(
    header: dict[str, Any], tensors: Mapping[str, Stored], grown: Mapping[str, Sequence[Rows]]
) -> bytes:
    """Length and JSON of the header, with other shapes and places."""
    position = 0
    for name, stored in tensors.items():
        size = stored.stop - stored.start
        if name in grown:
            rows = _count(grown[name])
            size = rows * stored.row_bytes
            header[name]["shape"] = [rows, *stored.shape[1:]]
        header[name]["data_offsets"] = [position, position + size]
        position += size
    content = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    content += b" " * (-len(content) % ALIGNMENT)
    return struct.pack("<Q", len(content)) + content


def _write_rows(old: IO[bytes], new: IO[bytes], stored: Stored, rows: Rows | None) -> None:
    """Rows behind what is there; None: all of the old tensor."""
    if isinstance(rows, torch.Tensor):
        new.write(rows.contiguous().view(torch.uint8).numpy().data)
        return
    start, stop = stored.start, stored.stop
    if rows is not None:
        start, stop = (stored.start + row * stored.row_bytes for row in (rows.start, rows.stop))
    old.seek(start)
    for length in _chunks(stop - start):
        new.write(old.read(length))


def _chunks(size: int) -> Iterator[int]:
    return (min(CHUNK_BYTES, size - done) for done in range(0, size, CHUNK_BYTES))


def _count(parts: Sequence[Rows]) -> int:
    return sum(len(rows) for rows in parts)
