"""Text that no corpus holds: each character of every plane, of control, spaces and emoji.

The characters are those of Unicode 3.2, which no program's tables lack, so that equal programs
cut them equally whatever Python reads this; later planes and emoji are named one by one.
"""

import unicodedata
from functools import cache

from nativize.vocabulary.gates import PROBES

TEXT_CHARACTERS = 256
SURROGATES = range(0xD800, 0xE000)
PLANES = 17
OF_EACH_PLANE = (0x0, 0x1, 0x100, 0x4E00, 0x9FFF, 0xFFFD)
SPACES = (
    "a b  c   d    e     f                                 g",
    " \t\t\t \t\n  \r\n\r\n   \n\n\n\n\r x\n y\t\n",
    "\u00a0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000 x\u3000\u3000y\u0085z",
    "   ",
    "\n",
)
CONTROLS = "".join(map(chr, range(0x20))) + "".join(map(chr, range(0x7F, 0xA0)))
WORDS = (
    "it's IT'S we'll I'd'VE 'tis o'clock 's'T ’s",
    "1 12 123 1234 12345678 ١٢٣٤ १२३ ⅷ ① 3.14 x2y3",
    "(!?) ... --- ==> «» “” 「東京」、。 $5 €7 ^_^ \\n {}[]",
    "🤦🏼‍♂️ 🏴\U000e0067\U000e0062\U000e007f 🇯🇵🇩🇪 1️⃣ ❤️‍🔥 🫠 👨‍👩‍👧",
    "e\u0301 か\u3099 각 한 ﬁ Ⅷ Å K が ゙ ｶﾞ 神 zalg\u0335\u0321o",
)


@cache
def probes() -> tuple[str, ...]:
    """All of them; a byte-level tokenizer may normalise some."""
    planes = "".join(
        chr(plane * 0x10000 + offset) for plane in range(PLANES) for offset in OF_EACH_PLANE
    )
    assigned = [
        character
        for character in map(chr, range(0x110000))
        if ord(character) not in SURROGATES
        and unicodedata.ucd_3_2_0.category(character) not in ("Cn", "Co")
    ]
    characters = [
        "".join(assigned[start : start + TEXT_CHARACTERS])
        for start in range(0, len(assigned), TEXT_CHARACTERS)
    ]
    fixed = [probe for probe in PROBES if probe]
    return (*fixed, *SPACES, CONTROLS, *WORDS, planes, *characters)
