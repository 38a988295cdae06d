"""The section [clean]: the normal form of text, filters with their thresholds, lists.

A filter is a sub-section. Left out, it is what the preset says (for "auto": of the language);
``false`` switches it off; a table switches it on, and a key that is left out of the table keeps
the preset's value. A threshold of 0 switches off that one rule. Values below are the published
ones; sources stand in `nativize.clean.filters`.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nativize.recipe.section import EXECUTION, Section, Share

Ratio = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=0)]
PersonalData = Literal["mail", "phone", "ip", "card", "my_number"]
Preset = Literal[
    "auto", "none", "plain", "japanese", "chinese", "tibetan", "english", "spaced", "swallow",
    "hojichar", "fineweb",
    "fineweb2_ja", "fineweb2_zh", "fineweb2_bo", "cc_net",
    "tinyllama_japanese",
]  # fmt: skip


class Normalisation(Section):
    """The normal form of text; auto chooses by language.

    ja: NFKC with 、。; zh: NFC with ASCII letters and digits; bo: untouched; others: NFC.
    """

    form: Literal["auto", "none", "NFC", "NFKC"] = "auto"
    full_width: Literal["auto", "keep", "narrow"] = Field(
        "auto", description="narrow: full-width letters and digits become ASCII."
    )
    punctuation: Literal["auto", "keep", "、。", "，．"] = Field(
        "auto", description="Comma and full stop behind Japanese characters."
    )
    variation_selectors: Literal["auto", "keep", "drop_ideographic", "drop"] = "auto"


class Length(Section):
    """Characters of a document, and of its lines."""

    minimum_characters: Count = 100
    maximum_characters: Count = 200_000
    maximum_line_characters: Count = 0


class LanguageScore(Section):
    """Probability that the text is in the recipe's language (fastText lid.176)."""

    minimum: Share = Field(0.5, description="cc_net .5, FineWeb .65.")


class Script(Section):
    """What the characters of a text are."""

    minimum_share: Share = Field(0.0, description="Of letters that are of the language's script.")
    maximum_symbol_share: Share = Field(0.4, description="Of visible characters, no letters.")
    maximum_digit_share: Share = Field(0.3, description="Of visible characters.")
    maximum_ascii_share: Share = Field(0.0, description="Of characters; TinyLlama-Japanese .1.")


class GopherQuality(Section):
    """Gopher's rules on words; for languages whose words or syllables are parted."""

    minimum_words: Count = 50
    maximum_words: Count = 100_000
    minimum_word_length: Ratio = 3.0
    maximum_word_length: Ratio = 10.0
    maximum_hash_ratio: Share = 0.1
    maximum_ellipsis_ratio: Share = 0.1
    maximum_bullet_lines: Share = 0.9
    maximum_ellipsis_lines: Share = 0.3
    minimum_alphabetic_words: Share = 0.8
    minimum_stop_words: Count = 2
    stop_words: tuple[str, ...] = ("the", "be", "to", "of", "and", "that", "have", "with")


class GopherRepetition(Section):
    """Gopher's shares of repeated lines, paragraphs and n-grams of words.

    Where spaces do not part words, two characters count as a word.
    """

    maximum_duplicate_lines: Share = 0.3
    maximum_duplicate_line_characters: Share = 0.2
    maximum_duplicate_paragraphs: Share = 0.3
    maximum_duplicate_paragraph_characters: Share = 0.2
    maximum_top_ngrams: tuple[Share, Share, Share] = Field(
        (0.20, 0.18, 0.16), description="Characters of the most frequent 2-, 3-, 4-gram."
    )
    maximum_duplicate_ngrams: tuple[Share, Share, Share, Share, Share, Share] = Field(
        (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), description="Characters of repeated 5- to 10-grams."
    )


class C4(Section):
    """C4's rules; lines that break one are taken out, then the text needs enough sentences."""

    terminal_punctuation: bool = Field(False, description="Lines must end in . ? ! (C4: true).")
    minimum_line_words: Count = Field(3, description="Words of a line.")
    minimum_sentences: Count = 5
    curly_bracket: bool = Field(True, description="A text with { is dropped.")


class FineWeb(Section):
    """FineWeb's rules on lines."""

    minimum_terminal_lines: Share = 0.12
    maximum_short_lines: Share = 0.67
    maximum_duplicate_line_characters: Share = 0.01
    maximum_newlines_per_word: Ratio = 0.3


class HojiChar(Section):
    """HojiChar's rules for Japanese web text."""

    kana_in_head: bool = Field(True, description="A kana among the first 50 characters.")
    maximum_characters_per_stop: Ratio = Field(100.0, description="Characters for each 。")
    maximum_bulletin_marks: Count = Field(14, description="Marks of bulletin boards and shops.")
    maximum_repetition: Share = Field(0.33, description="Of frequent 5-grams of characters.")
    maximum_special_share: Share = 0.4
    maximum_ellipsis_ends: Share = 0.7
    maximum_short_lines: Share = Field(0.5, description="Lines of at most 10 characters.")
    maximum_run: Count = Field(200, description="Length of a run of one character.")


class Swallow(Section):
    """The Swallow corpus, version 1, for Japanese web text."""

    minimum_letters: Count = 400
    minimum_hiragana: Share = 0.2
    maximum_katakana: Share = 0.5
    minimum_japanese: Share = 0.5
    minimum_sentence_length: Ratio = 20.0
    maximum_sentence_length: Ratio = 90.0
    longest_sentence: Count = 200
    maximum_ellipsis_sentences: Share = 0.2


class WordList(Section):
    """A user's own list of words, one a line."""

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="Part of the reason: words:<name>.")
    path: str = Field(
        description="UTF-8 text, relative to the recipe.", json_schema_extra={EXECUTION: True}
    )
    maximum_share: Share = Field(0.0, description="Of characters (Swallow .05).")
    maximum_count: Count = Field(0, description="Of occurrences; where no share is given.")


class Clean(Section):
    """Normal form, what is taken out of texts, and the filters."""

    normalisation: Normalisation = Field(default_factory=Normalisation)
    boilerplate_lines: bool = Field(True, description="Take navigation and footer lines out.")
    personal_data: tuple[PersonalData, ...] = Field(
        ("mail", "phone", "ip", "card", "my_number"),
        description="Replaced by placeholders; my_number in Japanese text only.",
    )
    preset: Preset = Field("auto", description="Filters and values where nothing else is said.")
    length: Length | Literal[False] | None = None
    language_score: LanguageScore | Literal[False] | None = None
    script: Script | Literal[False] | None = None
    gopher_quality: GopherQuality | Literal[False] | None = None
    gopher_repetition: GopherRepetition | Literal[False] | None = None
    c4: C4 | Literal[False] | None = None
    fineweb: FineWeb | Literal[False] | None = None
    hojichar: HojiChar | Literal[False] | None = None
    swallow: Swallow | Literal[False] | None = None
    licences: tuple[str, ...] = Field((), description="Allowed licences; empty: all.")
    blocked_urls: str | None = Field(
        None,
        description="File of domains and URL prefixes, one a line, relative to the recipe.",
        json_schema_extra={EXECUTION: True},
    )
    words: tuple[WordList, ...] = Field((), description="Lists of words that drop a document.")

    @model_validator(mode="after")
    def _list_names_are_unique(self) -> "Clean":
        names = [words.name for words in self.words]
        if len(set(names)) < len(names):
            raise ValueError(f"names of word lists must differ, got {names}")
        return self
