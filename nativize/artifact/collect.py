"""Garbage collection: what no recipe points at, beyond the last few values of each stage."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nativize.artifact.lock import exclusive
from nativize.artifact.record import read_artifact


@dataclass(frozen=True)
class Garbage:
    """One directory of the store that nothing needs, and why."""

    path: Path
    reason: str

    def bytes(self) -> int:
        """Bytes that removing it frees: shared hard links count once they are the last."""
        files = [path.stat() for path in self.path.rglob("*") if path.is_file()]
        return sum(status.st_size for status in files if status.st_nlink == 1)


def find_garbage(root: Path, *, keep: int) -> list[Garbage]:
    """Values without a pointer beyond the newest ``keep`` of their stage, and unused shards.

    Unfinished trainings under ``work/`` are never garbage: they hold GPU hours.
    """
    pointed = set(_pointed(root))
    garbage, shards = [], set()
    for stage in sorted((root / "values").glob("*")):
        values = [read_artifact(path.parent) for path in stage.glob("*/record.json")]
        values.sort(key=lambda artifact: artifact.record.started, reverse=True)
        for position, value in enumerate(values):
            if position < keep or value.path in pointed:
                shards |= {(stage.name, name) for name in value.record.shards}
            else:
                garbage.append(Garbage(value.path, "superseded value"))
    for path in sorted((root / "shards").glob("*/*")):
        if (path.parent.name, path.name) not in shards:
            garbage.append(Garbage(path, "shard of no kept value"))
    return garbage


def collect_garbage(root: Path, garbage: list[Garbage]) -> int:
    """Bytes freed by removing what `find_garbage` named; waits for a stage that is at work."""
    freed = 0
    for item in garbage:
        stage = item.path.parent.name
        with exclusive(root / "locks" / f"{stage}.lock", f"garbage collection of {stage}"):
            freed += item.bytes()
            # renamed first, so that a kill never leaves a value with half its files
            doomed = item.path.with_name(f".{item.path.name}.doomed")
            item.path.rename(doomed)
            shutil.rmtree(doomed)
    return freed


def _pointed(root: Path) -> Iterator[Path]:
    for pointer in (root / "current").glob("*/*.json"):
        data = json.loads(pointer.read_text(encoding="utf-8"))
        yield root / "values" / pointer.stem / data["value"]
