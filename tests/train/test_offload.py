"""DeepSpeed's stages and offload change where numbers lie, not what they are.

Two processes with gloo on the CPU, where the host's memory is the device's too: DeepSpeed goes
the ways of offload, with PyTorch's AdamW in the place of its own (`DeepSpeedCPUAdam` is compiled
at its first use, for GPUs). Processes are forked from one that has imported DeepSpeed.
"""

import multiprocessing
import os
from pathlib import Path

import pytest
from deepspeed.accelerator import get_accelerator

from nativize.train.checkpoint import read_about
from nativize.train.run import run_job
from nativize.train.scale import FIRST
from tests.engine.conftest import free_port
from tests.model.tiny import Tiny, stage
from tests.train.compared import assert_same_training
from tests.train.test_run_job import written_job

STEPS = 12
ENDED = 7
"""Steps until all processes of the first run are gone; its last checkpoint is of step 4."""

SAVING = {"save_every_steps": 4, "log_every_steps": 2, "micro_batch_samples": 2}

forked = multiprocessing.get_context("forkserver")
forked.set_forkserver_preload(["nativize.train.run", "nativize.train.deepspeed_engine"])


def job(tiny: Tiny, root: Path, precision: str = "fp32", **trainer: object) -> Path:
    training = stage("full", steps=STEPS, weight_decay=0.1, precision=precision)
    return written_job(tiny, root, training, trainer={**SAVING, **trainer}, batch_samples=6)


def train_as(rank: int, port: int, path: Path, end: int) -> None:
    """One of two processes, as torchrun starts them; gone after so many steps."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in {**place, **meeting}.items()})
    # DeepSpeed refuses fp16 on a processor without AVX512-FP16, where PyTorch is slow, not wrong
    get_accelerator().is_fp16_supported = lambda: True
    run_job(path, on_step=lambda step: os._exit(0) if step == end else None)


def train_together(path: Path, end: int = STEPS + 1) -> None:
    port = free_port()
    both = [forked.Process(target=train_as, args=(rank, port, path, end)) for rank in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    codes = [process.exitcode for process in both]
    for process in both:
        process.kill()
    assert codes == [0, 0]


@pytest.fixture(scope="module")
def one_process(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_job(job(tiny, tmp_path_factory.mktemp("one")))


@pytest.mark.parametrize(
    ("zero_stage", "offload"),
    [(2, "optimizer"), (3, "none"), (3, "parameters")],
)
def test_a_training_under_deepspeed_goes_on_from_its_checkpoint_to_what_one_process_trains(
    tiny: Tiny, tmp_path: Path, one_process: Path, zero_stage: int, offload: str
) -> None:
    path = job(tiny, tmp_path, zero_stage=zero_stage, offload=offload)
    train_together(path, ENDED)
    assert (tmp_path / "work" / "checkpoint-4").is_dir()
    train_together(path)
    assert_same_training(tmp_path / "out", one_process)


def test_the_loss_scale_of_fp16_goes_on_from_the_checkpoint(tiny: Tiny, tmp_path: Path) -> None:
    path = job(tiny, tmp_path, zero_stage=2, precision="fp16")
    train_together(path, ENDED)
    assert read_about(tmp_path / "work" / "checkpoint-4")["loss_scale"] == [FIRST, 4, 0]
    train_together(path)
    assert read_about(tmp_path / "work" / f"checkpoint-{STEPS}")["loss_scale"] == [FIRST, STEPS, 0]
