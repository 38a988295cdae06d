"""The order: every block once an epoch, exact shares in any window, whoever asks for a sample."""

import itertools
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nativize.tokens.order import Order, Stream, permute


def order_of(*streams: tuple[str, int, str], seed: int = 1) -> Order:
    """An order of (name, blocks, share)."""
    return Order({name: Stream(blocks, Fraction(share)) for name, blocks, share in streams}, seed)


FIVE = (
    ("replay", 7, "1/10"),
    ("instruction", 3, "1/20"),
    ("new/head", 20, "34/100"),
    ("new/middle", 40, "34/100"),
    ("new/tail", 20, "17/100"),
)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 1000, 4097])
def test_a_permutation_holds_every_number_once(size: int) -> None:
    assert sorted(permute(i, size, b"key") for i in range(size)) == list(range(size))


def test_another_key_is_another_permutation() -> None:
    first, second = ([permute(i, 500, key) for i in range(500)] for key in (b"a", b"b"))
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10


@pytest.mark.parametrize("share", ["1/20", "1/10", "1/4", "333/1000", "9/10"])
def test_any_run_of_samples_holds_the_first_share_to_within_one(share: str) -> None:
    order = order_of(("replay", 7, share), ("new", 50, str(1 - Fraction(share))))
    is_replay = [order.locate(i)[0] == "replay" for i in range(400)]
    for length, start in itertools.product((1, 7, 64, 256), range(144)):
        off = sum(is_replay[start : start + length]) - Fraction(share) * length
        assert abs(off) <= 1


@given(st.lists(st.integers(1, 60), min_size=2, max_size=5), st.integers(0, 10**9))
def test_any_run_of_samples_holds_each_share_to_within_one_a_stream_before(
    weights: list[int], start: int
) -> None:
    parts = [(f"s{i}", 10, f"{weight}/{sum(weights)}") for i, weight in enumerate(weights)]
    order = order_of(*parts)
    names = [order.locate(start + i)[0] for i in range(200)]
    for length in (1, 10, 61, 200):
        counted = Counter(names[:length])
        for level, (name, stream) in enumerate(order.streams.items(), start=1):
            assert abs(counted[name] - stream.share * length) <= level


def test_counts_are_those_of_the_samples() -> None:
    order = order_of(*FIVE)
    counted: Counter[str] = Counter()
    for sample in range(500):
        assert order.counts(sample) == {name: counted[name] for name in order.streams}
        counted[order.locate(sample)[0]] += 1


def test_every_block_comes_exactly_once_an_epoch() -> None:
    order = order_of(*FIVE)
    seen: dict[str, list[int]] = {name: [] for name in order.streams}
    for sample in range(3_000):
        stream, block = order.locate(sample)
        seen[stream].append(block)
    for name, stream in order.streams.items():
        size = stream.blocks
        epochs = len(seen[name]) // size
        assert epochs > 10
        for epoch in range(epochs):
            assert sorted(seen[name][epoch * size : (epoch + 1) * size]) == list(range(size))


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_any_number_of_workers_sees_the_same_samples(workers: int) -> None:
    alone, sharers = order_of(*FIVE), [order_of(*FIVE) for _ in range(workers)]
    steps = 240 // workers
    for step in range(steps):
        numbers = range(step * workers, (step + 1) * workers)
        seen = [sharers[rank].locate(number) for rank, number in enumerate(numbers)]
        assert seen == [alone.locate(number) for number in numbers]


def test_a_run_resumed_anywhere_with_other_workers_goes_on_as_it_would_have() -> None:
    whole = [order_of(*FIVE).locate(number) for number in range(600)]
    resumed = order_of(*FIVE)
    by_rank = [
        [resumed.locate(number) for number in range(123 + rank, 600, 4)] for rank in range(4)
    ]
    rest = [sample for step in itertools.zip_longest(*by_rank) for sample in step if sample]
    assert rest == whole[123:]


def test_epochs_differ_in_order() -> None:
    order = order_of(("new", 100, "1"))
    first, second = ([order.locate(e * 100 + i)[1] for i in range(100)] for e in (0, 1))
    assert first != second


def test_another_seed_is_another_order() -> None:
    first, second = (order_of(*FIVE, seed=seed) for seed in (1, 2))
    assert [first.locate(i) for i in range(50)] != [second.locate(i) for i in range(50)]


@pytest.mark.parametrize("streams", [[("a", 3, "1/2")], [("a", 0, "1")], [("a", 1, "0")]])
def test_an_order_that_cannot_be_kept_is_refused(streams: list[tuple[str, int, str]]) -> None:
    with pytest.raises(ValueError, match=r"shares|no block"):
        order_of(*streams)


def test_the_order_is_written_in_stone() -> None:
    order = order_of(("replay", 50_000, "1/10"), ("new", 1_000_000, "9/10"))
    assert [order.locate(i) for i in (0, 9, 10**6, 10**12)] == [
        ("new", 901_717),
        ("replay", 11_913),
        ("new", 214_226),
        ("new", 482_444),
    ]
