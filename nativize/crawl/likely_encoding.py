"""Which encoding the bytes themselves speak for, even where they are few.

East Asian sets put their frequent characters into rows of their own (JIS and GB level 1, Big5's
first plane, Hangul). Read in the encoding it was written in, text is nearly all frequent; read in
another, it falls all over the table. Detectors that learned from pages need some hundred bytes for
that; with rows, 40 bytes do (figures: tests/crawl/test_encoding_of_real_text.py).
"""

import codecs
import re
from collections.abc import Mapping

EXAMINED_BYTES = 4096
"""From the first byte on that is not ASCII."""
KANA_SHARE = 0.2
"""From this share of the characters beyond ASCII on, a decoding is Japanese beyond doubt."""
PLAUSIBLE_SHARE = 0.95
MARK_SHARE = 0.02
"""Least share of spaces, kana and full-width punctuation in what is taken for UTF-16."""

BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
KANA = re.compile("[\u3041-\u3096\u30a1-\u30fc]")
NOT_ASCII = re.compile("[^\x00-\x7f]")
PLAUSIBLE = re.compile(
    "[\t\n\r -~\u00a0-\u08ff\u0e00-\u0fff\u2010-\u2030\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
    "\uff01-\uff5e]"
)
MARKS = re.compile("[\n\r \u3001-\u3002\u3041-\u3096\u30a1-\u30fc\uff01-\uff1f]")

FREQUENT: Mapping[str, re.Pattern[bytes]] = {
    name: re.compile(pattern, re.DOTALL)
    for name, pattern in {
        "cp949": rb"([\xa1-\xa3\xb0-\xc8][\xa1-\xfe])|[\x80-\xff].?",
        "cp932": rb"([\x81-\x83\x88-\x97][\x40-\x7e\x80-\xfc])|[\x81-\x9f\xe0-\xfc].|[\x80-\xff]",
        "euc_jp": rb"([\xa1-\xa5\xb0-\xcf][\xa1-\xfe])|\x8f..|[\x80-\xff].?",
        "gb18030": rb"([\xa1-\xa3\xb0-\xd7][\xa1-\xfe])|[\x81-\xfe][\x30-\x39]..|[\x80-\xff].?",
        "big5hkscs": rb"([\xa1-\xc6][\x40-\x7e\xa1-\xfe])|[\x80-\xff].?",
    }.items()
}
"""For each encoding its characters beyond ASCII; the group is the frequent ones.

Korean comes first: its syllables are frequent characters of all the others, theirs hardly any of
its syllables.
"""
JAPANESE = {"cp932", "euc_jp"}


def utf_16(data: bytes) -> str | None:
    """The byte order of UTF-16 without a byte order mark; None where it is none.

    Text of other encodings has no zero bytes, and reads as rare characters without any mark.
    """
    head = data[:EXAMINED_BYTES]
    for name in ("utf-16-le", "utf-16-be") if len(data) % 2 == 0 else ():
        text = head.decode(name, "replace")
        plausible = len(PLAUSIBLE.findall(text)) >= PLAUSIBLE_SHARE * len(text)
        if plausible and len(MARKS.findall(text)) >= max(1, MARK_SHARE * len(text)):
            return name
    return None


def east_asian(data: bytes, detected: str) -> tuple[str, float] | None:
    """The encoding in which the bytes are the most frequent characters, and their share.

    Args:
        data: text of which at least some is not ASCII.
        detected: what a detector takes it for.
    """
    first = BEYOND_ASCII.search(data)
    head = data[first.start() :][:EXAMINED_BYTES] if first else b""
    shares: dict[str, float] = {}
    japanese: set[str] = set()
    for name in FREQUENT:
        text = _beginning(head, name)
        if text is None or (name in JAPANESE - {detected} and not KANA.search(text)):
            continue  # Japanese without any kana is seldom Japanese
        shares[name] = _frequent_share(head, name)
        japanese |= {name} & JAPANESE if _is_japanese(text) else set()
    # many kana are beyond doubt, so the question is in which of the two
    best = max(japanese or shares, key=lambda name: shares[name], default=None)
    return (best, shares[best]) if best else None


def _beginning(head: bytes, name: str) -> str | None:
    """The text of some first bytes, which may end within a character."""
    try:
        return codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeError:
        return None


def _frequent_share(head: bytes, name: str) -> float:
    found = [match[1] is not None for match in FREQUENT[name].finditer(head)]
    return sum(found) / len(found) if found else 0.0


def _is_japanese(text: str) -> bool:
    return len(KANA.findall(text)) > KANA_SHARE * len(NOT_ASCII.findall(text))
