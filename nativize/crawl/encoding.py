"""From bytes to text: byte order mark, then what the bytes prove, then what was declared.

Bytes that are valid UTF-8 beyond ASCII are UTF-8, whatever was declared: other encodings produce
such sequences hardly ever. A declaration is believed when its text is no garbage; garbage is what
wrong Japanese decodings are made of (half-width kana, private use, C1 controls). Decoding is
strict: one undecodable byte costs its document, and the position is reported.
"""

import codecs
import re
from collections.abc import Iterable, Iterator

from resiliparse.parse.encoding import detect_encoding

from nativize.crawl.likely_encoding import east_asian, utf_16

GARBAGE_SHARE = 0.05
"""Above this share of half-width kana, private use and controls a decoding is taken for wrong."""
LIKELY_SHARE = 0.3
SURE_SHARE = 0.7
"""Least share of frequent characters that outweighs a detector which names another encoding of
East Asia, and one which names a single-byte encoding."""
DETECT_BYTES = 131_072

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# the web means the larger set by the older name: https://encoding.spec.whatwg.org/
LARGER_SET = {
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "iso8859-1": "cp1252",
    "ascii": "utf-8",
    "euc_kr": "cp949",
}
MULTI_BYTE = {"cp932", "euc_jp", "iso2022_jp", "gb18030", "big5hkscs", "cp949", "utf-8"}
GARBAGE = re.compile("[\uff61-\uff9f\ue000-\uf8ff\x80-\x9f\ufffd]")
ISO_2022_JP = re.compile(rb"\x1b\$[@B]|\x1b\([BJ]")
META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_\-:]{2,40})""", re.I
)


class UndecodableError(ValueError):
    """Bytes that no likely encoding can decode; says the nearest one and the first bad byte."""


def decode(data: bytes, declared: Iterable[str | None] = (), *, only: str = "auto") -> str:
    """The text of some bytes, without byte order mark.

    Args:
        data: the whole document.
        declared: what headers or markup say, best first; unknown names are passed over.
        only: an encoding that a person vouches for; "auto" looks for itself.

    Raises:
        UndecodableError: nothing fits; names the nearest encoding and the byte's position.
    """
    if only != "auto":
        return _strictly(data, only)
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _strictly(data, name)
    if data.isascii() and not ISO_2022_JP.search(data):
        zeros = b"\0" in data and utf_16(data)
        return _strictly(data, zeros or "ascii")
    texts, name = [], ""
    for name in _candidates(data, declared):
        text = _attempt(data, name)
        if text is not None and garbage_share(text) <= GARBAGE_SHARE:
            return text
        texts += [text] if text is not None else []
    return min(texts, key=garbage_share) if texts else _strictly(data, name)


def meta_charset(data: bytes) -> str | None:
    """The encoding that an HTML page declares in its first two kilobytes."""
    found = META_CHARSET.search(data[:2048])
    return found.group(1).decode("ascii") if found else None


def garbage_share(text: str) -> float:
    """Share of characters that wrong decodings are made of."""
    return len(GARBAGE.findall(text)) / len(text) if text else 0.0


def _candidates(data: bytes, declared: Iterable[str | None]) -> Iterator[str]:
    """Encodings to try, most trusted first; the bytes are asked only where it matters."""
    yield "iso2022_jp" if ISO_2022_JP.search(data) else "utf-8"
    names = [name for name in map(_known, declared) if name]
    if all(name in MULTI_BYTE for name in names):
        yield from names
    likely = utf_16(data)
    if likely:
        yield likely
    detected = _known(detect_encoding(data, DETECT_BYTES)) or "utf-8"
    east_asian_too = east_asian(data, detected)
    if east_asian_too:
        name, share = east_asian_too
        if share >= (SURE_SHARE if detected not in MULTI_BYTE else LIKELY_SHARE):
            yield name
    if detected in MULTI_BYTE:  # single-byte encodings decode anything and prove nothing
        yield detected
    yield from names
    yield detected


def _known(name: str | None) -> str | None:
    try:
        known = codecs.lookup(name.strip()).name if name else None
    except (LookupError, ValueError):
        return None
    return LARGER_SET.get(known, known) if known else None


def _attempt(data: bytes, name: str) -> str | None:
    """The text in an encoding, if it has no undecodable byte."""
    try:
        return data.decode(name)
    except UnicodeError:
        return None


def _strictly(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        name = name.removesuffix("-sig")
        raise UndecodableError(f"undecodable as {name} at byte {error.start}") from error
    except (UnicodeError, LookupError) as error:
        raise UndecodableError(f"undecodable as {name}: {error}") from error
