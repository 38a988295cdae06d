"""A training that is interrupted leaves no process behind, and resumes where it was."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.traveller import Traveller

PROJECT = Path(__file__).parents[2]


class Walker:
    """`python -m dagster_project walk` in a process of its own, with a training long enough."""

    def __init__(self, traveller: Traveller) -> None:
        self.store = traveller.store.root
        self.log = traveller.home / "walk.log"
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "dagster_project", "walk", "--select", "lora_checkpoints"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--recipe", str(traveller.recipe_path)],
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def wait_for_checkpoint(self) -> None:
        """Until the second training has a complete checkpoint."""
        deadline = time.monotonic() + 120
        while not list(self.store.glob("work/lora_checkpoints/*/scratch/training/checkpoint-*")):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.2)


def trainers(traveller: Traveller) -> set[int]:
    """Processes of this traveller's LoRA training."""
    job = str(traveller.store.root / "work" / "lora_checkpoints").encode()
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes()
        except OSError:
            continue
        if b"resources.training_process" in command and job in command:
            found.add(int(directory.name))
    return found


def gone(traveller: Traveller, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while trainers(traveller) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not trainers(traveller)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_walk_ends_the_trainer_and_the_next_walk_resumes(
    traveller: Traveller, number: signal.Signals
) -> None:
    # a seed of its own for each signal: another fingerprint, so a training of its own
    traveller.edit(
        'trainable = "lora"\nsteps = 4', f'trainable = "lora"\nseed = {number}\nsteps = 400'
    )
    walker = Walker(traveller)
    walker.wait_for_checkpoint()
    assert trainers(traveller)
    walker.process.send_signal(number)
    walker.process.wait(60)
    assert gone(traveller)
    again = Walker(traveller)
    assert again.process.wait(300) == 0, again.log.read_text()
    assert "resuming at step" in again.log.read_text()
    assert traveller.store.current("lora_checkpoints").metrics["steps"] == 400
