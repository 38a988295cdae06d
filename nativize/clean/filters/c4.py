"""C4's rules on whole texts, after its rules on lines (`nativize.clean.c4`).

Thresholds: five sentences in the lines that are left; no curly bracket, no lorem ipsum.

Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning", section 2.2.
"""

from nativize.clean.c4 import BRACKET, LOREM_IPSUM
from nativize.clean.filters.rules import Rules, at_least
from nativize.clean.statistics import Columns
from nativize.recipe import clean


def c4(columns: Columns, wanted: clean.C4) -> Rules:
    """Rules on sentences, and on two signs of text that is no prose."""
    yield "lorem_ipsum", columns["c4_marks"] & LOREM_IPSUM > 0
    if wanted.curly_bracket:
        yield "curly_bracket", columns["c4_marks"] & BRACKET > 0
    yield from at_least("few_sentences", columns["c4_sentences"], wanted.minimum_sentences)
