"""The character sets that published filters name, accidents included.

A filter's result depends on each member. The ranges are written down once, in
`nativize.clean.marks`, which leaves the accidents out where it uses them.
"""

from nativize.clean.marks import OTHER_PUNCTUATION, SPECIAL_CHARACTERS
from nativize.clean.marks import TERMINAL_MARKS as TERMINAL_POINTS

TERMINAL_MARKS = frozenset(map(chr, TERMINAL_POINTS))
"""What ends a line for FineWeb: no ellipsis, no closing quote or bracket, no Tibetan shad."""

PUNCTUATION = TERMINAL_MARKS | frozenset(map(chr, OTHER_PUNCTUATION)) | {"１"}
"""A word of these alone is no word for datatrove: the full-width one is in by accident."""

HOJICHAR_SPECIAL = frozenset(map(chr, SPECIAL_CHARACTERS))
"""HojiChar's special characters: punctuation, whitespace, symbols, emoji, and letters (士, π)."""
