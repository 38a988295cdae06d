"""The two rules that all filters are made of: at most, and at least."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int32]
Rules = Iterator[tuple[str, NDArray[np.bool_]]]


def at_most(reason: str, values: Values, threshold: float) -> Rules:
    """Drops what is above; nothing where the threshold is 0."""
    if threshold:
        yield reason, values > threshold


def at_least(reason: str, values: Values, threshold: float) -> Rules:
    """Drops what is below; nothing where the threshold is 0."""
    if threshold:
        yield reason, values < threshold


def share(part: Values, whole: Values) -> NDArray[np.float64]:
    """part / whole; 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
