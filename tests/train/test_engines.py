"""One training, whatever runs it: one process, two by torchrun, DeepSpeed's ZeRO-2 and ZeRO-3.

Real processes with gloo on the CPU. Losses agree to float32's rounding; a training that was
killed goes on under another engine and another number of processes.
"""

import os
import signal
from pathlib import Path

import pytest

from nativize.errors import TrainingError
from nativize.train import run_here
from nativize.train.metrics import read_metrics
from nativize.train.run import run_job
from tests.model.tiny import Tiny, stage
from tests.train.compared import ENDING_SECONDS, assert_same_training, processes, start, wait_for
from tests.train.test_run_job import written_job

STEPS = 40
ENGINES = {
    "torchrun": {"processes": 2},
    "zero-2": {"processes": 2, "zero_stage": 2},
    "zero-3": {"processes": 2, "zero_stage": 3},
}
# six samples a step: three a process, so that a process has passes of two and of one
TRAINER = {"save_every_steps": 4, "log_every_steps": 2, "micro_batch_samples": 2}
RESULTS = {"full": "trained.safetensors", "lora": "adapter/adapter_model.safetensors"}


def job(tiny: Tiny, root: Path, kind: str, **trainer: object) -> Path:
    lora = {"rank": 4, "alpha": 8, "dropout": 0.0}  # dropout draws by process
    training = stage(kind, steps=STEPS, weight_decay=0.1, lora=lora)
    return written_job(tiny, root, training, trainer={**TRAINER, **trainer}, batch_samples=6)


@pytest.fixture(scope="module")
def one_process(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("one")
    return {kind: run_job(job(tiny, root / kind, kind)) for kind in RESULTS}


def assert_equal(out: Path, expected: Path, kind: str) -> None:
    assert_same_training(out, expected, RESULTS[kind])
    assert read_metrics(out / "metrics.jsonl")[-1]["tokens"] == STEPS * 6 * 32


@pytest.mark.parametrize(
    ("engine", "kind"), [("torchrun", "lora"), ("zero-2", "full"), ("zero-3", "lora")]
)
def test_two_processes_train_what_one_trains(
    tiny: Tiny, tmp_path: Path, one_process: dict[str, Path], engine: str, kind: str
) -> None:
    run_here(job(tiny, tmp_path, kind, **ENGINES[engine]))
    assert_equal(tmp_path / "out", one_process[kind], kind)


def ranks(path: Path) -> set[int]:
    """Processes that train a job, torchrun left out."""
    return processes(path, without="torch.distributed.run")


def test_a_dead_process_ends_all_and_another_engine_goes_on_from_its_checkpoint(
    tiny: Tiny, tmp_path: Path, one_process: dict[str, Path]
) -> None:
    """Begun by two processes under ZeRO-3, one is killed; ended by one without DeepSpeed."""
    path = job(tiny, tmp_path, "full", **ENGINES["zero-3"])
    leader = start(path)
    wait_for(lambda: list((tmp_path / "work").glob("checkpoint-*")), 120, path)
    os.kill(max(ranks(path) - {leader.pid}), signal.SIGKILL)
    assert leader.wait(30) != 0
    wait_for(lambda: not ranks(path), ENDING_SECONDS, path)
    lines: list[dict[str, object]] = []
    run_job(job(tiny, tmp_path, "full"), on_log=lines.append)
    assert 0 < len(lines) < STEPS // 2  # it went on, it did not begin anew
    assert_equal(tmp_path / "out", one_process["full"], "full")


def test_one_process_begins_and_zero_2_with_two_goes_on(
    tiny: Tiny, tmp_path: Path, one_process: dict[str, Path]
) -> None:
    class Stopped(Exception):
        pass

    def stop(step: int) -> None:
        if step == 10:
            raise Stopped

    with pytest.raises(Stopped):
        run_job(job(tiny, tmp_path, "lora"), on_step=stop)
    run_here(job(tiny, tmp_path, "lora", **ENGINES["zero-2"]))
    assert_equal(tmp_path / "out", one_process["lora"], "lora")


def test_ending_the_launcher_leaves_no_process(tiny: Tiny, tmp_path: Path) -> None:
    path = job(tiny, tmp_path, "full", processes=2)
    leader = start(path)
    wait_for(lambda: len(ranks(path) - {leader.pid}) == 2, 60, path)
    leader.kill()
    leader.wait()
    wait_for(lambda: not ranks(path), ENDING_SECONDS, path)


def test_what_one_of_the_processes_refuses_is_the_message(tiny: Tiny, tmp_path: Path) -> None:
    path = written_job(
        tiny, tmp_path, stage("full"), trainer={"processes": 2}, data_digest="0" * 64
    )
    with pytest.raises(TrainingError, match=r"make the job again, it starts from step 0$"):
        run_here(path)
