"""What the n-gram model reads; one function for training and scoring, so they cannot differ.

A published Japanese scorer was fed text normalised otherwise than its model; here that is not
possible. NFKC, lower case, every digit 0 (as cc_net), control characters and runs of whitespace
one space. In characters and in pieces the space itself is part of a unit, "▁".
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nativize.quality.pieces import PIECES, open_pieces, pieces_of

Unit = Literal["characters", "words", "sentencepiece"]
UNITS: tuple[Unit, ...] = ("characters", "words", "sentencepiece")

_CONTROL = re.compile(r"[\x00-\x09\x0e-\x1b\x7f-\x84\x86-\x9f]+")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class ModelText:
    """Texts as the model reads them: lines of units with a space between two."""

    unit: Unit
    pieces: Any = None

    @classmethod
    def open(cls, unit: Unit, directory: Path) -> "ModelText":
        """For the quality model in a directory.

        Raises:
            ArtifactError: the sentencepiece model is missing or none.
        """
        return cls(unit, open_pieces(directory / PIECES) if unit == "sentencepiece" else None)

    def lines(self, text: str) -> list[str]:
        """One string of units for each line that is not blank."""
        lines = plain_lines(text)
        if self.unit == "words":
            return lines
        if self.unit == "characters":
            return [" ".join(line.replace(" ", "▁")) for line in lines]
        return pieces_of(self.pieces, lines)


def plain_lines(text: str) -> list[str]:
    """The normalised lines of a text, without blank ones."""
    text = _DIGIT.sub("0", _CONTROL.sub(" ", unicodedata.normalize("NFKC", text).lower()))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line]


def units_in(line: str) -> int:
    """How many units a model line has; its end counts as one more when it is scored."""
    return line.count(" ") + 1
