"""How far downloads are: a bar on a terminal, elsewhere a line in the log every ten seconds."""

import logging
import sys
import threading
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

log = logging.getLogger(__name__)

LOG_SECONDS = 10.0
GIGA = 1e9


class Progress:
    """Bytes and files that arrived, counted by several threads; a context manager."""

    def __init__(self, files: int, total_bytes: int | None) -> None:
        self.files, self.total = files, total_bytes
        self.done, self.bytes = 0, 0
        self._said = time.monotonic()
        self._lock = threading.Lock()
        self._bar = tqdm(
            total=total_bytes,
            desc="downloads",
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def add(self, size: int) -> None:
        """So many bytes more; fewer where a download starts over."""
        with self._lock:
            self.bytes += size
            self._bar.update(size)
            if self._bar.disable and time.monotonic() - self._said > LOG_SECONDS:
                self._said = time.monotonic()
                log.info("downloads: %s", self)

    def file_done(self) -> None:
        """One file more is whole."""
        with self._lock:
            self.done += 1

    def __str__(self) -> str:
        total = f" of {self.total / GIGA:.2f}" if self.total else ""
        return f"{self.done} of {self.files} files, {self.bytes / GIGA:.2f}{total} GB"
