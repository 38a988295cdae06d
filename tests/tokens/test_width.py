"""Ids on disk: nothing of them is lost, and reading them is no bottleneck."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nativize.tokens.width import dtype_for, from_rows, map_ids, to_bytes


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1, "uint16"), (65_536, "uint16"), (65_537, "uint24"), (151_936, "uint24"), (2**24, "uint24")],
)
def test_the_narrowest_width_is_taken(size: int, dtype: str) -> None:
    assert dtype_for(size) == dtype


def test_more_ids_than_any_width_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="16,777,217"):
        dtype_for(2**24 + 1)


@pytest.mark.parametrize(("dtype", "largest"), [("uint16", 2**16 - 1), ("uint24", 2**24 - 1)])
@given(data=st.data())
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, largest: int, data: st.DataObject
) -> None:
    ids = np.array(data.draw(st.lists(st.integers(0, largest), max_size=50)), np.int64)
    path = tmp_path_factory.getbasetemp() / f"{dtype}.tokens"
    path.write_bytes(to_bytes(ids, dtype))
    rows = map_ids(path, dtype)
    start = data.draw(st.integers(0, len(ids)))
    assert np.array_equal(from_rows(rows[start:]), ids[start:])


def test_the_bytes_are_little_endian() -> None:
    assert to_bytes(np.array([1, 0xABCD]), "uint16") == bytes([1, 0, 0xCD, 0xAB])
    assert to_bytes(np.array([0x12ABCD]), "uint24") == bytes([0xCD, 0xAB, 0x12])


@pytest.mark.parametrize("dtype", ["uint16", "uint24"])
def test_reading_is_quick(tmp_path: Path, dtype: str) -> None:
    path, length = tmp_path / "ids", 2_048
    path.write_bytes(to_bytes(np.arange(2_000_000) % 65_536, dtype))
    rows = map_ids(path, dtype)
    started = time.process_time()
    for number in range(900):
        from_rows(rows[number * length : (number + 1) * length])
    tokens_a_second = 900 * length / (time.process_time() - started)
    print(f"{dtype}: {tokens_a_second / 1e6:.0f} M tokens/s")
    assert tokens_a_second > 2e7
