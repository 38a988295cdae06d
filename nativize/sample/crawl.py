"""The plan of the sample crawl: which files there are, what stands in them, and the truth.

Scale 1.0 is 3.5 MB of clean Japanese and 2.5 MB of clean English in 15 files: little enough
to write in seconds, much enough for a tokenizer of a few thousand pieces and a model of two
million parameters. Rates of dirt are per clean document of the same group of files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from nativize.sample.compose import PLAIN, compose
from nativize.sample.dirt import SOILS
from nativize.sample.formats import write_jsonl, write_warc, write_wet
from nativize.sample.instruction import write_instructions
from nativize.sample.material import SampleError, load_material
from nativize.sample.planted import Planted, plant
from nativize.sample.records import json_line, write_atomically

NEWS = "crawl/jsonl/news-{:03d}.jsonl.zst"

Writer = Callable[[str, Sequence[Planted], Random], bytes]


@dataclass(frozen=True)
class Group:
    """Files of one format that are planned together; ``clean_bytes`` is UTF-8 at scale 1."""

    name: str
    pattern: str
    files: int
    write: Writer
    clean_bytes: int
    language: str = "ja"
    style: int | None = None
    rates: Mapping[str, float] = field(default_factory=dict)


_EVERYWHERE = {
    "exact_duplicate": 0.05,
    "near_duplicate": 0.05,
    "other_language": 0.07,
    "spam": 0.04,
    "personal_data": 0.05,
    "short": 0.04,
    "empty": 0.005,
    "invalid_byte": 0.004,
}

GROUPS = (
    Group(
        "reference", "reference/encyclopedia-{:03d}.jsonl.zst", 1, write_jsonl, 700_000, style=PLAIN
    ),
    Group(
        "warc",
        "crawl/warc/pages-{:03d}.warc.gz",
        4,
        write_warc,
        1_000_000,
        rates=_EVERYWHERE | {"boilerplate": 0.06, "wrong_declaration": 0.004, "not_text": 0.02},
    ),
    Group(
        "wet",
        "crawl/wet/pages-{:03d}.warc.wet.gz",
        3,
        write_wet,
        800_000,
        rates=_EVERYWHERE | {"navigation": 0.08, "mojibake": 0.02},
    ),
    Group(
        "jsonl",
        NEWS,
        4,
        write_jsonl,
        1_000_000,
        rates=_EVERYWHERE | {"mojibake": 0.02, "not_json": 0.004},
    ),
    Group(
        "english",
        "english/pages-{:03d}.jsonl.zst",
        2,
        write_jsonl,
        1_700_000,
        language="en",
        rates={"exact_duplicate": 0.02},
    ),
    Group(
        "english-wet",
        "english/pages-{:03d}.warc.wet.gz",
        1,
        write_wet,
        800_000,
        language="en",
        rates={"exact_duplicate": 0.02},
    ),
)


def write_sample(out: Path, *, seed: int = 0, scale: float = 1.0) -> dict[str, int]:
    """Write the whole sample under ``out`` and return how many documents of each kind.

    Equal ``seed`` and ``scale`` write equal bytes. Each file appears whole or not at all;
    ``truth.jsonl`` comes last.

    Raises:
        SampleError: ``scale`` is not positive.
    """
    if scale <= 0:
        raise SampleError(f"scale is {scale}; give a positive number, 1.0 writes about 6 MB")
    counts: Counter[str] = Counter()
    truth: list[bytes] = []
    for group in GROUPS:
        for file, pages, data in _files_of(group, seed, scale):
            write_atomically(out / file, data)
            counts.update(page.kind for page in pages)
            truth += (json_line(page.truth(file)) for page in pages)
    counts.update(write_instructions(out / "instruction", seed=seed))
    write_atomically(out / "truth.jsonl", b"".join(truth))
    return dict(sorted(counts.items()))


def add_crawl_file(out: Path, *, number: int, seed: int = 0, documents: int = 60) -> Path:
    """Write one new file of clean documents, ``crawl/jsonl/news-<number>``, and return it.

    Plays "the crawl grew"; ``truth.jsonl`` is not touched.

    Raises:
        SampleError: the file is there already, or a count is negative.
    """
    path = out / NEWS.format(number)
    if path.exists():
        raise SampleError(f"{path} exists; choose a number that no crawl file has")
    if number < 0 or documents < 0:
        raise SampleError(f"number {number} and documents {documents} must not be negative")
    name = f"{seed}:added:{number}"
    random, material = Random(name), load_material("ja")
    pages = [plant(compose(material, random), f"{name}:{place}") for place in range(documents)]
    write_atomically(path, write_jsonl(path.name, pages, random))
    return path


def _files_of(group: Group, seed: int, scale: float) -> Iterator[tuple[str, list[Planted], bytes]]:
    """Yield relative path, documents in order and bytes of every file of the group."""
    random = Random(f"{seed}:{group.name}")
    addresses = (f"{seed}:{group.name}:{place}" for place in range(10**9))
    clean = _clean_pages(group, random, addresses, scale)
    pages = clean + _dirty_pages(group, random, addresses, clean)
    random.shuffle(pages)
    for number in range(group.files):
        file = group.pattern.format(number)
        dealt = pages[number :: group.files]
        if group.write is write_warc and number == group.files - 1:
            dealt.append(replace(_new_page(group, random, addresses), kind="truncated"))
        yield file, dealt, group.write(Path(file).name, dealt, random)


def _new_page(group: Group, random: Random, addresses: Iterator[str]) -> Planted:
    document = compose(load_material(group.language), random, style=group.style)
    return plant(document, next(addresses))


def _clean_pages(
    group: Group, random: Random, addresses: Iterator[str], scale: float
) -> list[Planted]:
    """Return clean pages up to the group's budget; some HTML is in Japan's older encodings."""
    pages: list[Planted] = []
    written = 0
    while written < group.clean_bytes * scale or len(pages) < 2 * group.files:
        page = _new_page(group, random, addresses)
        written += len(page.text.encode())
        if group.write is write_warc and len(pages) % 12 < 2:
            encoding = ("shift_jis", "euc_jp")[len(pages) % 12]
            page = replace(page, encoding=encoding, declared=encoding)
        pages.append(page)
    return pages


def _dirty_pages(
    group: Group, random: Random, addresses: Iterator[str], clean: list[Planted]
) -> list[Planted]:
    """Return at least one page of each kind that the group has a rate for."""
    dirty = []
    for kind, rate in group.rates.items():
        for turn in range(max(1, round(rate * len(clean)))):
            page = _new_page(group, random, addresses)
            dirty.append(SOILS[kind](random, page, clean, turn))
    return dirty
