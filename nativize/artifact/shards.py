"""Shard-wise reuse: a finished shard is published by itself and linked into every value.

A nightly refresh then costs what is new, and a stage killed half way keeps its finished shards.
A shard's files are read for their digests and synced once, when it is made: a refresh of 2,000
shards of 1 MB by 20 takes 0.3 s, where hashing and syncing all again took 2.3 s from memory.
"""

import functools
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nativize.artifact.files import RECORD, Described, link_file, publish_directory, write_json
from nativize.artifact.fingerprint import fingerprint
from nativize.artifact.stage import Report
from nativize.errors import ArtifactError

SHARD_REPORT = "shard.json"


@dataclass(frozen=True)
class ShardTask:
    """One shard to make.

    Attributes:
        name: stem of its files in the value's directory.
        identity: what its content depends on beside the stage: digests of its inputs.
        arguments: passed to the function; may hold paths; must pickle.
    """

    name: str
    identity: Mapping[str, Any]
    arguments: tuple[Any, ...] = ()


ShardFunction = Callable[..., Report]
"""``function(*task.arguments, out)`` writes files into the directory ``out`` and reports."""


class Mapper(Protocol):
    """What shards are mapped with: the corpus engine."""

    def map(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], label: str
    ) -> list[Any]: ...


@dataclass
class ShardCache:
    """Finished shards of one stage under one identity (stage version and recipe slice).

    Attributes:
        directory: where they lie, each in a directory named by its fingerprint.
        identity: what all of them depend on.
        used: names of the shards that were linked.
        linked: what is known of each linked file, by where it was linked to.
    """

    directory: Path
    identity: Mapping[str, Any]
    used: list[str] = field(default_factory=list)
    linked: dict[Path, Described] = field(default_factory=dict)

    def build(
        self, mapper: Mapper, function: ShardFunction, tasks: Sequence[ShardTask], out: Path
    ) -> list[Report]:
        """All shards in ``out``, those that exist linked, the others made; reports in order.

        Raises:
            ArtifactError: a shard was made where this process cannot see it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        places = [self._place(task) for task in tasks]
        finished = self._finished()
        calls = [
            (function, task.arguments, place)
            for task, place in zip(tasks, places, strict=True)
            if place.name not in finished
        ]
        mapper.map(_make_shard, calls, label=str(self.identity.get("name", "shards")))
        self._require_visible(places)
        self.used += [place.name for place in places]
        return [self._take(place, out, fresh=place.name not in finished) for place in places]

    def known_digests(self) -> dict[Path, str]:
        """Digests of the linked files that are still the files of their shards."""
        return {
            path: known.sha256
            for path, known in self.linked.items()
            if path.exists() and known.still_is(path)
        }

    def remember_input(self, source: Path, target: Path) -> None:
        """A file of a value of the store, or of a shard, linked to ``target``: it is known too."""
        entry = _recorded(source)
        if source in self.linked:
            entry = {"sha256": self.linked[source].sha256}
        if entry and os.path.samefile(source, target):
            status = target.stat()
            inode = status.st_dev, status.st_ino
            self.linked[target] = Described(
                status.st_size, entry["sha256"], status.st_mtime_ns, inode
            )

    def _place(self, task: ShardTask) -> Path:
        identity = {"stage": self.identity, "shard": task.name, "inputs": task.identity}
        return self.directory / fingerprint(identity)

    def _finished(self) -> set[str]:
        """Names of the shards there are; listing asks a network's file system anew."""
        return set(os.listdir(self.directory))

    def _require_visible(self, places: Sequence[Path]) -> None:
        finished = self._finished()
        hidden = [place for place in places if place.name not in finished]
        if hidden:
            raise ArtifactError(
                f"{hidden[0]}: the shard was made but cannot be seen from here"
                f" ({len(hidden)} such shards). All machines that make shards must see the store"
                " at the same path on one shared file system"
            )

    def _take(self, place: Path, out: Path, *, fresh: bool) -> Report:
        """A shard's files linked into ``out``, and its report."""
        data = json.loads((place / SHARD_REPORT).read_text(encoding="utf-8"))
        for path in sorted(place.iterdir()):
            if path.name != SHARD_REPORT:
                link_file(path, out / path.name)
                self._remember(out / path.name, path, data.get("files", {}).get(path.name))
        report = Report.from_json(data)
        return Report({**report.metrics, "shard_reused": not fresh}, report.accounts)

    def _remember(self, target: Path, path: Path, entry: Mapping[str, Any] | None) -> None:
        # a shard of an older version has no entry: its files are read again
        if entry:
            status = path.stat()
            self.linked[target] = Described(**entry, inode=(status.st_dev, status.st_ino))


def _recorded(file: Path) -> Mapping[str, Any] | None:
    """What the record of the value says of a file that lies on its top level."""
    record = file.parent / RECORD
    if not record.exists():
        return None
    return _files_of(record, record.stat().st_mtime_ns).get(file.name)


@functools.lru_cache(maxsize=4)
def _files_of(record: Path, modified_ns: int) -> Mapping[str, Any]:
    files: Mapping[str, Any] = json.loads(record.read_text(encoding="utf-8"))["files"]
    return files


def shard_counts(reports: Sequence[Report]) -> dict[str, int]:
    """How many shards there are, and how many of them were made now."""
    made = sum(not report.metrics["shard_reused"] for report in reports)
    return {"shards": len(reports), "shards_built": made}


def throughput(work: Iterable[tuple[int, float]]) -> dict[str, float]:
    """Megabytes per second and core, from bytes and processor seconds of the shards made now."""
    sizes, seconds = map(sum, zip((0, 0.0), *work, strict=True))
    return {"megabytes_per_core_second": round(sizes / seconds / 1e6, 2)} if seconds else {}


def _make_shard(function: ShardFunction, arguments: tuple[Any, ...], place: Path) -> None:
    # process ids are only unique on one machine, and a cluster has several
    temporary = place.with_name(f"{place.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        report = function(*arguments, temporary)
        if report.accounts:
            report.accounts.verify(f"{function.__name__} {arguments[:1]}")
        files = {path.name: _entry(path) for path in sorted(temporary.iterdir())}
        write_json(temporary / SHARD_REPORT, {**report.to_json(), "files": files})
        if not place.exists():
            publish_directory(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _entry(path: Path) -> dict[str, Any]:
    """What a shard keeps of a file; not the inode, which a copied store has no more."""
    described = Described.of(path)
    return {
        "bytes": described.bytes,
        "sha256": described.sha256,
        "modified_ns": described.modified_ns,
    }
