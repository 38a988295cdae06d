"""The samples of a training by number: the position in the data is a pure function of the step.

A dataset here is map-style and read in order; what order the data has was decided by the token
shards or, for chat, by a permutation of (seed, epoch).
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from nativize.chat.samples import IGNORED, ChatSamples, Sample
from nativize.errors import TrainingError
from nativize.recipe import TrainStage
from nativize.tokens import TokenShards
from nativize.train.job import Job


class Samples(Protocol):
    """Samples by number; what is asked for twice is equal."""

    def sample(self, position: int) -> Sample: ...

    def digest(self) -> str: ...


class TokenSamples:
    """Packed samples of token shards, each predicting all its tokens but the first."""

    def __init__(self, directory: Path, stage: TrainStage) -> None:
        self._content = TokenShards(directory).digest()
        self._shards = TokenShards(directory, seed=order_seed(stage))

    def sample(self, position: int) -> Sample:
        ids = self._shards.sample(position).tolist()
        return {"input_ids": ids, "labels": ids}

    def digest(self) -> str:
        return self._content


def order_seed(stage: TrainStage) -> int:
    """An order for each stage of a recipe: the second training does not begin as the first did."""
    digest = hashlib.sha256(f"{stage.name}:{stage.seed}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


class PlannedSamples(Dataset[Sample]):
    """The samples of a whole training, epochs and all, in the order they are trained on."""

    def __init__(self, samples: Samples, count: int) -> None:
        self.samples = samples
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, position: int) -> Sample:
        return self.samples.sample(position)


def plan_samples(job: Job) -> PlannedSamples:
    """Every sample of the job.

    Raises:
        TrainingError: the data is not the data the job was made for.
    """
    samples: Samples
    if job.kind == "tokens":
        samples = TokenSamples(job.data, job.stage)
    else:
        samples = ChatSamples(job.data, job.model, job.sequence_length, job.stage.seed)
    if samples.digest() != job.data_digest:
        raise TrainingError(
            f"{job.data}: its digest is {samples.digest()[:12]}, the job was made for"
            f" {job.data_digest[:12]}; make the job again, it starts from step 0"
        )
    return PlannedSamples(samples, job.stage.steps * job.batch_samples)


def collate(samples: Sequence[Sample]) -> dict[str, Any]:
    """A batch padded on the right to its longest sample; padding is masked and not learned."""
    longest = max(len(sample["input_ids"]) for sample in samples)
    lengths = np.array([len(sample["input_ids"]) for sample in samples])
    batch = {
        "input_ids": _padded([sample["input_ids"] for sample in samples], longest, 0),
        "labels": _padded([sample["labels"] for sample in samples], longest, IGNORED),
    }
    if lengths.min() < longest:
        batch["attention_mask"] = torch.from_numpy(
            (np.arange(longest)[None, :] < lengths[:, None]).astype(np.int64)
        )
    return batch


def _padded(rows: Sequence[Sequence[int]], length: int, filler: int) -> torch.Tensor:
    table = np.full((len(rows), length), filler, dtype=np.int64)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return torch.from_numpy(table)
