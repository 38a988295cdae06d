"""Checkpoints are complete or invisible."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from nativize.errors import TrainingError
from nativize.train import checkpoint
from nativize.train.checkpoint import (
    CheckpointTensors,
    newest_checkpoint,
    remove_unfinished,
    save_checkpoint,
)

IDENTITY = {"stage": {"learning_rate": 0.001}, "data_digest": "aa"}


def state(names: tuple[str, ...] = ("a.weight",)) -> Iterator[tuple[str, str, torch.Tensor]]:
    for number, name in enumerate(names):
        for part in ("weight", "exp_avg", "exp_avg_sq"):
            yield name, part, torch.full((4, 8), float(number))


def written(work: Path, step: int, *, keep: int = 2) -> Path:
    directory = work / f"checkpoint-{step}"
    save_checkpoint(directory, state(), {"identity": IDENTITY}, keep=keep, leads=True)
    return directory


def test_what_was_being_written_does_not_count_and_goes(tmp_path: Path) -> None:
    old = written(tmp_path, 10)
    torn = tmp_path / ".checkpoint-20.tmp"
    torn.mkdir()
    (torn / "state-00000.safetensors").write_bytes(b"x")
    assert newest_checkpoint(tmp_path, IDENTITY) == old
    remove_unfinished(tmp_path)
    assert not torn.exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x")])
def test_a_checkpoint_that_lost_bytes_later_is_passed_over(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    old, damaged = written(tmp_path, 10), written(tmp_path, 20)
    damage(damaged / "state-00000.safetensors")
    assert newest_checkpoint(tmp_path, IDENTITY) == old


def test_the_newest_are_kept_by_step_not_by_name(tmp_path: Path) -> None:
    for step in (90, 100, 110):
        written(tmp_path, step)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-100", "checkpoint-110"}
    written(tmp_path, 120, keep=1)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-120"}


def test_a_state_larger_than_a_file_comes_back_from_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FILE_BYTES", 4 * 8 * 4 * 2)
    directory = tmp_path / "checkpoint-1"
    names = ("a.weight", "b.weight", "c.weight")
    save_checkpoint(directory, state(names), {"identity": IDENTITY}, keep=1, leads=True)
    assert len(list(directory.glob("*.safetensors"))) == 5
    tensors = CheckpointTensors(directory)
    assert tuple(tensors) == names
    assert [float(tensors[name]["exp_avg"].mean()) for name in names] == [0.0, 1.0, 2.0]
    with pytest.raises(TrainingError, match=r"has no d\.weight"):
        tensors["d.weight"]


def test_a_process_that_does_not_lead_writes_nothing(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint-1", state(), {}, keep=1, leads=False)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_cannot_be_written_leaves_the_older_one_and_says_what_to_do(
    tmp_path: Path,
) -> None:
    old = written(tmp_path, 10)

    def full() -> Iterator[tuple[str, str, torch.Tensor]]:
        yield from state()
        raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match=r"disk is full .* bytes free.*run again"):
        save_checkpoint(tmp_path / "checkpoint-20", full(), {}, keep=2, leads=True)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]
    assert newest_checkpoint(tmp_path, IDENTITY) == old


def test_other_data_are_refused_by_name(tmp_path: Path) -> None:
    written(tmp_path, 10)
    with pytest.raises(TrainingError, match="data_digest differ"):
        newest_checkpoint(tmp_path, {**IDENTITY, "data_digest": "bb"})
