"""Character sets of published filters, and what the statistics ask of a code point.

Facts read from datatrove 0.10.1 and HojiChar 0.18.1, as ranges of code points. HojiChar's list of
special characters holds letters by accident (士, π, Г, vowel signs); they are left out here, and
datatrove's full-width digit one likewise.
"""

import functools
import unicodedata

import numpy as np
from numpy.typing import NDArray

from nativize.clean.scripts import HAN, LETTERS, script_of

CODE_POINTS = 0x110000

(SPACE, LETTER, SCRIPT, DIGIT, SPECIAL, TERMINAL, PUNCTUATION, ALPHABETIC, HIRAGANA, KATAKANA,
 KANJI, KUTEN, TOTEN, SENTENCE_END, SEPARATOR, BBS) = (1 << bit for bit in range(16))  # fmt: skip
"""What a code point may be, a bit each; a letter of the recipe's language is LETTER and SCRIPT."""


def _points(ranges: str) -> set[int]:
    """The code points of hexadecimal ranges, each ``first-last`` or one alone."""
    found: set[int] = set()
    for part in ranges.split():
        first, _, last = part.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return found


TERMINAL_MARKS = _points(
    """
    21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e
    1735-1736 17d4-17d6 17d9-17da 1803 1809 1944-1945 1aa8-1aab 1b5a-1b5b 1b5e-1b5f 1b7d-1b7e
    1c3b-1c3c 1c7e-1c7f 203c-203d 2047-2049 2e2e 2e3c 2e53-2e54 3002 a4ff a60e-a60f a6f3 a6f7
    a876-a877 a8ce-a8cf a92f a9c8-a9c9 aa5d-aa5f aaf0-aaf1 abeb fe52 fe56-fe57 ff01 ff0e ff1f
    ff61 10a56-10a57 10f55-10f59 10f86-10f89 11047-11048 110be-110c1 11141-11143 111c5-111c6
    111cd 111de-111df 11238-11239 1123b-1123c 112a9 1144b-1144c 115c2-115c3 115c9-115d7
    11641-11642 1173c-1173e 11944 11946 11a42-11a43 11a9b-11a9c 11c41-11c42 11ef7-11ef8
    11f43-11f44 16a6e-16a6f 16af5 16b37-16b38 16b44 16e98 1bc9f 1da88
    """
)
"""What ends a line for FineWeb: no ellipsis, no closing quote or bracket, no Tibetan shad."""

OTHER_PUNCTUATION = _points(
    """
    0-8 b-1f 22-2d 2f 3a-3e 40 5b-60 7b-9f ab b4 bb 2013-2014 2019 201c-201e 2026 2236 2501 25ba
    3001 3008-300d 3010-3011 ff05 ff08-ff09 ff0c ff1a-ff1b ff5e
    """
)
"""What of punctuation a word may consist of alone, and then is none for Gopher's rules."""

SPECIAL_CHARACTERS = _points(
    """
    9-d 20-2f 3a-40 5b-60 7b-7e 81-85 91-93 95-99 9c-9d a1-a8 aa-ab ad af-b4 b7-bf d7 f7-f8 131
    26a 2ba-2bc 2c8 2cc 2d0 2d8 2da 2dc 3c0 413 60c 647 66a 66c 6e9 93e 940 947 94d 97d 9be e51
    2002-2003 2005 2008-200b 2010-2011 2013-2016 2018-201a 201c-2020 2022 2024 2026 202f-2030
    2032-2033 2039-203a 203f 2043-2044 20a8 20aa 20ac 2103 21d3 2206 2208 2212 221a 221e-221f
    2248 2256 2264-2265 2295 22c5 2550 25a0 25ac 25b2 25b4 25b7 25ba-25bc 25c6 25cf 25e6
    2605-2606 261b 263b 2661 266b 2713 2726 2731 2756 27a4 27a9 2800 3000-3002 300a-300d
    3010-3011 309c 58eb fd3e-fd3f feff ff01 ff08-ff09 ff0c ff0e ff11 ff1a-ff1b ff1f ff3e ff5e
    fffc-fffd
    """
) | _points(
    """
    a9 ae 203c 2049 2122 2139 2194-2199 21a9-21aa 231a-231b 2328 23cf 23e9-23f3 23f8-23fa 24c2
    25aa-25ab 25b6 25c0 25fb-25fe 2600-2604 260e 2611 2614-2615 2618 261d 2620 2622-2623 2626
    262a 262e-262f 2638-263a 2640 2642 2648-2653 265f-2660 2663 2665-2666 2668 267b 267e-267f
    2692-2697 2699 269b-269c 26a0-26a1 26a7 26aa-26ab 26b0-26b1 26bd-26be 26c4-26c5 26c8
    26ce-26cf 26d1 26d3-26d4 26e9-26ea 26f0-26f5 26f7-26fa 26fd 2702 2705 2708-270d 270f 2712
    2714 2716 271d 2721 2728 2733-2734 2744 2747 274c 274e 2753-2755 2757 2763-2764 2795-2797
    27a1 27b0 27bf 2934-2935 2b05-2b07 2b1b-2b1c 2b50 2b55 3030 303d 3297 3299 1f004 1f0cf
    1f170-1f171 1f17e-1f17f 1f18e 1f191-1f19a 1f201-1f202 1f21a 1f22f 1f232-1f23a 1f250-1f251
    1f300-1f321 1f324-1f393 1f396-1f397 1f399-1f39b 1f39e-1f3f0 1f3f3-1f3f5 1f3f7-1f4fd
    1f4ff-1f53d 1f549-1f54e 1f550-1f567 1f56f-1f570 1f573-1f57a 1f587 1f58a-1f58d 1f590
    1f595-1f596 1f5a4-1f5a5 1f5a8 1f5b1-1f5b2 1f5bc 1f5c2-1f5c4 1f5d1-1f5d3 1f5dc-1f5de 1f5e1
    1f5e3 1f5e8 1f5ef 1f5f3 1f5fa-1f64f 1f680-1f6c5 1f6cb-1f6d2 1f6d5-1f6d9 1f6dc-1f6e5 1f6e9
    1f6eb-1f6ec 1f6f0 1f6f3-1f6fc 1f7e0-1f7eb 1f7f0 1f90c-1f93a 1f93c-1f945 1f947-1f9ff
    1fa70-1fa7c 1fa80-1fac6 1fac8 1facc-1fadd 1fadf-1faeb 1faef-1fafa
    """
)
"""HojiChar's punctuation, white space, symbols and emoji; digits are none."""


@functools.cache
def marks(code: str) -> NDArray[np.uint16]:
    """What each code point is, for a recipe's language."""
    table = np.zeros(CODE_POINTS, np.uint16)
    every = "".join(chr(p) if not 0xD800 <= p < 0xE000 else " " for p in range(CODE_POINTS))
    for pattern, mark in ((LETTERS, LETTER), (script_of(code), SCRIPT)):
        for found in pattern.finditer(every):
            table[found.start() : found.end()] |= mark
    table[(table & LETTER) == 0] &= ~np.uint16(SCRIPT)
    tests = ((SPACE, str.isspace), (DIGIT, str.isdecimal), (ALPHABETIC, str.isalpha))
    for mark, test in tests:
        table[[at for at, character in enumerate(every) if test(character)]] |= mark
    table[0xD800:0xE000] = 0
    special = [p for p in SPECIAL_CHARACTERS if unicodedata.category(chr(p))[0] not in "LMN"]
    for mark, points in (
        (SPECIAL, special),
        (TERMINAL, TERMINAL_MARKS),
        (PUNCTUATION, TERMINAL_MARKS | OTHER_PUNCTUATION),
        *((mark, _members(characters)) for mark, characters in SETS.items()),
    ):
        table[list(points)] |= mark
    return table


SETS = {
    HIRAGANA: "\u3041-\u3096",
    KATAKANA: "\u30a1-\u30fa",
    KANJI: f"\u303b{HAN}",
    KUTEN: "。．！？!?",
    TOTEN: "、，",
    SENTENCE_END: '。．.!?！？…」』）)"”’།॥။។',
    SEPARATOR: "\u0f0b-\u0f11",
    BBS: "コレペ投質話楽S(-",
}
"""Japanese classes after Swallow; closing quotes end a line like a sentence too; Tibetan tsheg and
shad; what may begin one of HojiChar's marks of a bulletin board."""


def _members(characters: str) -> set[int]:
    found: set[int] = set()
    place = 0
    while place < len(characters):
        is_range = characters[place + 1 : place + 2] == "-" and place + 2 < len(characters)
        last = characters[place + 2] if is_range else characters[place]
        found.update(range(ord(characters[place]), ord(last) + 1))
        place += 3 if is_range else 1
    return found
