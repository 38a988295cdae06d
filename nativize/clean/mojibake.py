"""Text that was decoded wrongly somewhere on its way.

Each pattern is what one wrong turn makes of Japanese or Chinese. A share of a pattern is of the
characters that are not ASCII, so that markup around does not hide it.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.texts import Texts
from nativize.utf8 import decode

REPLACED_SHARE = 0.005
"""U+FFFD and C1 controls in more than one of 200 characters beyond ASCII."""
PATTERN_SHARE = 0.2
"""Measured: clean Japanese, Chinese and French stay below .05, wrong decodings above .5."""

LEAST_SHARE = 0.002
"""Of all characters: three broken accents do not spoil an English page of 5,000."""

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
    least = LEAST_SHARE * len(text)
    if len(REPLACED.findall(text)) > max(REPLACED_SHARE * total, least):
        return True
    return any(_matched(pattern, text) > max(PATTERN_SHARE * total, least) for pattern in PATTERNS)


def _matched(pattern: re.Pattern[str], text: str) -> int:
    return sum(map(len, pattern.findall(text)))


def find_mojibake(texts: Texts) -> NDArray[np.bool_]:
    """Which texts are garbled; the patterns see only those that may be."""
    garbled: NDArray[np.bool_] = _may_be_garbled(texts.data, texts.offsets)
    for number in np.flatnonzero(garbled).tolist():
        garbled[number] = is_mojibake(texts[number])
    return garbled


@compiled
def _may_be_garbled(data: Any, offsets: Any) -> Any:
    """Texts with so many characters of the patterns that one of them could match enough.

    A match has at least half of its characters among those that are counted here.
    """
    found = np.zeros(len(offsets) - 1, np.bool_)
    for text in range(len(found)):
        at, end = offsets[text], offsets[text + 1]
        total = replaced = strange = 0
        previous: Any = np.uint32(0)
        while at < end:
            if data[at] < 0x80:
                at, previous = at + 1, np.uint32(0)
                continue
            point, length = decode(data, at)
            at += length
            total += 1
            if point < 0x100:
                strange += point == 0xA4 or point == 0xA5
                strange += point < 0xC2 and 0xC2 <= previous <= 0xF4
                replaced += point < 0xA0 and point != 0x85
            elif point < 0x2140:
                strange += 0xC2 <= previous <= 0xF4 or point == 0x201A or point == 0x0192
            elif point >= 0xFF61:
                strange += point <= 0xFF9F
                replaced += point == 0xFFFD
            else:
                strange += point == 0x7E3A or point == 0x7E67 or point == 0x7E5D or point == 0x7E32
            previous = point
        often = strange > PATTERN_SHARE / 2 * total - 1
        found[text] = total > 0 and (replaced > REPLACED_SHARE * total or (strange and often))
    return found
