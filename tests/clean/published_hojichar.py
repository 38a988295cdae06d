"""What HojiChar's filters are, slow and obvious.

Conventions as in published.py. Where the source drops on ">=", it is noted; all others drop on ">"
or "<".

Source: hojichar 0.18.1, filters/document_filters.py.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from tests.clean.published_characters import HOJICHAR_SPECIAL

KANA = re.compile("[ぁ-んァ-ン]")
"""Without ゔ, ヴ, small ka and ke, the long-vowel mark and half-width kana."""

BBS = re.compile(
    r"\d{4}[年.\-/] *\d{1,2}[月.\-/] *\d{1,2}日*|コメント|SOLD OUT|レビュー|投稿|ページ"
    r"|\([月火水木金土日]\)|質問|\d+話|楽天市場|-"
)
"""Dates and the words of forums and shops; every ASCII hyphen counts, too."""


def hojichar_length(text: str, least: int = 0, most: int | None = None) -> str | None:
    """No bounds by default, whatever the class's docstring says (200 to 50,000)."""
    too_long = most is not None and len(text) > most
    return "length" if len(text) < least or too_long else None


def accept_japanese(text: str, lookup: int = 50) -> str | None:
    """One kana among the first characters is enough."""
    return None if KANA.search(text[:lookup]) else "not_japanese"


def characters_to_full_stop(text: str) -> float:
    """Mean characters to a 。; infinite without one."""
    stops = text.count("。")
    return len(text) / stops if stops else math.inf if text else 0.0


def discard_rare_kuten(text: str, most: float = 100) -> str | None:
    """The source asks for stops < characters / most; llm-jp takes 250."""
    return "rare_kuten" if text.count("。") < len(text) / most else None


def bbs_words(text: str) -> int:
    return len(BBS.findall(text))


def discard_bbs_comments(text: str, most: int = 14) -> str | None:
    return "bbs" if bbs_words(text) > most else None


def keyword_count(text: str, keywords: Sequence[str]) -> int:
    """Occurrences from left to right without overlap; the first keyword that fits is taken."""
    return len(re.findall("|".join(re.escape(word.strip()) for word in keywords if word), text))


def discard_ads(text: str, keywords: Sequence[str], most: int = 14) -> str | None:
    """The list is dict/advertisement_keywords_ja.txt of HojiChar; llm-jp allows 10."""
    return "ads" if keyword_count(text, keywords) > most else None


def character_repetition_ratio(text: str, n: int = 5) -> float:
    """Occurrences of the most frequent n-grams over those of all, newlines included.

    As many n-grams are looked at as the square root of their kinds says, but none that occurs
    once. After BigScience, which took n = 10.
    """
    counts = Counter(text[at : at + n] for at in range(len(text) - n + 1))
    if not counts:
        return 0.0
    repeated = sum(count > 1 for count in counts.values())
    looked_at = min(int(math.sqrt(len(counts))), repeated)
    return sum(sorted(counts.values(), reverse=True)[:looked_at]) / sum(counts.values())


def discard_character_repetition(text: str, most: float = 0.33, n: int = 5) -> str | None:
    """Drops on >=."""
    return "character_repetition" if character_repetition_ratio(text, n) >= most else None


def word_repetition_ratio(words: Sequence[str], n: int = 7) -> float:
    """Occurrences of n-grams that occur twice or more over those of all; fugashi's words.

    The source counts texts of over 100,000 characters in parts, which this does not show.
    """
    counts = Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))
    repeated = sum(count for count in counts.values() if count > 1)
    return repeated / sum(counts.values()) if counts else 0.0


def discard_word_repetition(words: Sequence[str], most: float = 0.40, n: int = 7) -> str | None:
    """Drops on >=."""
    return "word_repetition" if word_repetition_ratio(words, n) >= most else None


def special_character_ratio(text: str) -> float:
    """Punctuation, white space, symbols and emoji over all characters; digits are none."""
    return sum(character in HOJICHAR_SPECIAL for character in text) / len(text) if text else 0.0


def discard_special_characters(text: str, most: float = 0.4) -> str | None:
    return "special_characters" if special_character_ratio(text) > most else None


def longest_run(text: str) -> int:
    """Length of the longest run of one character."""
    return max((len(list(run)) for _, run in groupby(text)), default=0)


def discard_single_character_repetition(text: str, run: int = 200) -> str | None:
    """Drops on >=."""
    return "single_character" if longest_run(text) >= run else None


def ending_ellipsis_ratio(text: str) -> float:
    """Ellipses straight before a newline over newlines; a last line without one is not seen."""
    ends = len(re.findall(r"(?:\.{3}|…)\n", text))
    return ends / max(text.count("\n"), 1)


def discard_ending_ellipsis(text: str, most: float = 0.7) -> str | None:
    return "ending_ellipsis" if ending_ellipsis_ratio(text) > most else None


def hojichar_short_line_ratio(text: str, length: int = 10) -> float:
    """Lines of at most so many characters, blank ones and the one after a last newline too."""
    lines = text.split("\n")
    return sum(len(line) <= length for line in lines) / len(lines)


def discard_short_lines(text: str, most: float = 0.5, length: int = 10) -> str | None:
    return "short_lines" if hojichar_short_line_ratio(text, length) > most else None
