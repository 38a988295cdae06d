"""Text that was decoded wrongly somewhere on its way.

Each pattern is what one wrong turn makes of Japanese or Chinese. A share of a pattern is of the
characters that are not ASCII, so that markup around does not hide it.
"""

import re

REPLACED_SHARE = 0.005
"""U+FFFD and C1 controls in more than one of 200 characters beyond ASCII."""
PATTERN_SHARE = 0.2
"""Measured: clean Japanese, Chinese and French stay below .05, wrong decodings above .5."""

NOT_ASCII = re.compile("[^\x00-\x7f]+")
REPLACED = re.compile("[\ufffd\x80-\x84\x86-\x9f]")
PATTERNS = (
    # UTF-8 read as Latin-1 or Windows-1252: a lead byte, then continuation bytes
    re.compile(
        "[\xc2-\xf4][\x80-\xbf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
        "\u2013\u2014\u2018-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]+"
    ),
    # UTF-8 kana read as Shift_JIS: 縺 繧 繝 縲 are what E3 81, E3 82, E3 83 and E3 80 become
    re.compile("[\u7e3a\u7e67\u7e5d\u7e32]."),
    # EUC-JP read as Shift_JIS: runs of half-width kana
    re.compile("[\uff61-\uff9f]{4,}"),
    # Shift_JIS kana read as Windows-1252 (‚ or ƒ leads), EUC-JP kana as Latin-1 (¤ or ¥ leads)
    re.compile("[\u201a\u0192].|[\xa4\xa5][\xa1-\xff]"),
)


def is_mojibake(text: str) -> bool:
    """Whether a text is garbled: replacement characters or patterns of a wrong decoding."""
    total = sum(map(len, NOT_ASCII.findall(text)))
    if not total:
        return False
    if len(REPLACED.findall(text)) > REPLACED_SHARE * total:
        return True
    return any(_matched(pattern, text) > PATTERN_SHARE * total for pattern in PATTERNS)


def _matched(pattern: re.Pattern[str], text: str) -> int:
    return sum(map(len, pattern.findall(text)))
