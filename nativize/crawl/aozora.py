"""Aozora Bunko's markup taken out of a text: what a reader of the printed book sees stays.

Ruby, editors' notes, the legend and the colophon go. A note on a character that Shift_JIS lacks
becomes the character where it tells the code point (JIS X 0213 or Unicode), else 〓, the printers'
mark for missing type: one character that shows that one is missing. Accents written apart
(〔me'tier〕) are put together. Title and author stay: a book begins with them.

The colophon tells who typed the text in and from which edition. It stays in the crawl's file, which
a document's `file` names.

Source: https://www.aozora.gr.jp/annotation/, https://www.aozora.gr.jp/accent_separation.html
"""

import re
import unicodedata

LEGEND = re.compile(r"^-{20,}\n.*?^-{20,}\n", re.DOTALL | re.MULTILINE)
LEGEND_WITHIN = 4_000
"""Characters from the beginning within which the legend stands; later rules part chapters."""
COLOPHON = re.compile(r"^[ 　]*底本[：:]", re.MULTILINE)
COLOPHON_WITHIN = 6_000
"""Characters from the end within which the colophon begins."""

MISSING = re.compile(r"※［＃([^［］]*)］")
CODE_POINT = re.compile(r"U\+([0-9A-Fa-f]{4,6})")
PLANE_ROW_CELL = re.compile(r"(?<![\d-])([12])-(\d{1,2})-(\d{1,2})(?![\d-])")
NOTE = re.compile(r"［＃[^［］]*］")
MAXIMUM_DEPTH = 3
LINE_OF_NOTES = re.compile(r"^[ 　]*(?:［＃[^［］\n]*］)+[ 　]*\n", re.MULTILINE)
RUBY = re.compile(r"｜([^｜《》\n]*)《[^《》\n]*》|《[^《》\n]*》")
MARKUP_SIGNS, STAND_INS = "《》｜［］", "\ue000\ue001\ue002\ue003\ue004"
HIDE = str.maketrans(MARKUP_SIGNS, STAND_INS)
SHOW = str.maketrans(STAND_INS, MARKUP_SIGNS)

APART = re.compile(r"〔([!-~ \u00a0-\u024f]*)〕")
ACCENTED = re.compile(r"(ae|AE|oe|OE)&|([A-Za-z])(['`^~:&,/_])|([!?])@")
LIGATURES = {"ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ"}
COMBINING = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", ":": "\u0308", "&": "\u030a",
    ",": "\u0327", "_": "\u0304",
}  # fmt: skip
OTHER = {"o/": "ø", "O/": "Ø", "s&": "ß", "!@": "¡", "?@": "¿"}
BLANK_LINES = re.compile(r"\n{4,}")


def without_aozora_markup(text: str) -> str:
    """The text of the book behind a file of Aozora Bunko."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _without_colophon(_without_legend(text))
    text = MISSING.sub(lambda note: character(note[1]).translate(HIDE), text)
    text = LINE_OF_NOTES.sub("", text)
    for _ in range(MAXIMUM_DEPTH):  # notes within notes
        text = NOTE.sub("", text)
    text = RUBY.sub(r"\1", text).translate(SHOW)
    text = APART.sub(lambda found: _joined(found), text)
    return BLANK_LINES.sub("\n\n\n", text).strip("\n") + "\n"


def character(note: str) -> str:
    """The character that a note describes, or 〓."""
    point = CODE_POINT.search(note)
    if point and 0x20 <= int(point[1], 16) < 0x110000 and not 0xD800 <= int(point[1], 16) < 0xE000:
        return chr(int(point[1], 16))
    place = PLANE_ROW_CELL.search(note)
    return _of_jis(*map(int, place.groups())) if place else "〓"


def _of_jis(plane: int, row: int, cell: int) -> str:
    """The character at a place of JIS X 0213, or 〓 where there is none."""
    if not (1 <= row <= 94 and 1 <= cell <= 94):
        return "〓"
    code = bytes([0xA0 + row, 0xA0 + cell])
    try:
        return (b"\x8f" + code if plane == 2 else code).decode("euc_jis_2004")
    except UnicodeDecodeError:
        return "〓"


def _without_legend(text: str) -> str:
    found = LEGEND.search(text)
    if found and found.start() < LEGEND_WITHIN:
        return text[: found.start()] + text[found.end() :]
    return text


def _without_colophon(text: str) -> str:
    found = COLOPHON.search(text, max(0, len(text) - COLOPHON_WITHIN))
    return text[: found.start()] if found else text


def _joined(found: re.Match[str]) -> str:
    """The words in brackets with their accents; with the brackets where no accent is in them."""
    words = ACCENTED.sub(_accented, found[1])
    return found[0] if words == found[1] else words


def _accented(found: re.Match[str]) -> str:
    ligature, letter, mark, _ = found.groups()
    if ligature:
        return LIGATURES[ligature]
    if found[0] in OTHER:
        return OTHER[found[0]]
    composed = unicodedata.normalize("NFC", letter + COMBINING.get(mark, "")) if letter else ""
    return composed if len(composed) == 1 and composed != letter else found[0]
