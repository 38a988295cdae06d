"""The list of what could not be read: one line for each refused record, written as it comes."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from nativize.crawl.reader import CrawlFile, Quarantined


class QuarantineFile:
    """A list being written; a context manager.

    Nothing is held: a million broken lines took 756 MB as a list in memory. Without a refused
    record no file is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: IO[str] | None = None

    def add(self, file: CrawlFile, item: Quarantined) -> None:
        """One more record, with the place where it lies in its file."""
        row = {
            "source": file.source.name,
            "file": file.name,
            "offset": item.offset,
            "length": item.length,
            "within": item.within,
            "reason": item.reason,
        }
        self._stream = self._stream or self._path.open("w", encoding="utf-8", newline="\n")
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream:
            self._stream.close()


def quarantine_lines(directory: Path) -> Iterator[str]:
    """The lines of all lists in a directory, file by file, none held."""
    for path in sorted(directory.glob("*.quarantine.jsonl")):
        with path.open(encoding="utf-8", newline="\n") as stream:
            yield from stream
