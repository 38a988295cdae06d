"""Signatures go to datasketch and come back, and mean there what they mean here."""

import itertools
import pickle

import numpy as np
import pytest
from datasketch import LeanMinHash, MinHash, MinHashLSH
from numpy.typing import NDArray

from nativize.dedup.banding import Banding
from nativize.dedup.interchange import from_datasketch, to_datasketch
from nativize.errors import CorpusError

BANDING = Banding(8, 4)


def signatures(documents: int = 40) -> NDArray[np.uint64]:
    """Families of four: the first, and three that keep 30, 60 and 90 % of its positions."""
    generator = np.random.default_rng(7)
    drawn = generator.integers(0, 2**64, (documents, BANDING.values), dtype=np.uint64)
    for first in range(0, documents, 4):
        for member, share in ((1, 0.3), (2, 0.6), (3, 0.9)):
            same = generator.random(BANDING.values) < share
            drawn[first + member, same] = drawn[first, same]
    return drawn


def groups(values: NDArray[np.uint64]) -> set[tuple[int, int]]:
    """Pairs that share a band, looked for one by one."""
    bands = values.reshape(len(values), BANDING.bands, BANDING.rows)
    return {
        (one, other)
        for one, other in itertools.combinations(range(len(values)), 2)
        if (bands[one] == bands[other]).all(axis=1).any()
    }


def groups_of_datasketch(sketches: list[MinHash]) -> set[tuple[int, int]]:
    index = MinHashLSH(num_perm=BANDING.values, params=(BANDING.bands, BANDING.rows))
    for number, sketch in enumerate(sketches):
        index.insert(number, sketch)
    found = {(one, other) for one, sketch in enumerate(sketches) for other in index.query(sketch)}
    return {(one, other) for one, other in found if one < other}


def own_sketches(scheme: str) -> list[MinHash]:
    """Sketches that datasketch made itself, of overlapping ranges of tokens."""
    tokens = [[f"{n}".encode() for n in range(at, at + 60)] for at in range(0, 200, 5)]
    return MinHash.bulk(tokens, num_perm=BANDING.values, scheme=scheme)


def test_the_round_trip_changes_nothing() -> None:
    ours = signatures()
    back = from_datasketch(to_datasketch(ours, seed=1))
    assert back.dtype == np.uint64
    assert np.array_equal(back, ours)


def test_datasketch_sees_the_same_similarities() -> None:
    ours = signatures()
    sketches = to_datasketch(ours, seed=1)
    for one, other in itertools.combinations(range(12), 2):
        assert sketches[one].jaccard(sketches[other]) == np.mean(ours[one] == ours[other])


def test_merged_sketches_are_the_smaller_of_each_position() -> None:
    ours = signatures()
    first, second = to_datasketch(ours[:2], seed=1)
    union = LeanMinHash.union(first, second)
    first.merge(second)
    assert np.array_equal(first.hashvalues, np.minimum(ours[0], ours[1]))
    assert np.array_equal(union.hashvalues, np.minimum(ours[0], ours[1]))


def test_merging_leaves_the_signatures_alone() -> None:
    ours = signatures()
    before = ours.copy()
    first, second = to_datasketch(ours[:2], seed=1)
    first.merge(second)
    assert np.array_equal(ours, before)


def test_an_index_of_datasketch_finds_the_pairs_that_share_a_band() -> None:
    ours = signatures()
    pairs = groups(ours)
    assert 10 <= len(pairs) < 60
    assert groups_of_datasketch(to_datasketch(ours, seed=1)) == pairs


@pytest.mark.parametrize("scheme", ["affine32", "affine64", "legacy"])
def test_sketches_of_datasketch_band_as_in_its_own_index(scheme: str) -> None:
    sketches = own_sketches(scheme)
    pairs = groups(from_datasketch(sketches))
    assert len(pairs) >= 30
    assert groups_of_datasketch(sketches) == pairs


def test_an_exported_sketch_survives_pickling_and_serialising() -> None:
    sketch = to_datasketch(signatures(), seed=5)[0]
    buffer = bytearray(sketch.bytesize())
    sketch.serialize(buffer)
    assert pickle.loads(pickle.dumps(sketch)) == sketch
    assert LeanMinHash.deserialize(buffer) == sketch


def test_an_exported_sketch_takes_no_tokens() -> None:
    sketch = to_datasketch(signatures(), seed=1)[0]
    with pytest.raises(TypeError):
        sketch.update(b"token")
    with pytest.raises(AttributeError):
        sketch.update_batch([b"token"])


def test_an_exported_sketch_is_not_compared_with_one_that_datasketch_made() -> None:
    with pytest.raises(ValueError, match="different seeds"):
        to_datasketch(signatures(), seed=1)[0].jaccard(own_sketches("affine64")[0])


def test_sketches_of_different_seeds_are_refused() -> None:
    mixed = to_datasketch(signatures(), seed=1)[:2] + to_datasketch(signatures(), seed=2)[:1]
    with pytest.raises(CorpusError, match="sketch 2 has"):
        from_datasketch(mixed)


def test_signatures_of_another_type_are_refused() -> None:
    with pytest.raises(CorpusError, match="int64"):
        to_datasketch(np.zeros((2, 8), np.int64), seed=1)


def test_no_sketches_are_no_signatures() -> None:
    assert from_datasketch(to_datasketch(np.empty((0, 8), np.uint64), seed=1)).shape == (0, 0)
