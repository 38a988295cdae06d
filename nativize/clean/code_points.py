"""What normalisation does with every code point, as tables that the kernel looks up.

A code point whose form neither depends on its neighbours nor changes them is copied, replaced or
left out by table. The few others (combining marks, conjoining jamo, half-width voicing marks)
send their document through Python's `unicodedata`.
"""

import functools
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Form = Literal["none", "NFC", "NFKC"]

CODE_POINTS = 0x110000
DECOMPOSING = 0x30000
"""No code point from here on has a decomposition or combines, but for the tags and selectors."""
MOST_GROWTH = 4
"""A replacement that is longer than so many times its source is made by Python."""

(KEEP, NEWLINE, RETURN, DROP, SPACE, BLANK, REPLACE, JAPANESE_MARK, COMPLEX) = range(9)
"""Copied; a newline; a carriage return; left out; trimmed at a line's end; the same, and becomes
one ASCII space; replaced; comma or full stop, by what stands before; not to be decided alone."""

NEWLINES = "\n\x0b\x0c\x85\u2028\u2029"
SPACES = " \t\u3000\xa0"
# C0 and C1 controls, delete, soft hyphen, zero-width space, directional marks and overrides, word
# joiner and invisible operators, byte order mark, interlinear annotation, non-characters
INVISIBLE = (
    (0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD), (0x200B, 0x200B),
    (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB),
    (0xFDD0, 0xFDEF), (0xFFFE, 0xFFFF),
)  # fmt: skip
SELECTORS = {
    "keep": (),
    "drop_ideographic": ((0xE0100, 0xE01EF),),
    "drop": ((0xFE00, 0xFE0F), (0x180B, 0x180D), (0xE0100, 0xE01EF)),
}
IDEOGRAPHIC_MARKS = "、。"
FULL_WIDTH_MARKS = "，．"
FULL_WIDTH = {
    **{ord("０") + n: ord("0") + n for n in range(10)},
    **{ord("Ａ") + n: ord("A") + n for n in range(26)},
    **{ord("ａ") + n: ord("a") + n for n in range(26)},
}


@dataclass(frozen=True)
class Policy:
    """One language's normal form; see `nativize.recipe.Normalisation` for the meanings."""

    form: Form
    full_width: str
    punctuation: str
    variation_selectors: str


@dataclass(frozen=True)
class CodePoints:
    """The tables of a policy.

    Attributes:
        classes: what is done with each of the 0x110000 code points.
        targets: number of the replacement of a code point that has one.
        begins: where each replacement begins in ``bytes``, and the end of the last.
        bytes: the replacements' UTF-8.
    """

    classes: NDArray[np.uint8]
    targets: NDArray[np.int32]
    begins: NDArray[np.int32]
    bytes: NDArray[np.uint8]


@functools.cache
def code_points(policy: Policy) -> CodePoints:
    """The tables of a policy; takes 0.1 s."""
    classes = np.zeros(CODE_POINTS, np.uint8)
    replacements = dict(_replacements(policy))
    classes[list(_complex(policy.form))] = COMPLEX
    for point, text in replacements.items():
        grown = len(text.encode()) > MOST_GROWTH * len(chr(point).encode())
        classes[point] = COMPLEX if grown else BLANK if text == " " else REPLACE
    for text, kind in ((NEWLINES, NEWLINE), ("\r", RETURN)):
        classes[[ord(character) for character in text]] = kind
    for space in map(ord, SPACES):
        classes[space] = BLANK if replacements.get(space) == " " else SPACE
    for first, last in (*INVISIBLE, *SELECTORS[policy.variation_selectors]):
        classes[first : last + 1] = DROP
    if _marks_matter(policy):
        classes[[ord(mark) for mark in IDEOGRAPHIC_MARKS + FULL_WIDTH_MARKS]] = JAPANESE_MARK
    targets = np.zeros(CODE_POINTS, np.int32)
    encoded = [text.encode() for text in replacements.values()]
    targets[list(replacements)] = np.arange(len(encoded))
    begins = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    return CodePoints(classes, targets, begins, np.frombuffer(b"".join(encoded), np.uint8))


def _marks_matter(policy: Policy) -> bool:
    return policy.form == "NFKC" or policy.punctuation != "keep"


def _replacements(policy: Policy) -> Iterator[tuple[int, str]]:
    """Code points whose form is another text that stands for itself."""
    if policy.form != "none":
        dependent = _complex(policy.form)
        for point in range(DECOMPOSING):
            character = chr(point)
            if unicodedata.decomposition(character) and point not in dependent:
                text = unicodedata.normalize(policy.form, character)
                if text != character:
                    yield point, text
    if policy.full_width == "narrow":
        yield from ((point, chr(plain)) for point, plain in FULL_WIDTH.items())


@functools.cache
def _dependent() -> frozenset[int]:
    """Code points that combine with what stands before them, or move behind it."""
    seconds = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for point in range(DECOMPOSING):
        character = chr(point)
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(int(parts[1], 16))
        if unicodedata.combining(character):
            seconds.add(point)
    return frozenset(seconds)


@functools.cache
def _complex(form: Form) -> frozenset[int]:
    """Code points that cannot be decided alone in a form."""
    if form == "none":
        return frozenset()
    dependent = _dependent()
    found = set(dependent)
    for point in range(DECOMPOSING):
        if unicodedata.decomposition(chr(point)):
            text = unicodedata.normalize(form, chr(point))
            if text != chr(point) and any(ord(part) in dependent for part in text):
                found.add(point)
    return frozenset(found)
