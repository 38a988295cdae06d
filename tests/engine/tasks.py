"""Functions that workers run; they import this module by its name."""

import os
import signal
import time
from pathlib import Path

from nativize.errors import CorpusError


def square(number: int) -> int:
    return number * number


def slow_first(number: int) -> int:
    time.sleep(0.5 if number == 0 else 0.0)
    return number


def node_of(number: int) -> str:
    import ray

    time.sleep(0.5)
    return str(ray.get_runtime_context().get_node_id())


def refuse(number: int) -> int:
    if number == 1:
        raise CorpusError(f"document {number} is refused")
    return number


def refuse_first(number: int, directory: Path) -> None:
    """The first call fails at once, the others leave a trace that they ran."""
    if number == 0:
        raise CorpusError("the first is refused")
    time.sleep(0.3)
    (directory / str(number)).touch()


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def size_of(path: Path) -> int:
    return path.stat().st_size
