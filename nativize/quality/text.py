"""What the n-gram model reads; one function for training and scoring, so they cannot differ.

A published Japanese scorer was fed text normalised otherwise than its model; here that is not
possible. NFKC, lower case, every digit 0 (as cc_net), control characters and runs of whitespace
one space. In characters the space itself is the unit "▁".
"""

import re
import unicodedata
from typing import Literal

Unit = Literal["characters", "words"]
UNITS: tuple[Unit, ...] = ("characters", "words")

_CONTROL = re.compile(r"[\x00-\x09\x0e-\x1b\x7f-\x84\x86-\x9f]+")
_DIGIT = re.compile(r"\d")


def model_lines(text: str, unit: Unit) -> list[str]:
    """One string of units separated by spaces for each line that is not blank."""
    text = _DIGIT.sub("0", _CONTROL.sub(" ", unicodedata.normalize("NFKC", text).lower()))
    lines = (" ".join(line.split()) for line in text.splitlines())
    if unit == "words":
        return [line for line in lines if line]
    return [" ".join(line.replace(" ", "▁")) for line in lines if line]


def units_in(line: str) -> int:
    """How many units a model line has; its end counts as one more when it is scored."""
    return line.count(" ") + 1
