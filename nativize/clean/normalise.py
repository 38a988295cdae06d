"""One form for equal text: Unicode form, newlines, invisible and control characters, blank space.

What carries meaning stays: paragraphs, indentation of code, zero-width joiners (emoji, Indic
scripts), the ideographic space where the form is not NFKC.
"""

import re
import unicodedata
from typing import Literal

Normalisation = Literal["none", "NFC", "NFKC"]

NEWLINES = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# C0 and C1 without tab and newline, delete, soft hyphen, word joiner, byte order mark,
# directional marks and overrides, interlinear annotation, non-characters
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff]"
)
TRAILING_SPACE = re.compile("[ \t\u3000\xa0]+(?=\n|\\Z)")
BLANK_LINES = re.compile("\n{3,}")


def normalise(text: str, form: Normalisation) -> str:
    """The text in one Unicode form, with newlines as \\n, without invisible characters.

    At most one blank line stands between paragraphs. Applying it twice changes nothing more.
    """
    text = INVISIBLE.sub("", NEWLINES.sub("\n", text))
    if form != "none":
        text = unicodedata.normalize(form, text)
    text = TRAILING_SPACE.sub("", text)
    return BLANK_LINES.sub("\n\n", text).strip("\n")
