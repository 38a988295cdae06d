"""Starting the trainer as a process of its own that can always be ended with all its children."""

import collections
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from nativize.errors import TrainingError

log = logging.getLogger(__name__)

Launch = Callable[[Path], None]
"""Runs the training of a job file to its end, or raises TrainingError."""

PARENT = "NATIVIZE_TRAINER_PARENT"
"""Environment variable: the process whose death ends the trainer."""

GRACE_SECONDS = 5.0
LAST_LINES = 20
NOISE_LINES = 100
"""What torchrun and other processes may still say behind the line that matters."""

OURS = re.compile(r"[A-Z]\w*Error: ")


def run_here(
    job: Path, *, module: str = "nativize.train", environment: Mapping[str, str] | None = None
) -> None:
    """The training of ``job``, finished, in a process of its own on this machine.

    Whatever interrupts the caller ends the trainer's whole process group; the checkpoints stay
    and the next call resumes.

    Args:
        job: the job file.
        module: what to run as ``python -m``; takes the job file as its argument.
        environment: added to this process's own.
    Raises:
        TrainingError: the trainer failed or was killed; with the last lines it wrote.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(job)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, **(environment or {}), PARENT: str(os.getpid())},
    )
    try:
        last_lines = follow(process, log.info)
        status = process.wait()
    except BaseException:
        end_process_group(process)
        raise
    if status != 0:
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        raise TrainingError(f"training of {job} ended with {how}:\n" + "\n".join(_why(last_lines)))


def end_process_group(process: subprocess.Popen[str]) -> None:
    """The process and all its children ended: asked with SIGTERM first, then killed."""
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        log.warning("trainer %d does not stop; killing it", process.pid)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def follow(process: subprocess.Popen[str], tell: Callable[[str], object]) -> list[str]:
    """The last lines of a process's standard error, every one told as it comes."""
    last_lines: collections.deque[str] = collections.deque(maxlen=LAST_LINES + NOISE_LINES)
    for line in process.stderr or ():
        last_lines.append(line.rstrip())
        tell(last_lines[-1])
    return list(last_lines)


def _why(lines: list[str]) -> list[str]:
    """The last lines up to the trainer's own last word, where it had one."""
    words = [number for number, line in enumerate(lines, 1) if OURS.match(line)]
    return lines[: words[-1] if words else None][-LAST_LINES:]


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
