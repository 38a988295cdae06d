"""Where new rows start: each initialiser beside plain arithmetic."""

import math

import pytest
import torch

from nativize.model.initialise import CHUNK_ROWS, mean_row, new_rows
from nativize.recipe import Extend

PIECES = [[3], [1, 2, 6], [6, 2], []]


@pytest.fixture(params=[torch.float32, torch.float16, torch.bfloat16], ids=str)
def old(request: pytest.FixtureRequest) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(7, 5, generator=generator).to(request.param)


def rows(
    old: torch.Tensor, initialiser: str, *, is_head: bool = False, seed: int = 1
) -> torch.Tensor:
    extend = Extend.model_validate({"initialiser": initialiser, "seed": seed})
    generator = torch.Generator().manual_seed(seed)
    return new_rows(old, PIECES, extend, is_head=is_head, generator=generator)


def mean_of(old: torch.Tensor, ids: list[int]) -> torch.Tensor:
    """In plain Python numbers."""
    numbers = [[float(number) for number in old[token]] for token in ids]
    means = [sum(column) / len(ids) for column in zip(*numbers, strict=True)]
    return torch.tensor(means).to(old.dtype)


@pytest.mark.parametrize("is_head", [False, True])
def test_a_token_starts_at_the_mean_of_its_pieces(old: torch.Tensor, is_head: bool) -> None:
    made = rows(old, "mean_of_pieces", is_head=is_head)
    assert made.dtype == old.dtype
    for row, ids in zip(made, PIECES[:3], strict=False):
        torch.testing.assert_close(row, mean_of(old, ids))


@pytest.mark.parametrize("initialiser", ["mean_of_pieces", "frequency_weighted", "eeve"])
def test_a_token_without_pieces_starts_at_the_mean_of_all(
    old: torch.Tensor, initialiser: str
) -> None:
    made = rows(old, initialiser, is_head=True)
    torch.testing.assert_close(made[3], mean_of(old, list(range(7))))


def test_a_token_of_one_piece_is_that_piece_to_the_bit(old: torch.Tensor) -> None:
    assert torch.equal(rows(old, "mean_of_pieces")[0], old[3])


def test_eeve_starts_the_head_at_the_first_piece_and_the_embedding_at_the_mean(
    old: torch.Tensor,
) -> None:
    assert torch.equal(rows(old, "eeve", is_head=True)[:3], old[[3, 1, 6]])
    assert torch.equal(rows(old, "eeve"), rows(old, "mean_of_pieces"))


def test_frequency_weighted_lets_rare_pieces_say_more() -> None:
    """Weights a / (a + p) with p = 1 / ((id + 1) ln V), a = 0.001, in plain arithmetic."""
    old = torch.eye(7)
    made = rows(old, "frequency_weighted", is_head=True)
    for row, ids in zip(made, PIECES[:3], strict=False):
        weights = [0.001 / (0.001 + 1 / ((token + 1) * math.log(7))) for token in ids]
        expected = [weights[ids.index(token)] if token in ids else 0.0 for token in range(7)]
        torch.testing.assert_close(row, torch.tensor(expected) / sum(weights))
    assert made[1][6] > made[1][2] > made[1][1]


def test_mean_starts_all_at_the_mean(old: torch.Tensor) -> None:
    made = rows(old, "mean")
    torch.testing.assert_close(made, mean_of(old, list(range(7))).expand(4, -1))


def test_random_rows_have_mean_and_deviation_of_the_old_ones() -> None:
    generator = torch.Generator().manual_seed(3)
    old = torch.randn(50, 3, generator=generator) * torch.tensor([1.0, 5.0, 0.1]) + 2
    made = new_rows(
        old, [[0]] * 20_000, Extend(initialiser="random"), is_head=False, generator=generator
    )
    torch.testing.assert_close(made.mean(0), old.mean(0), rtol=0.05, atol=0.05)
    torch.testing.assert_close(made.std(0), old.std(0, correction=0), rtol=0.05, atol=0.0)


def test_random_rows_differ_with_the_seed_and_between_tables() -> None:
    old = torch.randn(7, 5, generator=torch.Generator().manual_seed(3))
    assert torch.equal(rows(old, "random", seed=4), rows(old, "random", seed=4))
    assert not torch.equal(rows(old, "random", seed=4), rows(old, "random", seed=5))
    generator = torch.Generator().manual_seed(4)
    extend = Extend(initialiser="random")
    tables = [
        new_rows(old, PIECES, extend, is_head=is_head, generator=generator)
        for is_head in (False, True)
    ]
    assert not torch.equal(*tables)


def test_the_mean_of_a_large_table_is_that_of_its_stretches() -> None:
    old = torch.arange(2 * CHUNK_ROWS + 5, dtype=torch.float32).view(-1, 1)
    assert float(mean_row(old)) == CHUNK_ROWS + 2
