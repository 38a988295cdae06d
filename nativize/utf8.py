"""Reading UTF-8 in compiled loops."""

from typing import Any

import numpy as np

from nativize.compiled import compiled


@compiled
def decode(data: Any, at: int) -> Any:
    """The code point at a byte, and its length in bytes; Arrow guarantees valid UTF-8."""
    first = np.uint32(data[at])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | (data[at + 1] & 0x3F), 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | np.uint32(data[at + 1] & 0x3F) << 6 | (data[at + 2] & 0x3F), 3
    high = (first & 0x07) << 18 | np.uint32(data[at + 1] & 0x3F) << 12
    return high | np.uint32(data[at + 2] & 0x3F) << 6 | (data[at + 3] & 0x3F), 4
