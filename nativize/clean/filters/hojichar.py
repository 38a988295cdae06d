"""HojiChar's rules for Japanese web text.

Thresholds: a kana among the first 50 characters; 。 at least every 100 characters; at most 14 marks
of bulletin boards (dates, コメント, 投稿, hyphens …); repetition of 5-grams below .33; special
characters .4; lines that end in an ellipsis .7; lines of at most 10 characters .5; runs below 200.
The rules on nouns and on 7-grams of words want a morphological analyser and are not here.

Source: HojiChar 0.18 (https://github.com/HojiChar/HojiChar), filters.document_filters; the
repetition after Laurençon et al. 2022, the BigScience ROOTS corpus.
"""

import numpy as np

from nativize.clean.filters.rules import Rules, at_most, share
from nativize.clean.statistics import Columns
from nativize.recipe import clean


def hojichar(columns: Columns, wanted: clean.HojiChar) -> Rules:
    """Rules on kana, full stops, repetition, symbols and lines."""
    characters = columns["characters"]
    if wanted.kana_in_head:
        yield "no_kana_in_head", columns["kana_in_head"] == 0
    if wanted.maximum_characters_per_stop:
        fewest = characters / wanted.maximum_characters_per_stop
        yield "rare_full_stops", columns["ideographic_stops"] < fewest
    yield from at_most("bulletin_board", columns["bulletin_marks"], wanted.maximum_bulletin_marks)
    if wanted.maximum_repetition:
        yield "repetition", columns["repeated_5_characters"] >= wanted.maximum_repetition
    special = share(columns["special"], characters)
    yield from at_most("special_characters", special, wanted.maximum_special_share)
    newlines = np.maximum(columns["lines"] - 1, 1)
    ends = share(columns["ellipsis_ends"], newlines)
    yield from at_most("ellipsis_ends", ends, wanted.maximum_ellipsis_ends)
    short = share(columns["short_lines_10"], columns["lines"])
    yield from at_most("short_lines", short, wanted.maximum_short_lines)
    if wanted.maximum_run:
        yield "long_run", columns["longest_run"] >= wanted.maximum_run
