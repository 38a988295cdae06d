"""gettext catalogues (``.po``): one file, one document, its translations in their order.

Neighbouring messages of a translated manual are neighbouring paragraphs. Fuzzy and obsolete
messages are not what the translators stand by and are left out.

A string without its end, or a last message without its translation, is how a cut catalogue ends.
polib takes both for whole and eats a character, so lines are looked at before it parses them.
"""

import re
from collections.abc import Iterator

import polib

from nativize.crawl.encoding import decode
from nativize.crawl.plain import read_whole
from nativize.crawl.reader import CrawlFile, Item

CHARSET = re.compile(rb'"Content-Type:[^"]{0,200}charset=([A-Za-z0-9_\-]{2,40})')
HEADER_BYTES = 1 << 16
LINE = re.compile(
    r"""(?P<key>msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?|)\s*"(?:[^"\\]|\\.)*"|\#.*|""",
    re.DOTALL,
)


def read_po(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """The translations of a catalogue as one document, a paragraph each."""
    return read_whole(file, maximum_bytes, lambda data: _translations(data, file.source.encoding))


def _translations(data: bytes, encoding: str) -> str:
    charset = CHARSET.search(data, 0, HEADER_BYTES)
    text = decode(data, [charset.group(1).decode("ascii") if charset else None], only=encoding)
    _require_whole(text.splitlines())
    try:
        # polib opens what is the name of a file; no file's name ends with a newline
        catalogue = polib.pofile(text + "\n")
    except OSError as error:
        raise ValueError(f"no gettext catalogue: {error}") from error
    texts = (
        text
        for entry in catalogue
        if not entry.fuzzy and not entry.obsolete
        for text in (entry.msgstr, *entry.msgstr_plural.values())
    )
    return "\n\n".join(filter(None, texts))


def _require_whole(lines: list[str]) -> None:
    """Every string has its end, and the last message its translation.

    Raises:
        ValueError: not so; says in which line.
    """
    key, number = "msgstr", 0
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line.strip().removeprefix("\ufeff"))
        if not found:
            raise ValueError(f"no gettext catalogue: line {number} is damaged or cut")
        key = found["key"] or key
    if not key.startswith("msgstr"):
        raise ValueError(f"gettext catalogue is cut: it ends with {key} in line {number}")
