"""Trainings beside each other, and the processes of one that is on its way."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from nativize.train.metrics import read_metrics


def assert_same_training(out: Path, expected: Path, result: str = "trained.safetensors") -> None:
    """Losses and tokens as close as float32's rounding, tensors within a fifth of a step's move."""
    ours, theirs = (read_metrics(one / "metrics.jsonl") for one in (out, expected))
    assert [line["tokens"] for line in ours] == [line["tokens"] for line in theirs]
    losses = [line["loss"] for line in theirs]
    assert [line["loss"] for line in ours] == pytest.approx(losses, rel=1e-5)
    tensors, others = load_file(out / result), load_file(expected / result)
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert (tensor - others[name]).abs().max() < 2e-4, name


def start(job: Path) -> "subprocess.Popen[str]":
    """The trainer in a session of its own; what it says is in ``<job>.log``."""
    with job.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "nativize.train", str(job)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )


def processes(job: Path, *, without: str = "\n") -> set[int]:
    """Whatever names a job in its command: launchers, torchrun, and what trains.

    Args:
        job: the job's file.
        without: leaves out commands that hold this too.
    """
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if str(job).encode() in command and without.encode() not in command:
            found.add(int(directory.name))
    return found


ENDING_SECONDS = 10.0
"""For processes to be gone."""


def wait_for(condition: Callable[[], object], seconds: float, job: Path) -> None:
    """Until it holds; the job's log, if there is one, if it does not in time."""
    deadline, log = time.monotonic() + seconds, job.with_suffix(".log")
    while not condition():
        assert time.monotonic() < deadline, log.read_text() if log.exists() else f"no {log}"
        time.sleep(0.02)
