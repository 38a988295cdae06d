"""kill -9 costs time, never bits: trainer processes killed at random moments, then run again.

24 kills here, 200 with NATIVIZE_SLOW. Processes are forked from one that has imported torch, so
that a kill meets loading, training and saving rather than imports.
"""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nativize.train.metrics import read_metrics
from nativize.train.run import run_job
from tests.model.tiny import Tiny, stage
from tests.train.test_run_job import written_job

STEPS = 40
KILLS = 200 if os.environ.get("NATIVIZE_SLOW") else 24
RESULTS = {
    "embeddings": "trained.safetensors",
    "freeze": "trained.safetensors",
    "full": "trained.safetensors",
    "lora": "adapter/adapter_model.safetensors",
}
TRAINER = {"save_every_steps": 4, "log_every_steps": 2}

forked = multiprocessing.get_context("forkserver")
forked.set_forkserver_preload(["nativize.train.run", "peft", "torch.utils.tensorboard"])


def curve(out: Path) -> list[tuple[int, int, str, str]]:
    """Step, tokens, and loss and gradient norm to the last bit."""
    lines = read_metrics(out / "metrics.jsonl")
    return [
        (line["step"], line["tokens"], line["loss"].hex(), line["gradient_norm"].hex())
        for line in lines
    ]


def run_for(job: Path, seconds: float | None) -> bool:
    """Whether a trainer process was still at work after so many seconds, and was killed."""
    trainer = forked.Process(target=run_job, args=(job,))
    trainer.start()
    trainer.join(seconds)
    if trainer.exitcode is None:
        assert trainer.pid is not None
        os.kill(trainer.pid, signal.SIGKILL)
        trainer.join()
    assert trainer.exitcode in (0, -signal.SIGKILL)
    return trainer.exitcode != 0


def fresh_jobs(tiny: Tiny, root: Path, trainable: str) -> Iterator[Path]:
    """The same training again and again, each with a work directory of its own."""
    number = 0
    while True:
        # lora with dropout: the random state matters
        training = stage(trainable, steps=STEPS)
        yield written_job(tiny, root / str(number), training, trainer=TRAINER)
        number += 1


@pytest.mark.parametrize("trainable", sorted(RESULTS))
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(
    tiny: Tiny, tmp_path: Path, trainable: str
) -> None:
    rng = random.Random(trainable)
    jobs = fresh_jobs(tiny, tmp_path, trainable)
    assert not run_for(next(jobs), None)  # the first one waits for the imports
    whole = next(jobs)
    started = time.monotonic()
    assert not run_for(whole, None)
    seconds = time.monotonic() - started

    kills, ended, job = 0, [], next(jobs)
    while kills < KILLS // len(RESULTS):
        if run_for(job, rng.uniform(0, seconds)):
            kills += 1
        else:
            ended.append(job)
            job = next(jobs)
    run_for(job, None)
    for finished in (*ended, job):
        out, expected = finished.parent / "out", whole.parent / "out"
        assert curve(out) == curve(expected)
        name = RESULTS[trainable]
        assert (out / name).read_bytes() == (expected / name).read_bytes()
    print(f"{trainable}: {kills} kills, {len(ended) + 1} trainings, 0 bits differ")
