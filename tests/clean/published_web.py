"""What the filters of C4, FineWeb and FineWeb-2 are, slow and obvious.

Conventions as in published.py; semantics of datatrove 0.10.1.

Source: Raffel et al. 2020, JMLR 21(140), section 2.2; Penedo et al. 2024, arXiv:2406.17557;
Penedo et al. 2025, arXiv:2506.20920; c4_filters.py and fineweb_quality_filter.py of datatrove;
configs/*.yml and fineweb-2-pipeline.py of huggingface/fineweb-2.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.clean.published import (
    Units,
    duplicates,
    gopher_quality,
    gopher_repetition,
    whitespace_words,
)
from tests.clean.published_characters import TERMINAL_MARKS

CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
SENTENCE = re.compile(r"[.?!]+[\"')\]]*(?=\s|$)")
POLICY = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)


def sentence_count(line: str) -> int:
    """Sentences of a line: marks before a space or the end, and a rest without one.

    Ours; the paper takes nltk's punkt, datatrove spaCy's sentencizer.
    """
    ends = [match.end() for match in SENTENCE.finditer(line)]
    return len(ends) + bool(line[ends[-1] if ends else 0 :].strip())


@dataclass(frozen=True)
class C4:
    """What C4 makes of a text: a reason, or the lines it keeps (C4 changes texts)."""

    reason: str | None
    text: str = ""


def c4(
    text: str,
    sentences: Callable[[str], int] = sentence_count,
    *,
    least_sentences: int = 5,
    least_line_words: int = 3,
    most_word_length: int = 1_000,
    terminal: bool = True,
) -> C4:
    """C4's rules in datatrove's order, which decides: a line dropped early is not looked at.

    So "{" and "lorem ipsum" drop a document only from lines that ended like a sentence.
    FineWeb sets ``terminal`` to False, FineWeb-2 leaves C4 out. The list of bad words is not here.
    """
    kept, count = [], 0
    for raw in text.splitlines():
        line, words = raw.strip(), raw.split()
        if any(len(word) > most_word_length for word in words):
            continue
        line = CITATION.sub("", line)  # not stripped again: "end. [1]" now ends with a space
        if terminal and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            continue
        if len(words) < least_line_words:  # of the line as it was before citations went
            continue
        lower = line.lower()
        if "lorem ipsum" in lower:
            return C4("lorem_ipsum")
        if "javascript" in lower:
            continue
        if "{" in line:
            return C4("curly_bracket")
        if any(phrase in lower for phrase in POLICY):
            continue
        count += sentences(line)
        kept.append(line)
    if count < least_sentences:
        return C4("too_few_sentences")
    return C4(None, "\n".join(kept).strip())


def has_c4_paragraphs(text: str, paragraphs: int = 3, least_length: int = 200) -> bool:
    """mC4: three lines of at least 200 characters."""
    return sum(len(line) >= least_length for line in text.split("\n")) >= paragraphs


def fineweb_lines(text: str) -> list[str]:
    """Lines that are not blank, as they stand."""
    return [line for line in text.split("\n") if line.strip()]


def line_punctuation_share(text: str) -> float:
    """Lines that end with a terminal mark; a space after the mark hides it."""
    lines = fineweb_lines(text)
    return sum(line.endswith(tuple(TERMINAL_MARKS)) for line in lines) / len(lines)


def short_line_share(text: str, length: int = 30) -> float:
    lines = fineweb_lines(text)
    return sum(len(line) <= length for line in lines) / len(lines)


def fineweb_duplicate_character_share(text: str) -> float:
    """Characters of lines that stood before, over all but newlines."""
    return duplicates(fineweb_lines(text))[1] / len(text.replace("\n", ""))


def newline_ratio(text: str, words: Sequence[str]) -> float:
    return text.count("\n") / len(words)


def fineweb_quality(
    text: str,
    units: Units = whitespace_words,
    *,
    line_punctuation: float = 0.12,
    short_lines: float = 0.67,
    short_line_length: int = 30,
    duplicate_characters: float = 0.01,
    newlines: float = 0.3,
) -> str | None:
    if not fineweb_lines(text):
        return "empty"
    if line_punctuation_share(text) < line_punctuation:
        return "line_punct_ratio"
    if short_line_share(text, short_line_length) > short_lines:
        return "short_line_ratio"
    if fineweb_duplicate_character_share(text) > duplicate_characters:
        return "char_dup_ratio"
    if newline_ratio(text, units(text)) > newlines:
        return "list_ratio"
    return None


@dataclass(frozen=True)
class FineWeb2:
    """One language's thresholds; all else as above, with the rules named here switched off."""

    language_score: float
    duplicate_lines: float
    top_ngrams: tuple[float, float, float]
    duplicate_ngrams: tuple[float, float, float, float, float, float]
    line_punctuation: float
    newlines: float
    most_word_length: float
    alphabetic_words: float
    stop_words: frozenset[str]


# the newest of three revisions; the first had .375 duplicate lines and .121 .129 .145 for "ja"
FINEWEB2 = {
    "ja": FineWeb2(
        language_score=0.886,
        duplicate_lines=0.328,
        top_ngrams=(0.239, 0.196, 0.172),
        duplicate_ngrams=(0.243, 0.225, 0.207, 0.190, 0.175, 0.159),
        line_punctuation=0.096,
        newlines=0.13,
        most_word_length=6,
        alphabetic_words=0.759,
        stop_words=frozenset("のにをはたてがとで年し・月れさ"),
    ),
    "zh": FineWeb2(
        language_score=0.692,
        duplicate_lines=0.287,
        top_ngrams=(0.256, 0.201, 0.171),
        duplicate_ngrams=(0.198, 0.182, 0.167, 0.154, 0.140, 0.127),
        line_punctuation=0.106,
        newlines=0.178,
        most_word_length=5,
        alphabetic_words=0.735,
        stop_words=frozenset("的年在月是和日了於·為有被人中为他與後也而由"),
    ),
    "bo": FineWeb2(
        language_score=0.682,
        duplicate_lines=0.261,
        top_ngrams=(0.206, 0.205, 0.175),
        duplicate_ngrams=(0.174, 0.153, 0.140, 0.129, 0.115, 0.102),
        line_punctuation=0.0,
        newlines=0.417,
        most_word_length=23,
        alphabetic_words=0.824,
        stop_words=frozenset(("།", "དང་", "། །", "ལ་", "ཀྱི་", "དུ་", "ནས་", "གི་", "གྱི་", "ནི་")),
    ),
}
"""Words: SudachiPy mode A (ja), jieba (zh), botok (bo), punctuation a word of its own."""


def fineweb2_repetition(text: str, limits: FineWeb2, units: Units) -> str | None:
    """Gopher's repetition with one rule on lines left."""
    return gopher_repetition(
        text,
        units,
        paragraphs=0,
        paragraph_characters=0,
        lines=limits.duplicate_lines,
        line_characters=0,
        top_ngrams=dict(zip((2, 3, 4), limits.top_ngrams, strict=True)),
        duplicate_ngrams=dict(zip(range(5, 11), limits.duplicate_ngrams, strict=True)),
    )


def fineweb2_lines(text: str, limits: FineWeb2, units: Units) -> str | None:
    """FineWeb's rules without that on short lines, with ten times the duplicate characters."""
    return fineweb_quality(
        text,
        units,
        line_punctuation=limits.line_punctuation,
        short_lines=999,
        duplicate_characters=0.1,
        newlines=limits.newlines,
    )


def fineweb2_quality(text: str, limits: FineWeb2, units: Units) -> str | None:
    """Gopher's quality with the language's stop words, word length and alphabetic words."""
    return gopher_quality(
        text,
        units,
        least_word_length=1,
        most_word_length=limits.most_word_length,
        alphabetic_words=limits.alphabetic_words,
        stop_words=limits.stop_words,
    )


def fineweb2(text: str, language: str, units: Units) -> str | None:
    """FineWeb-2's three filters in its order; C4 is left out."""
    limits = FINEWEB2[language]
    return (
        fineweb2_repetition(text, limits, units)
        or fineweb2_lines(text, limits, units)
        or fineweb2_quality(text, limits, units)
    )
