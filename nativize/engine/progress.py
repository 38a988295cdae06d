"""How far a map over shards is, said where a person looks."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

log = logging.getLogger(__name__)

LOG_SECONDS = 10.0
T = TypeVar("T")


def progress(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """The items; a bar on a terminal, elsewhere a line in the log every ten seconds."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=label, unit="shard")
        return
    said = time.monotonic()
    for number, item in enumerate(items):
        yield item
        if time.monotonic() - said > LOG_SECONDS:
            said = time.monotonic()
            log.info("%s: %d of %d shards", label, number + 1, total)
