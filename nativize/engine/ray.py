"""A Ray cluster under the engine's one interface; Ray is imported when it is first used.

The cluster is the user's: nothing is started here, and a connection lasts as long as one map, so
that a long-lived process outlives a cluster that is restarted. Its machines need this Python and
this version of nativize, and one shared file system under the paths of store, crawl and recipe.
By default Ray asks for no password and listens on all interfaces: keep it in a trusted network.
"""

import dataclasses
import logging
import os
import platform
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nativize import __version__
from nativize.engine.progress import progress
from nativize.errors import NativizeError

log = logging.getLogger(__name__)

QUEUED_PER_CORE = 2
"""Tasks handed to the cluster at once: one at work, one that waits for it."""
CANCEL_SECONDS = 60.0
CONNECT_SECONDS = 10.0
CONNECT_TRIES = 3
"""On a busy head the server that Ray forks for a client (``ray://``) may die as it starts."""


@dataclass(frozen=True)
class RayEngine:
    """Tasks on a Ray cluster; 0 workers means all its cores.

    Attributes:
        address: ``auto``, ``host:port`` of the cluster's head, or ``ray://host:port``.
        workers: tasks at once.
    """

    address: str
    workers: int = 0

    def map(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], label: str
    ) -> list[Any]:
        """Results in the order of the calls; the first failure stops the rest and is raised.

        Raises:
            NativizeError: Ray is not installed, no cluster answers, a worker died, or a worker
                is no twin of this machine: other versions, or files that it does not see.
        """
        if not calls:
            return []
        ray = _import_ray()
        with _connected(ray, self.address), _named_failures(ray, self.address, label):
            # a died worker is named, not tried again: want of memory would kill the next one too
            options = {"num_cpus": 1, "max_retries": 0, "scheduling_strategy": "SPREAD"}
            task = ray.remote(**options)(run_call)
            cores = int(ray.cluster_resources().get("CPU", 1))
            at_once = self.workers or QUEUED_PER_CORE * max(cores, 1)
            submit = [lambda call=call: task.remote(_twin(call), function, call) for call in calls]
            return _collect(ray, submit, at_once, label)


@dataclass(frozen=True)
class Twin:
    """What a worker must have in common with the machine that asks."""

    versions: dict[str, str]
    paths: tuple[Path, ...]


def run_call(twin: Twin, function: Callable[..., Any], call: tuple[Any, ...]) -> Any:
    """``function(*call)`` on a worker.

    Raises:
        NativizeError: the worker has other versions or does not see the files.
    """
    host = socket.gethostname()
    if twin.versions != versions():
        raise NativizeError(
            f"the Ray worker on {host} has {versions()}, this walk {twin.versions}; results would"
            " differ. Install the same versions on all machines of the cluster"
        )
    missing = [path for path in twin.paths if not path.exists()]
    if missing:
        raise NativizeError(
            f"{missing[0]} is not there for the Ray worker on {host}. All machines of the cluster"
            " must see store, crawl and recipe at the same paths: mount one shared file system"
        )
    return function(*call)


def _twin(call: tuple[Any, ...]) -> Twin:
    return Twin(versions(), tuple(sorted({_existing(path) for path in _paths(call)})))


def versions() -> dict[str, str]:
    """What may make results differ between machines."""
    return {"nativize": __version__, "Python": platform.python_version()}


def _paths(value: Any) -> Iterator[Path]:
    """All paths inside the arguments of a call."""
    if isinstance(value, Path):
        yield value.absolute()
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _paths(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _paths(getattr(value, field.name))


def _existing(path: Path) -> Path:
    """The path, or where it is going to be made."""
    return next(place for place in (path, *path.parents) if place.exists())


def _collect(ray: Any, submit: Sequence[Callable[[], Any]], at_once: int, label: str) -> list[Any]:
    """Results in order, with at most ``at_once`` tasks in the cluster."""
    results: list[Any] = [None] * len(submit)
    waiting = deque(range(len(submit)))
    running: dict[Any, int] = {}

    def finish() -> Iterator[int]:
        while waiting or running:
            while waiting and len(running) < at_once:
                number = waiting.popleft()
                running[submit[number]()] = number
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            number = running.pop(done)
            results[number] = ray.get(done)
            yield number

    try:
        for _ in progress(finish(), len(submit), label):
            pass
    except BaseException:
        _cancel(ray, list(running))
        raise
    return results


def _cancel(ray: Any, running: list[Any]) -> None:
    """Nothing of this map is at work any more, so that it may be repeated."""
    for task in running:
        ray.cancel(task)
    if running:
        ray.wait(running, num_returns=len(running), timeout=CANCEL_SECONDS)


def _import_ray() -> Any:
    # Ray reports usage to its makers by default
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise NativizeError(
            "[engine] ray_address is named, but Ray is not installed:"
            " pip install 'nativize[cluster]', or remove ray_address to work on this machine"
        ) from error
    return ray


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """A connection to the cluster; one that the caller's program already has is left alone."""
    if ray.is_initialized():
        yield
        return
    with _own_signal_handler():
        _connect(ray, address)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    for tries_left in reversed(range(CONNECT_TRIES)):
        try:
            require_listener(address)
            ray.init(address=address, log_to_driver=False, logging_level="WARNING")
            return
        except (OSError, ValueError, RuntimeError) as error:
            # a failed client would be asked by whatever this process does with Ray from now on
            ray.shutdown()
            if isinstance(error, ConnectionAbortedError) and tries_left:
                log.warning("no server for a client at %s, asking again: %s", address, error)
                continue
            raise NativizeError(
                f"no Ray cluster answers at {address}: {error}. Start one (ray start --head"
                " --include-dashboard=false --disable-usage-stats), name another [engine]"
                " ray_address, or remove it to work on this machine"
            ) from error


def require_listener(address: str) -> None:
    """Nothing, when something listens at the address; Ray itself would try for ever."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


@contextmanager
def _own_signal_handler() -> Iterator[None]:
    """This process's handling of SIGTERM stays its own; Ray would put its in the place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _named_failures(ray: Any, address: str, label: str) -> Iterator[None]:
    """A task's own error as it was raised there; the cluster's failures in our words."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        cause: BaseException = error.cause
        unimportable = "failed to import on the worker" in str(cause)
        if unimportable or isinstance(cause, ray.exceptions.RayError):
            raise NativizeError(
                f"{label}: a worker of {address} cannot load what it is asked to run; install"
                f" nativize {__version__} on all machines of the cluster. It said: {cause}"
            ) from error
        raise cause from error
    except ray.exceptions.RayError as error:
        raise NativizeError(
            f"{label}: a worker of the Ray cluster at {address} died ({type(error).__name__}:"
            f" {str(error).strip().splitlines()[0]}), most likely for want of memory; lower"
            " [engine] workers or [crawl] shard_text_bytes, or look at its machine. What is"
            " finished is kept: walk again"
        ) from error
