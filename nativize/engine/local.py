"""Local processes under the engine's one interface."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from nativize.engine.progress import progress
from nativize.errors import NativizeError


class CorpusEngine(Protocol):
    """Runs pure functions over shards; results never depend on which engine or how many."""

    def map(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], label: str
    ) -> list[Any]:
        """``function(*call)`` of every call, in the order of the calls."""
        ...


@dataclass(frozen=True)
class LocalEngine:
    """A pool of processes on this machine; 0 workers means one per core."""

    workers: int = 0

    def map(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], label: str
    ) -> list[Any]:
        """Results in the order of the calls; the first failure stops the rest and is raised.

        Raises:
            NativizeError: a worker died, for example for want of memory.
        """
        workers = min(self.workers or os.cpu_count() or 1, len(calls))
        if workers <= 1:
            return [function(*call) for call in progress(calls, len(calls), label)]
        # spawn: a forked child inherits the locks of Arrow's and torch's threads
        context = multiprocessing.get_context("spawn")
        try:
            with ProcessPoolExecutor(workers, mp_context=context) as pool:
                futures = [pool.submit(function, *call) for call in calls]
                return _collect(pool, futures, label)
        except BrokenProcessPool as error:
            raise NativizeError(
                f"{label}: a worker process died, most likely for want of memory;"
                " lower [engine] workers or [crawl] shard_text_bytes"
            ) from error


def _collect(pool: ProcessPoolExecutor, futures: list[Future[Any]], label: str) -> list[Any]:
    try:
        for future in progress(as_completed(futures), len(futures), label):
            future.result()
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    return [future.result() for future in futures]
