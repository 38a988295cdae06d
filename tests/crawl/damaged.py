"""Crawl files whose texts are known, and ways to damage them."""

import bz2
import gzip
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
FORMATS: dict[str, Callable[[str], bytes]] = {
    "jsonl": lambda text: json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n",
    "warc": lambda text: warc_record(http(text.encode(), "text/plain; charset=utf-8")),
    "warc.wet": lambda text: warc_record(
        text.encode(), kind="conversion", head="Content-Type: text/plain"
    ),
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
    data: bytes
    units: tuple[Unit, ...]

    @property
    def texts(self) -> list[str]:
        return [text for unit in self.units for text in unit.texts]


def compose(format: str, compression: str, rng: random.Random, units: int = 6) -> Known:
    """A file of a few units, each a compressed member of one to three records."""
    suffix, compress = COMPRESSIONS[compression]
    data, found = b"", []
    for number in range(units):
        count = 1 if compression == "plain" else rng.randint(1, 3)
        texts = tuple(_text(f"{number}.{index}", rng) for index in range(count))
        member = compress(b"".join(map(FORMATS[format], texts)))
        found.append(Unit(len(data), len(data) + len(member), texts))
        data += member
    return Known(f"a.{format}{suffix}", data, tuple(found))


def _text(name: str, rng: random.Random) -> str:
    return f"<{name}>" + "".join(rng.choices(SYLLABLES, k=rng.randint(5, 900))) + "."


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
    lost_newline = known.name == "a.jsonl" and damaged.end > damaged.begin  # joins the next line
    end = damaged.end + lost_newline
    hit = [unit for unit in known.units if unit.touched(damaged.begin, end)]
    untouched = [text for unit in known.units if unit not in hit for text in unit.texts]
    if [text for text in given if text in set(untouched)] != untouched:
        return f"lost or moved {[text for text in untouched if text not in given][:2]}"
    altered = [text for text in given if text not in set(known.texts)]
    if altered and not known.name.endswith(("jsonl", "warc", "wet")):
        return f"gave out altered text {altered[:1]}"
    if len(altered) > len([text for unit in hit for text in unit.texts]):
        return "gave out more than it was given"
    unseen = damaged.begin in {unit.begin for unit in known.units}  # a cut between members
    silent = not (found.quarantined or found.dropped or altered or unseen)
    if len(given) < len(known.texts) and silent:
        return "lost a document in silence"
    if len({document.id for document in found.documents}) < len(given):
        return "gave two documents one id"
    return ""
