"""SHA-256 of files that lie outside the store, remembered until something touches them.

A refresh over a crawl of a terabyte must not read it again to see that it is as it was. A digest
is remembered with the file's size, its times of modification and of change, and its inode. The
time of change (ctime) is the one that cannot be set by hand, so bytes that were replaced under the
old size and modification time are read again too; only a file system that keeps no true ctime can
hide such a change. It costs reading once more what was moved, linked or given other permissions.

A file changed less than two seconds before it was read is not remembered: a second change could
leave the same times ("racily clean" in git). The memory is a cache: it lies in
``<home>/digests.sqlite``, and one that is damaged is replaced, one that cannot be used is done
without.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from nativize.artifact.files import sha256_of
from nativize.home import nativize_home

log = logging.getLogger(__name__)

SETTLED_SECONDS = 2.0
SAVE_BYTES = 1_000_000_000
SAVE_FILES = 500
"""What is read between two savings: a killed walk reads at most so much again."""

TABLE = "CREATE TABLE IF NOT EXISTS digests (path BLOB PRIMARY KEY, seen TEXT, sha256 TEXT)"
T = TypeVar("T")
Row = tuple[bytes, str, str]


def remembered_digests(
    paths: Iterable[Path], *, settled_seconds: float = SETTLED_SECONDS
) -> dict[Path, str]:
    """Path → SHA-256 of a file's bytes; read only where it is not remembered.

    Args:
        paths: files that exist.
        settled_seconds: how long a file must have been left alone to be remembered.
    """
    memory = DigestMemory(nativize_home() / "digests.sqlite")
    wanted = {path: _seen(path) for path in dict.fromkeys(paths)}
    known = memory.recall(wanted)
    fresh: list[Row] = []
    unsaved = 0
    for path, seen in wanted.items():
        if path in known:
            continue
        known[path] = sha256_of(path)
        if _seen(path) == seen and _is_settled(path, settled_seconds):
            fresh.append((_key(path), seen, known[path]))
        unsaved += path.stat().st_size
        if unsaved > SAVE_BYTES or len(fresh) > SAVE_FILES:
            memory.remember(fresh)
            fresh, unsaved = [], 0
    memory.remember(fresh)
    return known


class DigestMemory:
    """What was read before, in one SQLite file that several processes share."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def recall(self, wanted: dict[Path, str]) -> dict[Path, str]:
        """Digests of those files that look as they did when they were read."""

        def rows(connection: sqlite3.Connection) -> Iterator[tuple[Path, str]]:
            query = "SELECT sha256 FROM digests WHERE path = ? AND seen = ?"
            for path, seen in wanted.items():
                for (digest,) in connection.execute(query, (_key(path), seen)):
                    yield path, digest

        return self._use(lambda connection: dict(rows(connection)), {})

    def remember(self, rows: list[Row]) -> None:
        """Keep digests, all or none."""
        if rows:
            statement = "INSERT OR REPLACE INTO digests VALUES (?, ?, ?)"
            self._use(lambda connection: connection.executemany(statement, rows), None)

    def _use(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What ``work`` gives; a damaged file is replaced, an unusable one is done without."""
        try:
            return self._once(work)
        except sqlite3.OperationalError as error:  # locked, read-only, disk full
            log.warning("%s cannot be used (%s); digests are not remembered", self.file, error)
        except sqlite3.DatabaseError as error:
            log.warning("%s is damaged (%s) and is replaced", self.file, error)
            self.file.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s cannot be made (%s); digests are not remembered", self.file, error)
        return otherwise

    def _once(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.file, timeout=60)) as connection, connection:
            connection.execute(TABLE)
            return work(connection)


def _seen(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def _is_settled(path: Path, seconds: float) -> bool:
    status = path.stat()
    return time.time() - max(status.st_mtime, status.st_ctime) >= seconds


def _key(path: Path) -> bytes:
    return os.fsencode(path.absolute())
