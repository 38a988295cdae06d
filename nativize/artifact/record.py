"""The record beside each value: what it is, what it was made of, and why."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nativize.artifact.files import RECORD
from nativize.artifact.stage import Report
from nativize.errors import ArtifactError


@dataclass(frozen=True)
class Record:
    """Everything that is known of one value; written last, so a value with a record is whole."""

    stage: str
    recipe: str
    fingerprint: str
    payload: dict[str, Any]
    lineage: str
    content: str
    files: dict[str, dict[str, Any]]
    report: dict[str, Any]
    shards: list[str]
    why: list[str]
    started: float
    seconds: float
    libraries: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Artifact:
    """A published value: its directory and its record."""

    path: Path
    record: Record
    reused: bool = False
    why: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """Digest of the semantic content; equal content stops the wave."""
        return self.record.content

    @property
    def report(self) -> Report:
        return Report.from_json(self.record.report)

    @property
    def metrics(self) -> Mapping[str, Any]:
        return self.report.metrics

    def is_whole(self) -> bool:
        """Whether every recorded file is there with its recorded size."""
        return all(
            (self.path / name).is_file() and os.path.getsize(self.path / name) == entry["bytes"]
            for name, entry in self.record.files.items()
        )


def read_artifact(path: Path) -> Artifact:
    """The value in a directory.

    Raises:
        ArtifactError: no record, or one that this version cannot read.
    """
    try:
        return Artifact(path, Record(**json.loads((path / RECORD).read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactError(
            f"{path}: not a value of the artifact store ({error}); materialise it again"
        ) from error
