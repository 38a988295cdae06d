"""Ids on disk: little-endian, in two bytes while the vocabulary allows it, else in three.

Four bytes a token take up to 0.76 bytes for each byte of text, three 0.57. Blocks of 2,048 are read
at 1,065 million tokens a second and core of two bytes, at 171 million of three.
"""

from pathlib import Path
from typing import Any

import numpy as np

from nativize.tokens.packing import Ids

WIDTHS = {"uint16": 2, "uint24": 3}
"""Bytes an id, by the name that the index says."""


def dtype_for(vocabulary_size: int) -> str:
    """The narrowest of `WIDTHS` that holds every id.

    Raises:
        ValueError: none does; 16,777,216 ids are the most.
    """
    for name, width in WIDTHS.items():
        if vocabulary_size <= 256**width:
            return name
    raise ValueError(f"a vocabulary of {vocabulary_size:,} ids; {256**3:,} are the most")


def to_bytes(ids: Ids, dtype: str) -> bytes:
    """Ids, none beyond the vocabulary that ``dtype`` was chosen for, as they stand in a file."""
    quads = ids.astype("<u4").view(np.uint8).reshape(-1, 4)
    return quads[:, : WIDTHS[dtype]].tobytes()


def map_ids(path: Path, dtype: str) -> Any:
    """The ids of a file as rows of bytes, memory-mapped: (tokens, width), uint8."""
    # an empty file cannot be mapped
    size = path.stat().st_size
    data = np.memmap(path, np.uint8, "r").view(np.ndarray) if size else np.empty(0, np.uint8)
    return data.reshape(-1, WIDTHS[dtype])


def from_rows(rows: Any) -> Ids:
    """Ids (tokens,) of rows of bytes (tokens, width), as ``map_ids`` gives them."""
    if rows.shape[1] == 2:
        return rows.view("<u2")[:, 0].astype(np.int64)  # type: ignore[no-any-return]
    quads = np.zeros((len(rows), 4), np.uint8)
    quads[:, : rows.shape[1]] = rows
    return quads.view("<u4")[:, 0].astype(np.int64)
