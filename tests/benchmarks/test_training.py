"""The training benchmark: equal jobs, what it refuses, what its tables say."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import training
from benchmarks.training import (
    OURS,
    TRAINER,
    UNSLOTH,
    Result,
    difference,
    figures_of,
    refuse_other_losses,
)
from benchmarks.training_cases import CPU, H200, fitted, write_job
from benchmarks.training_tables import readme_table
from nativize.artifact import standalone
from nativize.budget import Shapes
from nativize.engine import LocalEngine
from nativize.recipe import Mixture
from nativize.tokens import tokenise
from tests.model.tiny import make_tiny

TINY = replace(
    CPU, shapes=Shapes(576, 32, 64, 2, 2, 2, 16), sequence_length=32, batch_samples=4,
    micro_batch=2, steps=4, lora_rank=4,
)  # fmt: skip
GB = 1_000_000_000


@pytest.fixture(scope="module")
def new_job(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes a tiny job of full or lora, each in a place of its own."""
    tiny = make_tiny(tmp_path_factory.mktemp("tiny"))
    joined = tiny.root / "joined"
    mixture = Mixture(sequence_length=32, packing="concatenated")
    with standalone(joined) as place:
        tokenise(tiny.vocabulary, tiny.new, tiny.old, place, mixture=mixture, engine=LocalEngine(1))

    def write(trainable: str) -> Path:
        place = tmp_path_factory.mktemp("case") / "case"
        return write_job(TINY, trainable, tiny.extended, joined, place)

    return write


def answer(module: str, *arguments: str | Path) -> dict[str, Any]:
    return training._answer([sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)])


@pytest.mark.parametrize("trainable", ["full", "lora"])
def test_trainer_and_ours_have_the_same_losses(
    new_job: Callable[[str], Path], trainable: str
) -> None:
    ours = answer("training_ours", "train", new_job(trainable))
    trainer = answer("training_trainer", new_job(trainable))
    assert len(set(ours["losses"])) == TINY.steps
    assert difference(ours["losses"], trainer["losses"]) < 1e-5
    for found in (ours, trainer):
        assert len(found["step_seconds"]) == TINY.steps - 2
        assert found["peak_bytes"] > 0


def test_the_loader_is_measured_on_the_samples_of_the_job(new_job: Callable[[str], Path]) -> None:
    assert answer("training_ours", "loader", new_job("full"))["tokens_per_second"] > 10_000


def test_a_contender_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        answer("training_trainer", tmp_path / "no-job.json")


@pytest.mark.parametrize("others", [[2.0, 1.1], [2.0], [2.0, float("nan")]])
def test_losses_that_differ_are_refused(others: list[float]) -> None:
    line = Result("full", TRAINER, loss_difference=difference([2.0, 1.0], others))
    with pytest.raises(SystemExit, match="full, Trainer with peft: losses differ"):
        refuse_other_losses(line, "cpu")


RESULTS = [
    Result("full", OURS, 300.0, 1_000, 0.5),
    Result("full", TRAINER, 200.0, 2_000, 0.3, 1e-6),
    Result("full", UNSLOTH, not_run="needs a GPU"),
    Result("LoRA", OURS, 500.0, 900, 0.6),
    Result("LoRA", TRAINER, 250.0, 1_000, 0.3, 3e-6),
]


def test_the_figures_are_those_of_the_worse_case() -> None:
    figures = figures_of(RESULTS, loader_rate=20_000.0, disk_ratio=0.4)
    assert list(figures)[:4] == ["vs_trainer", "loader_ratio", "disk_ratio", "peak_ratio"]
    assert list(figures.values())[:4] == [1.5, 40.0, 0.4, 0.9]
    assert figures["loss_difference"] == 3e-6


def test_the_readme_says_what_was_not_run() -> None:
    found = {
        "results": [asdict(one) for one in RESULTS],
        "figures": figures_of(RESULTS, 20e6, 0.4),
        "scale": asdict(TINY),
        "loader_tokens_per_second": 20e6,
        "text": "shared/data",
    }
    table = readme_table({"cpu": found, "cuda": {}})
    assert "| CPU, full | nativize | 300 | 1.00 | 50 % |" in table
    assert "| CPU, full | Unsloth | not run: needs a GPU | | |" in table
    assert "| H200, TinyLlama-1.1B | all | not run here: no GPU | | |" in table
    assert "no GPU" not in readme_table({"cpu": found, "cuda": found})


def test_activations_are_computed_again_only_where_memory_is_short() -> None:
    assert not fitted(H200, 143 * GB).checkpointing
    assert fitted(H200, 40 * GB).checkpointing


def test_the_gpu_case_is_tinyllama_with_a_grown_vocabulary() -> None:
    assert H200.shapes.total == 1_180_002_304
    assert (H200.sequence_length, H200.lora_rank, H200.precision) == (2_048, 256, "bf16")
