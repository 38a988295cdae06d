"""Crawl files whose texts are known, ways to damage them, and what may come of it."""

import bz2
import gzip
import hashlib
import json
import lzma
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import zstandard

from tests.crawl.crawl_files import Read, http, warc_record

COMPRESSIONS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("", bytes),
    "gzip": (".gz", lambda data: gzip.compress(data, mtime=0)),
    "zstd": (".zst", zstandard.ZstdCompressor(write_checksum=True).compress),
    "bzip2": (".bz2", lambda data: bz2.compress(data, 1)),
    "xz": (".xz", lzma.compress),
}


def _object(text: str) -> bytes:
    return json.dumps({"text": text}, ensure_ascii=False).encode()


def _arc(text: str) -> bytes:
    body = http(text.encode(), "text/plain; charset=utf-8")
    return b"http://a.example/ 192.0.2.1 20080430204826 text/plain %d\n%b\n" % (len(body), body)


def _wikipedia(text: str) -> bytes:
    title, _, body = text.partition("\n\n")
    identifier = int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)
    return (
        f"<page><title>{title}</title><ns>0</ns><id>{identifier}</id>\n<revision><id>1</id>"
        f"<text>{body}</text></revision></page>\n"
    ).encode()


FORMATS: dict[str, Callable[[str], bytes]] = {
    "jsonl": lambda text: _object(text) + b"\n",
    "warc": lambda text: warc_record(http(text.encode(), "text/plain; charset=utf-8")),
    "warc.wet": lambda text: warc_record(
        text.encode(), kind="conversion", head="Content-Type: text/plain"
    ),
}
LONG_FORMATS: dict[str, Callable[[str], bytes]] = {
    "arc": _arc,
    "cc100": lambda text: text.encode() + b"\n\n",
    "json": lambda text: _object(text) + b",\n",
    "wikipedia": _wikipedia,
}
"""Formats whose documents lie in something larger, or have no length of their own."""
AROUND = {
    "json": (b"[\n", _object("end") + b"\n]\n"),
    "wikipedia": (b"<mediawiki><siteinfo></siteinfo>\n", b"</mediawiki>\n"),
}
SYLLABLES = "あいうえおかきくけこさしすせそ雨風山川海空文書語本 ABCDEFabcdef,.0123456789"


@dataclass(frozen=True)
class Unit:
    """What damage costs as a whole: a stretch of the file, and the texts in it."""

    begin: int
    end: int
    texts: tuple[str, ...]

    def touched(self, begin: int, end: int) -> bool:
        return begin < self.end and end > self.begin


@dataclass(frozen=True)
class Known:
    """A crawl file with its texts, unit by unit."""

    name: str
    format: str
    data: bytes
    units: tuple[Unit, ...]
    compressed: bool

    @property
    def texts(self) -> list[str]:
        return [text for unit in self.units for text in unit.texts]


def compose(format: str, compression: str, rng: random.Random, units: int = 6) -> Known:
    """A file of a few units, each a compressed member of one to three records."""
    suffix, compress = COMPRESSIONS[compression]
    record = {**FORMATS, **LONG_FORMATS}[format]
    begin, end = AROUND.get(format, (b"", b""))
    parts: list[tuple[bytes, tuple[str, ...]]] = [(begin, ())]
    for number in range(units):
        count = 1 if compression == "plain" else rng.randint(1, 3)
        texts = tuple(_text(format, f"{number}.{index}", rng) for index in range(count))
        parts.append((b"".join(map(record, texts)), texts))
    parts.append((end, ("end",) if format == "json" else ()))
    data, found = b"", []
    for part, texts in parts:
        member = compress(part) if part else b""
        found.append(Unit(len(data), len(data) + len(member), texts))
        data += member
    whole = tuple(unit for unit in found if unit.end > unit.begin)
    return Known(f"a.{format}{suffix}", format, data, whole, compression != "plain")


def _text(format: str, name: str, rng: random.Random) -> str:
    syllables = "".join(rng.choices(SYLLABLES, k=rng.randint(5, 900)))
    if format == "wikipedia":
        return f"題{name}\n\n本文{syllables.replace(' ', '')}。"
    return f"<{name}>{syllables}."


@dataclass(frozen=True)
class Damaged:
    """A damaged file, and the stretch of the whole one that was hit."""

    data: bytes
    begin: int
    end: int


def cut(known: Known, rng: random.Random) -> Damaged:
    at = rng.randrange(1, len(known.data))
    return Damaged(known.data[:at], at, len(known.data))


def flip_a_bit(known: Known, rng: random.Random) -> Damaged:
    at = rng.randrange(len(known.data))
    data = bytearray(known.data)
    data[at] ^= 1 << rng.randrange(8)
    return Damaged(bytes(data), at, at + 1)


def zero_a_block(known: Known, rng: random.Random) -> Damaged:
    begin = rng.randrange(len(known.data))
    end = min(len(known.data), begin + rng.randint(1, 700))
    return Damaged(known.data[:begin] + bytes(end - begin) + known.data[end:], begin, end)


def lose_bytes(known: Known, rng: random.Random) -> Damaged:
    begin = rng.randrange(len(known.data))
    end = min(len(known.data), begin + rng.randint(1, 700))
    return Damaged(known.data[:begin] + known.data[end:], begin, end)


def garbage_inside(known: Known, rng: random.Random) -> Damaged:
    at = rng.randrange(1, len(known.data))
    return Damaged(known.data[:at] + rng.randbytes(300) + known.data[at:], at - 1, at + 1)


def garbage_between(known: Known, rng: random.Random) -> Damaged:
    at = rng.choice(known.units).begin
    garbage = rng.randbytes(rng.randint(1, 300)) + b"!\n"
    return Damaged(known.data[:at] + garbage + known.data[at:], at, at)


def garbage_behind(known: Known, rng: random.Random) -> Damaged:
    end = len(known.data)
    return Damaged(known.data + rng.randbytes(rng.randint(1, 300)) + b"!", end, end)


DAMAGES: Sequence[Callable[[Known, random.Random], Damaged]] = (
    cut,
    flip_a_bit,
    zero_a_block,
    lose_bytes,
    garbage_inside,
    garbage_between,
    garbage_behind,
)


def complaint(known: Known, damaged: Damaged, found: Read) -> str:
    """What a reader did wrong with a damaged file; nothing if it did all right.

    Uncompressed text has no checksum: damage in it may give other text, but never more of it.
    """
    given = [document.text for document in found.documents]
    hit, spared = _hit(known, damaged), _spared(known, damaged)
    if [text for text in given if text in set(spared)] != spared:
        return f"lost or moved {[text for text in spared if text not in given][:2]}"
    altered = [text for text in given if text not in set(known.texts)]
    if altered and known.compressed:
        return f"gave out altered text {altered[:1]}"
    any_text_is_a_document = known.format == "cc100"
    if len(altered) > len([t for unit in hit for t in unit.texts]) and not any_text_is_a_document:
        return "gave out more than it was given"
    unseen = damaged.begin in {unit.begin for unit in known.units}  # a cut between members
    silent = not (found.quarantined or found.dropped or altered or unseen)
    if len(given) < len(known.texts) and silent:
        return "lost a document in silence"
    if len({document.id for document in found.documents}) < len(given):
        return "gave two documents one id"
    if not all(item.reason and item.offset >= 0 for item in found.quarantined):
        return "quarantined without place or reason"
    return ""


def _hit(known: Known, damaged: Damaged) -> list[Unit]:
    """Units that damage reaches: a mark lost at the end of a document joins the next one to it."""
    joined = {"jsonl": int(damaged.end > damaged.begin), "cc100": 2}.get(known.format, 0)
    end = damaged.end + (0 if known.compressed else joined)
    return [unit for unit in known.units if unit.touched(damaged.begin, end)]


def _spared(known: Known, damaged: Damaged) -> list[str]:
    """Texts that must come out."""
    hit = _hit(known, damaged)
    units = [unit for unit in known.units if unit not in hit]
    if known.format == "json" and not known.compressed:  # brackets do not come to rest again
        return [text for unit in units if unit.end <= damaged.begin for text in unit.texts]
    before = [text for unit in units if unit.begin < damaged.begin for text in unit.texts]
    behind = [text for unit in units if unit.begin >= damaged.begin for text in unit.texts]
    if known.format == "cc100" and known.compressed:  # no one knows whether it begins there
        behind = behind[1:]
    return before + behind
