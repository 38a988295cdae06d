"""What two texts are compared as; the corpus itself keeps its own text.

NFKC, case folded, runs of whitespace one space. Marks stay, for they carry meaning: Tibetan
vowels, Indic matras, Thai tones, Japanese voicing marks. Japanese folds at 59 MB/s where it is
NFKC already, as a cleaned corpus is, and at 11 where it is not.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def fold(text: str) -> str:
    """The text as it is compared."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def fold_all(texts: Iterable[str]) -> pa.Array:
    """Folded texts as one Arrow array; the kernels read its buffers."""
    return pa.array((fold(text) for text in texts), pa.large_string())


@cache
def word_table() -> NDArray[np.bool_]:
    """For every code point, whether it belongs to words: letters, marks, numbers.

    Python's ``\\w`` lacks the marks and would cut Thai and Indic words at their vowels. Tibetan
    syllables come out as words, because their separator is punctuation.
    """
    categories = (unicodedata.category(chr(point))[0] for point in range(0x110000))
    return np.fromiter((category in "LMN" for category in categories), np.bool_, 0x110000)
