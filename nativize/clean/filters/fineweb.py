"""FineWeb's rules on lines, which it found by comparing crawls of different quality.

Thresholds: lines that end in a full stop .12, lines of at most 30 characters .67, characters of
duplicate lines .01, newlines per word .3. Where spaces do not part words, two characters count as
a word.

Source: Penedo et al. 2024, arXiv:2406.17557, section 3.6; FineWeb-2 (arXiv:2506.20920) for the
values by language.
"""

import numpy as np

from nativize.clean.filters.rules import Rules, at_least, at_most, share
from nativize.clean.ngrams import CHARACTERS_A_WORD
from nativize.clean.statistics import Columns
from nativize.recipe import clean


def fineweb(columns: Columns, wanted: clean.FineWeb) -> Rules:
    """Rules on line ends, short lines, repeated lines, and lists."""
    lines, newlines = columns["text_lines"], np.maximum(columns["lines"] - 1, 0)
    terminal = share(columns["terminal_lines"], lines)
    yield from at_least("terminal_lines", terminal, wanted.minimum_terminal_lines)
    short = share(columns["short_lines_30"], lines)
    yield from at_most("short_lines", short, wanted.maximum_short_lines)
    twice = share(columns["duplicate_line_characters"], columns["characters"] - newlines)
    most = wanted.maximum_duplicate_line_characters
    yield from at_most("duplicate_line_characters", twice, most)
    words = np.where(
        columns["words"] > 0, columns["words"], columns["visible"] // CHARACTERS_A_WORD
    )
    yield from at_most("newlines", share(newlines, words), wanted.maximum_newlines_per_word)
