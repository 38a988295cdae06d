"""Batches, and the order of samples."""

from nativize.train.samples import TokenSamples, collate
from tests.model.tiny import Tiny, stage


def test_padding_is_masked_and_carries_no_loss() -> None:
    long, short = [5, 6, 7], [8]
    batch = collate([{"input_ids": ids, "labels": ids} for ids in (long, short)])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["labels"].tolist() == [[5, 6, 7], [8, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_full_samples_need_no_mask() -> None:
    assert "attention_mask" not in collate([{"input_ids": [1, 2], "labels": [1, 2]}] * 2)


def test_a_sample_is_a_function_of_its_number_alone(tiny: Tiny) -> None:
    one, other = (TokenSamples(tiny.tokens, stage("full")) for _ in range(2))
    assert [one.sample(n) for n in (7, 3, 7)] == [other.sample(n) for n in (7, 3, 7)]
