"""kill -9 costs time, never bits: a real trainer process, killed, then run again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nativize.train.metrics import read_metrics
from nativize.train.run import run_job
from tests.model.tiny import Tiny, stage
from tests.train.test_run_job import written_job

STEPS = 30
RESULTS = {"embeddings": "trained.safetensors", "lora": "adapter/adapter_model.safetensors"}


def curve(out: Path) -> list[tuple[int, int, str, str]]:
    """Step, tokens, and loss and gradient norm to the last bit."""
    lines = read_metrics(out / "metrics.jsonl")
    return [
        (line["step"], line["tokens"], line["loss"].hex(), line["gradient_norm"].hex())
        for line in lines
    ]


def kill_after(job: Path, lines: int) -> None:
    """Start the trainer and kill it -9 once its log has so many lines."""
    log = Path(json.loads(job.read_text())["work_dir"]) / "metrics.jsonl"
    trainer = subprocess.Popen([sys.executable, "-m", "nativize.train", str(job)])
    deadline = time.monotonic() + 120
    while not log.exists() or log.read_text().count("\n") < lines:
        assert trainer.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(trainer.pid, signal.SIGKILL)
    assert trainer.wait() == -signal.SIGKILL


@pytest.mark.parametrize("trainable", sorted(RESULTS))
def test_a_killed_training_ends_with_the_same_bits(
    tiny: Tiny, tmp_path: Path, trainable: str
) -> None:
    training = stage(trainable, steps=STEPS)  # lora with dropout: the random state matters
    fields = {"save_every_steps": 4, "log_every_steps": 2}
    whole = run_job(written_job(tiny, tmp_path / "whole", training, **fields))
    job = written_job(tiny, tmp_path / "killed", training, **fields)
    kill_after(job, lines=5)
    lines: list[dict[str, object]] = []
    killed = run_job(job, on_log=lines.append)
    resumed_at = STEPS - 2 * len(lines)
    assert 0 < resumed_at < STEPS
    assert curve(killed) == curve(whole)
    name = RESULTS[trainable]
    assert (killed / name).read_bytes() == (whole / name).read_bytes()
    print(f"{trainable}: killed, resumed at step {resumed_at} of {STEPS}, 0 bits differ")
