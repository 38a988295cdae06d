"""The section [clean]: normalisation and filters."""

from typing import Literal

from pydantic import Field

from nativize.recipe.section import Section, Share


class Clean(Section):
    """Normalisation and filters; 0 or false switches a filter off."""

    normalisation: Literal["none", "NFC", "NFKC"] = "NFKC"
    minimum_characters: int = Field(100, ge=0)
    maximum_characters: int = Field(200_000, ge=0)
    language_score: Share = Field(0.5, description="Least probability of the language (cc_net).")
    script_share: Share = Field(0.0, description="Least share of letters in the language's script.")
    duplicate_line_share: Share = Field(0.3, description="Most duplicate lines (Gopher).")
    top_ngram_share: Share = Field(0.2, description="Most characters in one repeated n-gram.")
    symbol_share: Share = Field(0.4, description="Most characters that are no letters (HojiChar).")
    line_punctuation_share: Share = Field(
        0.0, description="Least share of lines that end like sentences (FineWeb .12)."
    )
    boilerplate_lines: bool = Field(True, description="Drop navigation and footer lines.")
    personal_data: bool = Field(True, description="Replace mail, phone, IP, card by placeholders.")
