"""Shard-wise reuse: a finished shard is published by itself and linked into every value.

A nightly refresh then costs what is new, and a stage killed half way keeps its finished shards.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nativize.artifact.files import link_file, publish_directory, write_json
from nativize.artifact.fingerprint import fingerprint
from nativize.artifact.stage import Report

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
    """Finished shards of one stage under one identity (stage version and recipe slice)."""

    directory: Path
    identity: Mapping[str, Any]
    used: list[str] = field(default_factory=list)

    def build(
        self, mapper: Mapper, function: ShardFunction, tasks: Sequence[ShardTask], out: Path
    ) -> list[Report]:
        """All shards in ``out``, those that exist linked, the others made; reports in order."""
        places = [self._place(task) for task in tasks]
        calls = [
            (function, task.arguments, place)
            for task, place in zip(tasks, places, strict=True)
            if not place.exists()
        ]
        mapper.map(_make_shard, calls, label=str(self.identity.get("name", "shards")))
        self.used += [place.name for place in places]
        return [
            _take(place, out, fresh=any(place == call[2] for call in calls)) for place in places
        ]

    def _place(self, task: ShardTask) -> Path:
        identity = {"stage": self.identity, "shard": task.name, "inputs": task.identity}
        return self.directory / fingerprint(identity)


def shard_counts(reports: Sequence[Report]) -> dict[str, int]:
    """How many shards there are, and how many of them were made now."""
    made = sum(not report.metrics["shard_reused"] for report in reports)
    return {"shards": len(reports), "shards_built": made}


def _make_shard(function: ShardFunction, arguments: tuple[Any, ...], place: Path) -> None:
    temporary = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        report = function(*arguments, temporary)
        if report.accounts:
            report.accounts.verify(f"{function.__name__} {arguments[:1]}")
        write_json(temporary / SHARD_REPORT, report.to_json())
        if not place.exists():
            publish_directory(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take(place: Path, out: Path, *, fresh: bool) -> Report:
    for path in sorted(place.iterdir()):
        if path.name != SHARD_REPORT:
            link_file(path, out / path.name)
    report = Report.from_json(json.loads((place / SHARD_REPORT).read_text(encoding="utf-8")))
    return Report({**report.metrics, "shard_reused": not fresh}, report.accounts)
