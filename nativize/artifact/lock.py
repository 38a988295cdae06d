"""One writer: an advisory lock that says who holds it.

The kernel drops a flock when its holder dies, so a kill -9 leaves nothing to clean up.
"""

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

SAY_AGAIN_SECONDS = 30.0


@contextmanager
def exclusive(path: Path, purpose: str) -> Iterator[None]:
    """Hold the lock at ``path``; while another holds it, wait and say who."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait(descriptor, path, purpose)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "purpose": purpose}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock at ``path``."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _wait(descriptor: int, path: Path, purpose: str) -> None:
    said = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() - said > SAY_AGAIN_SECONDS:
                said = time.monotonic()
                holder = path.read_text(encoding="utf-8", errors="replace")
                log.info("%s waits: %s is held by %s", purpose, path.name, holder or "another")
            time.sleep(0.2)
