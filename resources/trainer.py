"""The trainer as a process of its own: Pipes, a process group, and an end to it.

`PipesSubprocessClient` interrupts only its direct child and never kills, which leaves hung
workers on the GPU. Here the trainer leads a process group, and whatever ends the step ends the
whole tree: SIGINT, then SIGTERM, then SIGKILL.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from dagster import (
    AssetExecutionContext,
    AssetObservation,
    PipesEnvContextInjector,
    PipesTempFileMessageReader,
    open_pipes_session,
)

from nativize.errors import TrainingError
from resources.home import PROJECT

OBSERVE_SECONDS = 5.0
"""Between two points of the live loss curve; every observation is a row in the event log."""
PATIENCE_SECONDS = 10.0
"""Given to a signal before the next, stronger one."""


@dataclass(frozen=True)
class PipesTrainer:
    """Launches ``python -m resources.training_process job.json`` for a step."""

    def launcher(self, context: AssetExecutionContext) -> Callable[[Path], None]:
        """A function that runs one training job to its end, reporting to this step."""
        return lambda job: _run(context, job)


def _run(context: AssetExecutionContext, job: Path) -> None:
    command = [sys.executable, "-m", "resources.training_process", str(job)]
    errors = job.with_name("stderr.log")
    with (
        open_pipes_session(
            context, PipesEnvContextInjector(), PipesTempFileMessageReader()
        ) as session,
        errors.open("wb") as stderr,
    ):
        environment = {**os.environ, **session.get_bootstrap_env_vars()}
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stderr=stderr, start_new_session=True
        )
        try:
            with _live_metrics(context, job.parent / "metrics.jsonl"):
                code = process.wait()
        finally:
            end_process_tree(process)
    if code != 0:
        last = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-8:]
        raise TrainingError(
            f"training ended with code {code}; it resumes from its last checkpoint when"
            f" materialised again. Its last words:\n" + "\n".join(last)
        )


def end_process_tree(process: subprocess.Popen[bytes]) -> None:
    """Nothing of the process's tree or group alive: SIGINT, SIGTERM, SIGKILL, patience between."""
    alive = _tree_of(process.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for member in alive:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)
        _, alive = psutil.wait_procs(alive, timeout=PATIENCE_SECONDS)
    process.poll()


def _tree_of(leader: int) -> list[psutil.Process]:
    """The leader, its descendants, and who is left of its group when it is gone already."""
    members = {}
    for candidate in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if candidate.pid == leader or os.getpgid(candidate.pid) == leader:
                descendants = [candidate, *candidate.children(recursive=True)]
                members |= {member.pid: member for member in descendants}
    return list(members.values())


@contextmanager
def _live_metrics(context: AssetExecutionContext, metrics: Path) -> Iterator[None]:
    """The newest line of ``metrics`` as an observation every few seconds: the UI's loss curve."""
    stop = threading.Event()
    thread = threading.Thread(target=_observe, args=(context, metrics, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _observe(context: AssetExecutionContext, metrics: Path, stop: threading.Event) -> None:
    shown = -1
    while True:
        ended = stop.wait(OBSERVE_SECONDS)
        newest = _last_line(metrics)
        if newest and newest["step"] != shown:
            shown = newest["step"]
            figures = {k: v for k, v in newest.items() if isinstance(v, (int, float))}
            context.log_event(AssetObservation(asset_key=context.asset_key, metadata=figures))
        if ended:
            return


def _last_line(metrics: Path) -> dict[str, Any] | None:
    try:
        lines = metrics.read_text(encoding="utf-8").splitlines()
        newest: dict[str, Any] = json.loads(lines[-1])
    except (OSError, IndexError, ValueError):
        return None
    return newest
