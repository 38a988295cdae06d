from collections import Counter

import pytest

from nativize.tokens.order import Order, permute


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 1000, 4097])
def test_a_permutation_holds_every_number_once(size: int) -> None:
    assert sorted(permute(i, size, b"key") for i in range(size)) == list(range(size))


def test_another_key_is_another_permutation() -> None:
    first, second = ([permute(i, 500, key) for i in range(500)] for key in (b"a", b"b"))
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.25, 0.333, 0.9, 1.0])
def test_any_run_of_samples_holds_its_share_to_within_one(share: float) -> None:
    order = Order({"new": 50, "replay": 7}, share, seed=1)
    is_replay = [order.locate(i)[0] == "replay" for i in range(400)]
    for length in (1, 7, 64, 256):
        for start in range(0, 400 - length):
            assert abs(sum(is_replay[start : start + length]) - share * length) <= 1


def test_every_block_comes_exactly_once_an_epoch() -> None:
    order = Order({"new": 30, "replay": 7}, 0.3, seed=1)
    seen: dict[str, list[int]] = {"new": [], "replay": []}
    for sample in range(1000):
        corpus, block = order.locate(sample)
        seen[corpus].append(block)
    for corpus, size in order.blocks.items():
        epochs = len(seen[corpus]) // size
        assert epochs > 10
        for epoch in range(epochs):
            assert sorted(seen[corpus][epoch * size : (epoch + 1) * size]) == list(range(size))


def test_epochs_differ_in_order() -> None:
    order = Order({"new": 100, "replay": 0}, 0.0, seed=1)
    first, second = ([order.locate(e * 100 + i)[1] for i in range(100)] for e in (0, 1))
    assert first != second


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.6])
def test_an_epoch_ends_with_the_last_new_block(share: float) -> None:
    order = Order({"new": 40, "replay": 9}, share, seed=1)
    length = order.samples_per_epoch()
    counts = Counter(order.locate(i) for i in range(length))
    assert sum(corpus == "new" for corpus, _ in counts) == 40
    assert order.locate(length - 1)[0] == "new"


def test_the_order_is_written_in_stone() -> None:
    order = Order({"new": 1_000_000, "replay": 50_000}, 0.1, seed=1)
    assert [order.locate(i) for i in (0, 9, 10**6, 10**12)] == [
        ("new", 901_717),
        ("replay", 11_913),
        ("new", 214_226),
        ("new", 482_444),
    ]
