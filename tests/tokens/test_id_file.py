"""Ids on disk: none is lost, they take the bits they need, and reading them is no bottleneck."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nativize.artifact import sha256_of
from nativize.tokens.id_file import IdFile, IdWriter, bits_for, file_bytes


def write(path: Path, bits: int, *batches: list[int]) -> IdWriter:
    with IdWriter(path, bits) as writer:
        for batch in batches:
            writer.add(np.array(batch, np.int64))
    return writer


@pytest.mark.parametrize(
    ("size", "bits"),
    [(1, 16), (65_536, 16), (65_537, 17), (131_072, 17), (151_936, 18), (262_144, 18), (2**24, 24)],
)
def test_an_id_takes_the_bits_that_the_vocabulary_needs(size: int, bits: int) -> None:
    assert bits_for(size) == bits


def test_more_ids_than_a_file_can_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="16,777,217"):
        bits_for(2**24 + 1)


@given(st.integers(16, 24), st.data())
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, bits: int, data: st.DataObject
) -> None:
    batches = data.draw(st.lists(st.lists(st.integers(0, 2**bits - 1), max_size=30), max_size=4))
    ids = [token for batch in batches for token in batch]
    path = tmp_path_factory.getbasetemp() / "hypothesis.tokens"
    writer = write(path, bits, *batches)
    assert writer.tokens == len(ids)
    assert writer.sha256() == sha256_of(path)
    assert path.stat().st_size == file_bytes(len(ids), bits)
    start = data.draw(st.integers(0, len(ids)))
    end = data.draw(st.integers(start, len(ids) + 3))
    assert IdFile(path, len(ids), bits).read(start, end).tolist() == ids[start:end]


def test_the_file_is_what_its_format_says(tmp_path: Path) -> None:
    write(tmp_path / "16", 16, [1, 0xABCD])
    assert (tmp_path / "16").read_bytes() == bytes([1, 0, 0xCD, 0xAB])
    write(tmp_path / "18", 18, [0x2ABCD, 0x10001], [0x3FFFF])
    low = bytes([0xCD, 0xAB, 0x01, 0x00, 0xFF, 0xFF])
    assert (tmp_path / "18").read_bytes() == low + bytes([0b11_01_10])


@pytest.mark.parametrize("bits", [16, 17, 18])
def test_reading_is_quick(tmp_path: Path, bits: int) -> None:
    path, length = tmp_path / "ids", 2_048
    write(path, bits, [number % 65_536 for number in range(2_000_000)])
    file = IdFile(path, 2_000_000, bits)
    started = time.process_time()
    for number in range(900):
        file.read(number * length, (number + 1) * length)
    tokens_a_second = 900 * length / (time.process_time() - started)
    print(f"{bits} bits: {tokens_a_second / 1e6:.0f} M tokens/s")
    assert tokens_a_second > 2e7
