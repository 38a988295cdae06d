"""Checkpoints are complete or invisible."""

from pathlib import Path

import pytest

from nativize.errors import TrainingError
from nativize.train.checkpoint import newest_checkpoint, seal_checkpoint

IDENTITY = {"stage": {"learning_rate": 0.001}, "data_digest": "aa"}


def written(work: Path, step: int, *, sealed: bool = True) -> Path:
    directory = work / f"checkpoint-{step}"
    directory.mkdir()
    (directory / "model.safetensors").write_bytes(b"x" * step)
    (directory / "training_args.bin").write_bytes(b"a pickle")
    if sealed:
        seal_checkpoint(directory, IDENTITY)
    return directory


def test_an_unsealed_checkpoint_does_not_count_and_goes(tmp_path: Path) -> None:
    old, torn = written(tmp_path, 10), written(tmp_path, 20, sealed=False)
    assert newest_checkpoint(tmp_path, IDENTITY) == old
    assert not torn.exists()


def test_a_checkpoint_with_a_short_file_does_not_count(tmp_path: Path) -> None:
    old, short = written(tmp_path, 10), written(tmp_path, 20)
    (short / "model.safetensors").write_bytes(b"x")
    assert newest_checkpoint(tmp_path, IDENTITY) == old


def test_a_checkpoint_with_a_lost_file_does_not_count(tmp_path: Path) -> None:
    (written(tmp_path, 10) / "model.safetensors").unlink()
    assert newest_checkpoint(tmp_path, IDENTITY) is None


def test_the_last_two_are_kept_by_step_not_by_name(tmp_path: Path) -> None:
    for step in (90, 100, 110):
        written(tmp_path, step)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-100", "checkpoint-110"}


def test_no_pickle_of_settings_stays(tmp_path: Path) -> None:
    assert not list(written(tmp_path, 10).glob("*.bin"))


def test_other_data_are_refused_by_name(tmp_path: Path) -> None:
    written(tmp_path, 10)
    with pytest.raises(TrainingError, match="data_digest differ"):
        newest_checkpoint(tmp_path, {**IDENTITY, "data_digest": "bb"})
