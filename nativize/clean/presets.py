"""Which filters are on for a language, and the values published for it.

"auto" takes the preset of the recipe's language. The language presets are ours: what the published
sets agree on, with the values of FineWeb-2 for the language where it has some; the named ones
repeat a published set as far as it does without a morphological analyser.
"""

from collections.abc import Mapping

from nativize.clean.filters import FILTERS, Thresholds
from nativize.recipe import Clean, Language
from nativize.recipe.clean import (
    C4,
    FineWeb,
    GopherQuality,
    GopherRepetition,
    HojiChar,
    LanguageScore,
    Length,
    Script,
    Swallow,
)
from nativize.recipe.section import Section

# FineWeb-2, configs jpn_Jpan, cmn_Hani and bod_Tibt (arXiv:2506.20920)
REPETITION_JA = GopherRepetition(
    maximum_duplicate_lines=0.328,
    maximum_duplicate_line_characters=0,
    maximum_duplicate_paragraphs=0,
    maximum_duplicate_paragraph_characters=0,
    maximum_top_ngrams=(0.239, 0.196, 0.172),
    maximum_duplicate_ngrams=(0.243, 0.225, 0.207, 0.19, 0.175, 0.159),
)
REPETITION_ZH = REPETITION_JA.model_copy(
    update={
        "maximum_duplicate_lines": 0.287,
        "maximum_top_ngrams": (0.256, 0.201, 0.171),
        "maximum_duplicate_ngrams": (0.198, 0.182, 0.167, 0.154, 0.14, 0.127),
    }
)
REPETITION_BO = REPETITION_JA.model_copy(
    update={
        "maximum_duplicate_lines": 0.261,
        "maximum_top_ngrams": (0.206, 0.205, 0.175),
        "maximum_duplicate_ngrams": (0.174, 0.153, 0.14, 0.129, 0.115, 0.102),
    }
)
LINES_JA = FineWeb(
    minimum_terminal_lines=0.096,
    maximum_short_lines=0,
    maximum_duplicate_line_characters=0.1,
    maximum_newlines_per_word=0.13,
)
LINES_ZH = LINES_JA.model_copy(
    update={"minimum_terminal_lines": 0.106, "maximum_newlines_per_word": 0.178}
)
LINES_BO = LINES_JA.model_copy(
    update={"minimum_terminal_lines": 0, "maximum_newlines_per_word": 0.417}
)
STOP_WORDS_BO = ("དང", "ལ", "ཀྱི", "དུ", "ནས", "གི", "གྱི", "ནི")
WORDS_BO = GopherQuality(
    minimum_word_length=1, maximum_word_length=23, minimum_alphabetic_words=0.824,
    stop_words=STOP_WORDS_BO,
)  # fmt: skip

PLAIN: Thresholds = {"length": Length(), "language_score": LanguageScore(), "script": Script()}
# Off: a hyphen is no bulletin board; poems and dialogues have few full stops; and with one blank
# line between paragraphs, half of all lines are short (435 of the demo's 2,020 documents).
HOJICHAR_JA = HojiChar(
    maximum_characters_per_stop=0, maximum_bulletin_marks=0, maximum_short_lines=0
)

PRESETS: Mapping[str, Thresholds] = {
    "none": {},
    "plain": PLAIN,
    "japanese": {**PLAIN, "gopher_repetition": REPETITION_JA, "hojichar": HOJICHAR_JA},
    "chinese": {**PLAIN, "gopher_repetition": REPETITION_ZH},
    "tibetan": {**PLAIN, "gopher_repetition": REPETITION_BO},
    "english": {
        **PLAIN,
        "gopher_quality": GopherQuality(),
        "gopher_repetition": GopherRepetition(),
    },
    "spaced": {
        **PLAIN,
        "gopher_quality": GopherQuality(minimum_stop_words=0),
        "gopher_repetition": GopherRepetition(),
    },
    "swallow": {
        "length": Length(minimum_characters=400, maximum_characters=0),
        "language_score": LanguageScore(),
        "gopher_repetition": GopherRepetition(),
        "swallow": Swallow(),
    },
    "hojichar": {"length": Length(minimum_characters=200, maximum_characters=50_000),
                 "hojichar": HojiChar()},
    "fineweb": {
        "language_score": LanguageScore(minimum=0.65),
        "gopher_quality": GopherQuality(),
        "gopher_repetition": GopherRepetition(),
        "c4": C4(),
        "fineweb": FineWeb(),
    },
    "fineweb2_ja": {"language_score": LanguageScore(minimum=0.886),
                    "gopher_repetition": REPETITION_JA, "fineweb": LINES_JA},
    "fineweb2_zh": {"language_score": LanguageScore(minimum=0.692),
                    "gopher_repetition": REPETITION_ZH, "fineweb": LINES_ZH},
    "fineweb2_bo": {"language_score": LanguageScore(minimum=0.682),
                    "gopher_repetition": REPETITION_BO, "gopher_quality": WORDS_BO,
                    "fineweb": LINES_BO},
    "cc_net": {"length": Length(minimum_characters=300, maximum_characters=0),
               "language_score": LanguageScore()},
    "tinyllama_japanese": {
        "length": Length(minimum_characters=100, maximum_characters=32_700),
        "script": Script(maximum_symbol_share=0, maximum_digit_share=0, maximum_ascii_share=0.1),
    },
}  # fmt: skip
AUTO = {"en": "english", "ja": "japanese", "zh": "chinese", "bo": "tibetan", "dz": "tibetan"}


def thresholds(language: Language, clean: Clean) -> Thresholds:
    """The filters that are on, with every value resolved.

    What the recipe's table of a filter does not say is the preset's, or the published default.
    """
    preset = PRESETS[_preset(language, clean)]
    found: dict[str, Section] = {}
    for name in FILTERS:
        given, published = getattr(clean, name), preset.get(name)
        if given is None and published:
            found[name] = published
        elif isinstance(given, Section):
            said = {field: getattr(given, field) for field in given.model_fields_set}
            found[name] = published.model_copy(update=said) if published else given
    return found


def _preset(language: Language, clean: Clean) -> str:
    if clean.preset != "auto":
        return clean.preset
    return AUTO.get(language.code, "spaced" if language.shingle == "words" else "plain")
