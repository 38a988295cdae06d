"""Bits per byte of held-out text while a model is trained, of the new language and the old."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nativize.evaluate.likelihood import rolling_windows
from nativize.tokens.heldout import HELDOUT
from nativize.train.engine import Engine
from nativize.train.job import Job
from nativize.train.samples import collate


@dataclass(frozen=True)
class Heldout:
    """Windows of ids by language, and the bytes of the text behind them."""

    windows: Mapping[str, Sequence[Sequence[int]]]
    bytes: Mapping[str, int]
    samples: int
    """In a pass."""

    def bits_per_byte(self, engine: Engine, device: torch.device) -> dict[str, float]:
        """By language; the same windows at every step."""
        return {
            language: self._nats(engine, windows, device) / math.log(2) / self.bytes[language]
            for language, windows in self.windows.items()
        }

    def _nats(
        self, engine: Engine, windows: Sequence[Sequence[int]], device: torch.device
    ) -> float:
        nats = 0.0
        for start in range(0, len(windows), self.samples):
            part = windows[start : start + self.samples]
            batch = collate([{"input_ids": ids, "labels": ids} for ids in part])
            nats += engine.measure({name: tensor.to(device) for name, tensor in batch.items()})
        return nats


def read_heldout(job: Job) -> Heldout | None:
    """What a job's token shards hold out; None for dialogues, or where nothing is."""
    path: Path = job.data / HELDOUT
    if job.kind != "tokens" or not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    languages = content["languages"]
    length = job.sequence_length - 1  # a window has its context before it
    windows = {
        language: sorted(
            (
                window
                for ids in part["documents"]
                for window in rolling_windows(ids, length, content["start"])
            ),
            key=len,
        )
        for language, part in languages.items()
    }
    sizes = {language: part["bytes"] for language, part in languages.items()}
    return Heldout(windows, sizes, job.trainer.micro_batch_samples)
