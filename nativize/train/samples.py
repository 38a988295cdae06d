"""The samples of a training by number: what a step trains on is a pure function of the step.

Step s takes the samples from ``s * batch`` on; of them process r of w takes every w-th, from the
r-th on. So the global order is the same for any number of processes.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from nativize.errors import TrainingError
from nativize.recipe import TrainStage
from nativize.tokens import TokenShards
from nativize.tokens.packing import IGNORED, Ids
from nativize.train.job import Job
from nativize.train.world import World

Sample = Mapping[str, Sequence[int] | Ids]
"""input_ids and labels of one length; position_ids where documents are parted."""

NOTHING: Sample = {"input_ids": [0, 0], "labels": [IGNORED, IGNORED]}
"""What a process computes when a pass has no sample for it: all take part in every pass."""


class Samples(Protocol):
    """Samples by number; what is asked for twice is equal."""

    def sample(self, position: int) -> Sample: ...

    def digest(self) -> str: ...


class TokenSamples:
    """Packed samples of token shards."""

    def __init__(self, directory: Path, stage: TrainStage) -> None:
        self._content = TokenShards(directory).digest()
        self._shards = TokenShards(directory, seed=order_seed(stage))

    def sample(self, position: int) -> Sample:
        return self._shards.packed(position)

    def digest(self) -> str:
        return self._content


def order_seed(stage: TrainStage) -> int:
    """An order for each stage of a recipe: the second training does not begin as the first did."""
    digest = hashlib.sha256(f"{stage.name}:{stage.seed}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def open_samples(job: Job) -> Samples:
    """The samples of a job.

    Raises:
        TrainingError: the data is not the data the job was made for.
    """
    samples: Samples
    if job.kind == "tokens":
        samples = TokenSamples(job.data, job.stage)
    else:
        from nativize.chat.samples import ChatSamples

        samples = ChatSamples(job.data, job.model, job.sequence_length, job.stage.seed)
    if samples.digest() != job.data_digest:
        raise TrainingError(
            f"{job.data}: its digest is {samples.digest()[:12]}, the job was made for"
            f" {job.data_digest[:12]}; make the job again, it starts from step 0"
        )
    return samples


@dataclass(frozen=True)
class StepBatches:
    """One process's share of a step.

    Attributes:
        passes: batches, as many in every process.
        labels: tokens that a loss is computed on.
        tokens: tokens without padding.
    """

    passes: list[dict[str, torch.Tensor]]
    labels: int
    tokens: int


def share_of(step: int, batch: int, world: World) -> range:
    """Numbers of the samples that a process trains on in a step (1 is the first)."""
    return range((step - 1) * batch + world.rank, step * batch, world.size)


def batches_of(samples: Samples, step: int, job: Job, world: World) -> StepBatches:
    """A process's batches of a step, no pass larger than the trainer's micro batch."""
    chosen = [samples.sample(number) for number in share_of(step, job.batch_samples, world)]
    passes, rows = job.trainer.passes(job.batch_samples, world.size)
    parts = [chosen[start : start + rows] or [NOTHING] for start in range(0, passes * rows, rows)]
    return StepBatches(
        [collate(part) for part in parts],
        labels=sum(int(np.count_nonzero(np.asarray(s["labels"][1:]) != IGNORED)) for s in chosen),
        tokens=sum(len(sample["input_ids"]) for sample in chosen),
    )


def prefetched(samples: Samples, first: int, job: Job, world: World) -> Iterator[StepBatches]:
    """The batches of every step from ``first`` on, each made while the one before is trained."""
    pinned = world.device.type == "cuda"

    def make(step: int) -> StepBatches:
        made = batches_of(samples, step, job, world)
        if pinned:
            made = StepBatches([_pin(p) for p in made.passes], made.labels, made.tokens)
        return made

    with ThreadPoolExecutor(1, thread_name_prefix="samples") as thread:
        coming = thread.submit(make, first)
        for step in range(first, job.stage.steps + 1):
            ready = coming.result()
            if step < job.stage.steps:
                coming = thread.submit(make, step + 1)
            yield ready


def collate(samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    """A batch padded on the right to its longest sample; padding is not learned.

    It needs no mask: attention is causal, so nothing before the padding sees it. Positions go on
    over the padding, for a restart would be the beginning of a document.
    """
    longest = max(len(sample["input_ids"]) for sample in samples)
    positions = [sample.get("position_ids", range(len(sample["input_ids"]))) for sample in samples]
    batch = {
        "input_ids": _table([sample["input_ids"] for sample in samples], longest, 0),
        "labels": _table([sample["labels"] for sample in samples], longest, IGNORED),
        "position_ids": _table(positions, longest, 0),
    }
    for row, values in zip(batch["position_ids"], positions, strict=True):
        row[len(values) :] = np.arange(longest - len(values)) + int(values[-1]) + 1
    return {name: torch.from_numpy(table) for name, table in batch.items()}


def _table(rows: Sequence[Any], length: int, filler: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    table = np.full((len(rows), length), filler, dtype=np.int64)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table


def _pin(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.pin_memory() for name, tensor in batch.items()}
