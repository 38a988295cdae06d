"""Filters: each a pure function from columns of statistics to the documents that it drops.

A filter yields, rule by rule, a reason and a mask: which of the N documents this rule drops. It
counts nothing and writes nothing. A threshold of 0 switches its rule off. The thresholds'
defaults, the published ones, stand in `nativize.recipe.clean`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.clean.filters.c4 import c4
from nativize.clean.filters.fineweb import fineweb
from nativize.clean.filters.gopher import gopher_quality, gopher_repetition
from nativize.clean.filters.hojichar import hojichar
from nativize.clean.filters.plain import language_score, length, script
from nativize.clean.filters.swallow import swallow
from nativize.clean.statistics import Columns
from nativize.recipe.section import Section

Mask = NDArray[np.bool_]
Filter = Callable[[Columns, Any], Iterator[tuple[str, Mask]]]

FILTERS: Mapping[str, Filter] = {
    "length": length,
    "language_score": language_score,
    "script": script,
    "gopher_quality": gopher_quality,
    "gopher_repetition": gopher_repetition,
    "c4": c4,
    "fineweb": fineweb,
    "hojichar": hojichar,
    "swallow": swallow,
}
"""By the name of their section in [clean], in the order in which they are asked."""

Thresholds = Mapping[str, Section]
"""The sections of the filters that are on, by name."""


def drops(columns: Columns, thresholds: Thresholds) -> Iterator[tuple[str, Mask]]:
    """Every rule that is on: its reason and the documents it drops, in order."""
    for name, filter_function in FILTERS.items():
        if name in thresholds:
            yield from filter_function(columns, thresholds[name])


__all__ = ["FILTERS", "Mask", "Thresholds", "drops"]
