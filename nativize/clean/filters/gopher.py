"""Gopher's filters of quality and repetition.

Thresholds: 50 to 100,000 words of 3 to 10 characters, 80 % of them with a letter, two stop words;
lines and paragraphs .30 by count and .20 by characters; top n-grams .20, .18, .16; repeated
n-grams .15 to .10. Words are parted by white space as in the paper; datatrove makes punctuation
words of its own, so that its counts are about a fifth higher.

Source: Rae et al. 2021, arXiv:2112.11446, table A1 and appendix A.1.1.
"""

from nativize.clean.filters.rules import Rules, at_least, at_most, share
from nativize.clean.ngrams import DUPLICATE, TOP
from nativize.clean.statistics import Columns
from nativize.recipe import clean


def gopher_quality(columns: Columns, wanted: clean.GopherQuality) -> Rules:
    """Rules on words and on the beginnings and ends of lines."""
    words, real, lines = columns["words"], columns["real_words"], columns["lines"]
    yield from at_least("few_words", real, wanted.minimum_words)
    yield from at_most("many_words", real, wanted.maximum_words)
    mean = share(columns["real_word_characters"], real)
    yield from at_least("word_length", mean, wanted.minimum_word_length)
    yield from at_most("word_length", mean, wanted.maximum_word_length)
    yield from at_most("hashes", share(columns["hashes"], words), wanted.maximum_hash_ratio)
    ellipses = share(columns["ellipses"], words)
    yield from at_most("ellipses", ellipses, wanted.maximum_ellipsis_ratio)
    bullets = share(columns["bullet_lines"], lines)
    yield from at_most("bullet_lines", bullets, wanted.maximum_bullet_lines)
    ellipsis_lines = share(columns["ellipsis_lines"], lines)
    yield from at_most("ellipsis_lines", ellipsis_lines, wanted.maximum_ellipsis_lines)
    alphabetic = share(columns["alphabetic_words"], words)
    yield from at_least("alphabetic_words", alphabetic, wanted.minimum_alphabetic_words)
    yield from at_least("stop_words", columns["stop_words"], wanted.minimum_stop_words)


def gopher_repetition(columns: Columns, wanted: clean.GopherRepetition) -> Rules:
    """Shares of what stands twice or more: lines, paragraphs, n-grams."""
    characters = columns["characters"]
    lines = share(columns["duplicate_lines"], columns["text_lines"])
    yield from at_most("duplicate_lines", lines, wanted.maximum_duplicate_lines)
    of_lines = share(columns["duplicate_line_characters"], characters)
    most = wanted.maximum_duplicate_line_characters
    yield from at_most("duplicate_line_characters", of_lines, most)
    paragraphs = share(columns["duplicate_paragraphs"], columns["paragraphs"])
    yield from at_most("duplicate_paragraphs", paragraphs, wanted.maximum_duplicate_paragraphs)
    of_paragraphs = share(columns["duplicate_paragraph_characters"], characters)
    most = wanted.maximum_duplicate_paragraph_characters
    yield from at_most("duplicate_paragraph_characters", of_paragraphs, most)
    for n, most in zip(TOP, wanted.maximum_top_ngrams, strict=True):
        yield from at_most(f"top_{n}_gram", columns[f"top_{n}"], most)
    for n, most in zip(DUPLICATE, wanted.maximum_duplicate_ngrams, strict=True):
        yield from at_most(f"duplicate_{n}_grams", columns[f"duplicate_{n}"], most)
