"""What the filters of Swallow v1, llm-jp, cc_net and TinyLlama-Japanese are, slow and obvious.

Conventions as in published.py.

Source: swallow-llm/swallow-corpus, annotate_quality.py (Okazaki et al. 2024, COLM);
llm-jp/llm-jp-corpus, scripts/filters.py; facebookresearch/cc_net, process_wet_file.py
(Wenzek et al. 2019, arXiv:1911.00359).
"""

import re
import zlib
from collections import Counter
from collections.abc import Sequence

from tests.clean.published import DUPLICATE_NGRAMS, TOP_NGRAMS, duplicate_share, duplicates

SENTENCE = re.compile("[^。．！？!?]+[。．！？!?]?")
KANJI = re.compile("[々〇〻\u3400-\u9fff\uf900-\ufaff]")


def swallow_sentences(text: str) -> list[str]:
    """Runs up to an end mark, line by line; a second end mark belongs to none."""
    return [sentence for line in text.split("\n") for sentence in SENTENCE.findall(line)]


def swallow_lines(text: str) -> list[str]:
    """Lines put together from their sentences; blank ones are lines, and duplicates."""
    return ["".join(SENTENCE.findall(line)) for line in text.split("\n")]


def part_character_share(parts: Sequence[str]) -> float:
    """Characters of parts that stood before, over the characters of all parts."""
    total = sum(map(len, parts))
    return duplicates(parts)[1] / total if total else 0.0


def top_character_ngram_share(text: str, n: int) -> float:
    """Occurrences (not characters) of the most frequent n-gram over those of all."""
    counts = Counter(text[at : at + n] for at in range(len(text) - n + 1))
    return max(counts.values()) / sum(counts.values()) if counts else 0.0


def duplicate_character_ngram_share(text: str, n: int) -> float:
    """Kinds of n-gram that occur twice or more over all kinds, as the code has it.

    The project's README speaks of occurrences.
    """
    counts = Counter(text[at : at + n] for at in range(len(text) - n + 1))
    return sum(count > 1 for count in counts.values()) / len(counts) if counts else 0.0


def letters(text: str) -> dict[str, int]:
    """Counts of Swallow's kinds of Japanese letter; the long-vowel mark is none."""
    return {
        "hiragana": sum("\u3041" <= character <= "\u3096" for character in text),
        "katakana": sum("\u30a1" <= character <= "\u30fa" for character in text),
        "kanji": len(KANJI.findall(text)),
        "kuten": sum(character in "。．！？" for character in text),
        "toten": sum(character in "、，" for character in text),
    }


def hiragana_share(text: str) -> float:
    """Of Japanese letters, punctuation included."""
    counts = letters(text)
    total = sum(counts.values())
    return counts["hiragana"] / total if total else 0.0


def katakana_share(text: str) -> float:
    """Of Japanese letters, punctuation included."""
    counts = letters(text)
    total = sum(counts.values())
    return counts["katakana"] / total if total else 0.0


def japanese_share(text: str) -> float:
    """Japanese letters over all characters, newlines included."""
    return sum(letters(text).values()) / len(text) if text else 0.0


def mean_sentence_length(text: str) -> float:
    sentences = swallow_sentences(text)
    return sum(map(len, sentences)) / len(sentences) if sentences else 0.0


def longest_sentence(text: str) -> int:
    return max(map(len, swallow_sentences(text)), default=0)


def ellipsis_sentence_share(text: str) -> float:
    """Sentences that end with … or the middle dot."""
    sentences = swallow_sentences(text)
    ended = sum(sentence.strip().endswith(("・", "…")) for sentence in sentences)
    return ended / len(sentences) if sentences else 0.0


def swallow_repetition(text: str) -> str | None:
    """Gopher's thresholds on Swallow's lines, sentences and character n-grams."""
    lines, sentences = swallow_lines(text), swallow_sentences(text)
    if duplicate_share(lines) > 0.30:
        return "duplicate_paragraph_fraction"
    if sentences and duplicate_share(sentences) > 0.30:
        return "duplicate_sentence_fraction"
    if part_character_share(lines) > 0.20:
        return "duplicate_paragraph_fraction_in_character"
    if part_character_share(sentences) > 0.20:
        return "duplicate_sentence_fraction_in_character"
    for n, most in TOP_NGRAMS.items():
        if top_character_ngram_share(text, n) > most:
            return f"top_{n}gram_character_fraction"
    for n, most in DUPLICATE_NGRAMS.items():
        if duplicate_character_ngram_share(text, n) > most:
            return f"duplicate_{n}gram_character_fraction"
    return None


def swallow_v1(
    text: str,
    *,
    least_letters: int = 400,
    hiragana: float = 0.2,
    katakana: float = 0.5,
    japanese: float = 0.5,
    sentence_length: tuple[float, float] = (20, 90),
    most_sentence_length: int = 200,
    ellipsis: float = 0.2,
) -> str | None:
    """Swallow v1's rules in their order; its list of unwanted words (< .05) is not published."""
    if len(text) < least_letters:
        return "num_letters"
    if reason := swallow_repetition(text):
        return reason
    if hiragana_share(text) < hiragana:
        return "hiragana_fraction"
    if katakana_share(text) > katakana:
        return "katakana_fraction"
    if japanese_share(text) < japanese:
        return "japanese_fraction"
    if sum(letters(text).values()) < least_letters:
        return "num_japanese_letters"
    if not sentence_length[0] <= mean_sentence_length(text) <= sentence_length[1]:
        return "avg_sentence_length"
    if longest_sentence(text) > most_sentence_length:
        return "max_sentence_length"
    if ellipsis_sentence_share(text) > ellipsis:
        return "ellipsis_fraction"
    return None


# llm-jp


def compression_ratio(text: str) -> float:
    """Bytes after deflate at level 9, zlib's frame included, over bytes of UTF-8."""
    content = text.encode()
    return len(zlib.compress(content, level=9)) / len(content)


def llm_jp_compression(text: str, least: float = 0.3, most: float = 0.7) -> str | None:
    """Short texts fail it: a sentence of 100 bytes hardly compresses."""
    return None if least <= compression_ratio(text) <= most else "compression"


# cc_net


def cc_net_length(text: str, least: int = 300) -> str | None:
    """Characters of the text without its title, lines stripped and blank lines gone."""
    return "length" if len(text) < least else None


# TinyLlama-Japanese chain


def tinyllama_length(text: str, least: int = 100, most: int = 32_700) -> str | None:
    return None if least <= len(text) <= most else "length"
