"""The rules of the Swallow corpus, version 1, on letters and sentences of Japanese web text.

Thresholds: 400 Japanese letters, full stops and commas among them; hiragana .2 and katakana at most
.5 of those, which are half of all characters; sentences of 20 to 90 characters on the mean and none
over 200; at most .2 of them end in an ellipsis. Its repetition counts are n-grams of single
characters; gopher_repetition stands for them, and a list in [[clean.words]] for its NG expressions
(.05).

Source: Okazaki et al. 2024, "Building a Large Japanese Web Corpus for Large Language Models"
(COLM); https://github.com/swallow-llm/swallow-corpus, annotate_quality.py.
"""

from nativize.clean.filters.rules import Rules, at_least, at_most, share
from nativize.clean.statistics import Columns
from nativize.recipe import clean


def swallow(columns: Columns, wanted: clean.Swallow) -> Rules:
    """Rules on kana, kanji and sentences."""
    japanese, sentences = columns["japanese"], columns["sentences"]
    yield from at_least("few_letters", japanese, wanted.minimum_letters)
    hiragana = share(columns["hiragana"], japanese)
    yield from at_least("hiragana", hiragana, wanted.minimum_hiragana)
    yield from at_most("katakana", share(columns["katakana"], japanese), wanted.maximum_katakana)
    of_all = share(japanese, columns["characters"])
    yield from at_least("japanese", of_all, wanted.minimum_japanese)
    mean = share(columns["sentence_characters"], sentences)
    yield from at_least("short_sentences", mean, wanted.minimum_sentence_length)
    yield from at_most("long_sentences", mean, wanted.maximum_sentence_length)
    yield from at_most("long_sentence", columns["longest_sentence"], wanted.longest_sentence)
    ellipses = share(columns["ellipsis_sentences"], sentences)
    yield from at_most("ellipsis_sentences", ellipses, wanted.maximum_ellipsis_sentences)
