"""One document's way through cleaning, in a fixed order: the first reason counts.

empty → mojibake (before normalisation hides it) → normalisation and boilerplate → empty →
too_short, too_long → language → script → symbols → duplicate_lines → repetition →
line_punctuation → personal data replaced in what is kept.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from nativize.clean.boilerplate import without_boilerplate
from nativize.clean.filters import (
    duplicate_line_share,
    line_punctuation_share,
    script_share,
    symbol_share,
    top_ngram_share,
)
from nativize.clean.language import identify
from nativize.clean.mojibake import is_mojibake
from nativize.clean.normalise import normalise
from nativize.clean.personal import replace_personal_data
from nativize.recipe import Clean, Language


@dataclass(frozen=True)
class Verdict:
    """A cleaned text, or the reason why it is dropped.

    Attributes:
        reason: empty when the text is kept.
        text: cleaned; of a dropped document as far as it came.
        language: the likeliest language, empty where it was not asked.
        language_score: probability that it is the recipe's language.
        boilerplate_lines: dropped from the text.
        personal_data: placeholders put in, by kind.
    """

    reason: str
    text: str
    language: str = ""
    language_score: float = 0.0
    boilerplate_lines: int = 0
    personal_data: Counter[str] = field(default_factory=Counter)


def judge(text: str, language: Language, clean: Clean) -> Verdict:
    """Keep a text, cleaned, or drop it with the first reason that holds."""
    if not text.strip():
        return Verdict("empty", text)
    if is_mojibake(text):
        return Verdict("mojibake", text)
    text, boilerplate = normalise(text, clean.normalisation), 0
    if clean.boilerplate_lines:
        text, boilerplate = without_boilerplate(text)
    if reason := _length_reason(text, clean):
        return Verdict(reason, text)
    likeliest, score = identify(text, language.code)
    if clean.language_score and score < clean.language_score:
        return Verdict("language", text, likeliest, score)
    if reason := next(_content_reasons(text, language, clean), ""):
        return Verdict(reason, text, likeliest, score)
    replaced: Counter[str] = Counter()
    if clean.personal_data:
        text, replaced = replace_personal_data(text)
    return Verdict("", text, likeliest, score, boilerplate, replaced)


def _length_reason(text: str, clean: Clean) -> str:
    if not text.strip():
        return "empty"
    if len(text) < clean.minimum_characters:
        return "too_short"
    if clean.maximum_characters and len(text) > clean.maximum_characters:
        return "too_long"
    return ""


def _content_reasons(text: str, language: Language, clean: Clean) -> Iterator[str]:
    """The reasons that hold, cheapest filter first; a filter set to 0 is off."""
    if clean.script_share and script_share(text, language.code) < clean.script_share:
        yield "script"
    if clean.symbol_share and symbol_share(text) > clean.symbol_share:
        yield "symbols"
    if clean.duplicate_line_share and duplicate_line_share(text) > clean.duplicate_line_share:
        yield "duplicate_lines"
    if clean.top_ngram_share and top_ngram_share(text, language.shingle) > clean.top_ngram_share:
        yield "repetition"
    punctuated = clean.line_punctuation_share
    if punctuated and line_punctuation_share(text) < punctuated:
        yield "line_punctuation"
