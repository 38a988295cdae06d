"""The trainer as a process: its last words, its end, and the end of its children."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nativize.errors import TrainingError
from nativize.train import launch


def test_a_failed_training_says_why_in_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"exit code 1:\n(.*\n)*TrainingError: .*cannot be read"
    ):
        launch.run_here(tmp_path / "missing.json")


def test_children_that_ignore_the_request_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRACE_SECONDS", 0.2)
    script = "trap '' TERM; sleep 60 & echo $!; wait"
    process = subprocess.Popen(
        ["bash", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    child = int(process.stdout.readline())
    launch.end_process_group(process)
    assert process.returncode == -signal.SIGKILL
    assert is_gone(child)


def test_the_trainer_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """It waits in its job file, a pipe that nobody writes to, while its parent is killed."""
    job = tmp_path / "job.json"
    os.mkfifo(job)
    code = "from pathlib import Path; from nativize.train import run_here; run_here(Path({!r}))"
    parent = subprocess.Popen([sys.executable, "-c", code.format(str(job))])
    pipe = wait_for_reader(job)
    (trainer,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    parent.kill()
    parent.wait()
    assert is_gone(int(trainer))
    os.close(pipe)


def wait_for_reader(pipe: Path, seconds: float = 30) -> int:
    """The open end of a named pipe, once somebody reads it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # ENXIO: no reader yet
            time.sleep(0.05)
    raise TimeoutError(f"nobody reads {pipe}")


def is_gone(process: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
