"""Pairs on disk are worked on piece by piece, and come out as if all were in memory."""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nativize.dedup import pairs
from nativize.dedup.known import KnownPairs, write_together
from nativize.dedup.pairs import is_among, merge, pieces, ranges, sifted, split_pairs

MOST = 8
numbers = st.lists(
    st.one_of(st.integers(0, 20), st.integers(0, 2**64 - 1)), max_size=60, unique=True
).map(lambda some: np.array(sorted(some), np.uint64))
runs = st.lists(numbers, min_size=1, max_size=6)


@pytest.fixture(autouse=True, scope="module")
def _little_memory() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "MOST_PAIRS", MOST)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairs")


def write(path: Path, some: np.ndarray) -> Path:
    some.tofile(path)
    return path


@given(runs)
def test_ranges_hold_everything_once_and_equal_numbers_together(some: list[np.ndarray]) -> None:
    held = [
        np.concatenate([run[part] for run, part in zip(some, parts, strict=True)])
        for parts in ranges(some)
    ]
    assert sorted(np.concatenate(held)) == sorted(np.concatenate(some))
    filled = [one for one in held if len(one)]
    assert all(one.max() < other.min() for one, other in pairwise(filled))
    assert all(len(one) <= max(MOST, 2 * len(some)) for one in held)


@given(runs)
def test_files_merged_are_every_number_once_in_order(place: Path, some: list[np.ndarray]) -> None:
    parts = [write(place / str(at), run) for at, run in enumerate(some)]
    whole = merge(parts, place / "whole")
    assert whole.tolist() == np.unique(np.concatenate(some)).tolist()


@given(numbers, numbers)
def test_what_is_sifted_is_what_a_mask_keeps(
    place: Path, some: np.ndarray, others: np.ndarray
) -> None:
    packed = pairs.mapped(write(place / "some", some))
    assert all(len(piece) <= MOST for piece in pieces(packed))
    kept = sifted(packed, lambda piece: ~is_among(piece, others), place / "kept")
    assert kept.tolist() == np.setdiff1d(some, others).tolist()


def test_a_pair_is_two_documents_in_one_number() -> None:
    packed = np.array([1 << 32 | 2, (2**32 - 1) << 32 | 7], np.uint64)
    assert split_pairs(packed).tolist() == [[1, 2], [2**32 - 1, 7]]


@given(runs, st.randoms(use_true_random=False))
def test_of_what_several_runs_know_the_first_answers(
    place: Path, some: list[np.ndarray], generator: random.Random
) -> None:
    known = [
        KnownPairs.of(run[::-1], ~run[::-1], np.full(len(run), float(at)))
        for at, run in enumerate(some)
    ]
    together = write_together(known, place / "known")
    expected = {int(number): at for at, run in reversed(list(enumerate(some))) for number in run}
    wanted = np.array(list(expected), np.uint64)
    generator.shuffle(wanted)
    assert len(together) == len(expected)
    found = together.similarities(wanted, ~wanted)
    assert found.tolist() == [expected[int(number)] for number in wanted]
    assert np.isnan(together.similarities(wanted, wanted)).all()
