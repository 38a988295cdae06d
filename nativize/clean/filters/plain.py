"""Length, language and script: what every corpus asks first.

Sources: Wenzek et al. 2020 (cc_net, arXiv:1911.00359) for the language score; HojiChar for the
share of symbols; the TinyLlama-Japanese experiment for the share of ASCII.
"""

from nativize.clean.filters.rules import Rules, at_least, at_most, share
from nativize.clean.statistics import Columns
from nativize.recipe import clean


def length(columns: Columns, wanted: clean.Length) -> Rules:
    """Characters of the cleaned text and of its longest line."""
    yield from at_least("too_short", columns["characters"], wanted.minimum_characters)
    yield from at_most("too_long", columns["characters"], wanted.maximum_characters)
    yield from at_most("long_line", columns["longest_line"], wanted.maximum_line_characters)


def language_score(columns: Columns, wanted: clean.LanguageScore) -> Rules:
    """Probability that the text is in the recipe's language."""
    yield from at_least("language", columns["language_score"], wanted.minimum)


def script(columns: Columns, wanted: clean.Script) -> Rules:
    """Letters of the right script; not too many symbols, digits, ASCII characters."""
    visible, letters = columns["visible"], columns["letters"]
    of_script = share(columns["script_letters"], letters)
    yield from at_least("script", of_script, wanted.minimum_share)
    yield from at_most("symbols", share(visible - letters, visible), wanted.maximum_symbol_share)
    yield from at_most("digits", share(columns["digits"], visible), wanted.maximum_digit_share)
    in_ascii = share(columns["ascii"], columns["characters"])
    yield from at_most("ascii", in_ascii, wanted.maximum_ascii_share)
