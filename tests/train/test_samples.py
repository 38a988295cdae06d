"""Batches, and the order of samples."""

from pathlib import Path

import pytest
import torch

from nativize.train.job import read_job
from nativize.train.samples import TokenSamples, batches_of, collate, open_samples, share_of
from nativize.train.world import World
from tests.model.tiny import Tiny, stage
from tests.train.test_run_job import written_job

CPU = torch.device("cpu")


def test_padding_carries_no_loss_and_continues_the_positions() -> None:
    long, short = [5, 6, 7], [8]
    batch = collate([{"input_ids": ids, "labels": ids} for ids in (long, short)])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["labels"].tolist() == [[5, 6, 7], [8, -100, -100]]
    assert batch["position_ids"].tolist() == [[0, 1, 2], [0, 1, 2]]


def test_a_sample_is_a_function_of_its_number_alone(tiny: Tiny) -> None:
    one, other = (TokenSamples(tiny.tokens, stage("full")) for _ in range(2))
    drawn = [
        [samples.sample(n)["input_ids"].tolist() for n in (7, 3, 7)] for samples in (one, other)
    ]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_processes_together_take_every_sample_once_in_the_same_order(size: int) -> None:
    for step in (1, 2, 7):
        shares = [share_of(step, 6, World(rank, size, CPU)) for rank in range(size)]
        assert sorted(n for share in shares for n in share) == list(range(6 * step - 6, 6 * step))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_all_processes_make_as_many_passes_and_no_label_is_lost(
    tiny: Tiny, tmp_path: Path, size: int
) -> None:
    job = read_job(written_job(tiny, tmp_path, stage("full"), trainer={"micro_batch_samples": 1}))
    samples = open_samples(job)
    parts = [batches_of(samples, 1, job, World(rank, size, CPU)) for rank in range(size)]
    assert len({len(part.passes) for part in parts}) == 1
    whole = batches_of(samples, 1, job, World(0, 1, CPU))
    assert sum(part.labels for part in parts) == whole.labels
    counted = sum(
        int((batch["labels"][:, 1:] != -100).sum()) for part in parts for batch in part.passes
    )
    assert counted == whole.labels
