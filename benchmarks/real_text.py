"""Real documents of a language, for benchmarks: whole files, and long books cut like web pages.

Text comes from `../shared/data`, which lies beside the project and never in it; where it is
absent, composed text stands in and the figures say so. A document has at most about 20 kB.
"""

import json
import random
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import zstandard

from nativize.sample.compose import compose
from nativize.sample.material import FILES, load_material

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
TEXT = DATA / "text"

SMALLEST_BYTES, LARGEST_BYTES = 300, 20_000
PIECE_BYTES = (2_000, 12_000)
"""Where a long text is cut, drawn for each piece; a page of a crawl is of such a size."""

RUBY = re.compile(r"《[^》\n]*》|｜|［＃[^］\n]*］|※")
LEGEND = re.compile(r"-{20,}\n.*?-{20,}\n", re.S)
COLOPHON = re.compile(r"\n底本：.*", re.S)
GUTENBERG = re.compile(r"\*\*\* ?(?:START|END) OF TH[^\n]*\n")


def source(language: str) -> str:
    """Where the documents of a language come from, for the results."""
    return "shared/data" if TEXT.exists() else f"composed {composed_code(language)}"


def composed_code(language: str) -> str:
    """The language that can be composed for another one."""
    return language if language in FILES else "ja"


def documents(language: str, size: int) -> list[str]:
    """Distinct documents of about ``size`` bytes of UTF-8, or as many as there are.

    The same call gives the same documents, and a smaller one the head of a larger: they are
    shuffled, so that a head is a fair sample of all.
    """
    if not TEXT.exists():
        return list(up_to(size, pages(composed(composed_code(language)))))
    found = dict.fromkeys(text for read in SOURCES[language] for text in pages(read()))
    texts = list(found)
    random.Random(3).shuffle(texts)
    return list(up_to(size, texts))


def up_to(size: int, texts: Iterable[str]) -> Iterator[str]:
    """Texts until they have so many bytes."""
    written = 0
    for text in texts:
        if written >= size:
            return
        written += len(text.encode())
        yield text


def pages(texts: Iterator[str]) -> Iterator[str]:
    """Texts as they are, long ones in pieces that end at a line."""
    generator = random.Random(1)
    for text in texts:
        whole = text.strip()
        pieces = [whole] if len(whole.encode()) <= LARGEST_BYTES else cut(whole, generator)
        yield from (piece for piece in pieces if len(piece.encode()) >= SMALLEST_BYTES)


def cut(text: str, generator: random.Random) -> Iterator[str]:
    """Pieces of whole lines."""
    lines: list[str] = []
    taken, goal = 0, generator.randint(*PIECE_BYTES)
    for line in text.split("\n"):
        lines.append(line)
        taken += len(line.encode()) + 1
        if taken >= goal:
            yield "\n".join(lines).strip()
            lines, taken, goal = [], 0, generator.randint(*PIECE_BYTES)
    yield "\n".join(lines).strip()


def packed(name: str, ending: str, encoding: str = "utf-8") -> Callable[[], Iterator[str]]:
    """The files of a pack whose names end so."""

    def read() -> Iterator[str]:
        return (text for _, text in members(name, ending, encoding))

    return read


def members(name: str, ending: str, encoding: str = "utf-8") -> Iterator[tuple[str, str]]:
    """Names and texts of a pack's files whose names end so."""
    with (
        (TEXT / f"{name}.tar.zst").open("rb") as stream,
        zstandard.ZstdDecompressor().stream_reader(stream) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(ending) else None
            if content:
                text = content.read().decode(encoding, "replace")
                yield member.name, text.replace("\r\n", "\n")


def aozora() -> Iterator[str]:
    """Books without readings, notes, legend and colophon: roughly, as a crawler's reader would."""
    for text in packed("ja_aozora_a", ".txt", "cp932")():
        body = COLOPHON.sub("", LEGEND.sub("", text, count=1))
        yield RUBY.sub("", body)


def gutenberg() -> Iterator[str]:
    """Books with paragraphs on one line."""
    for path in sorted((TEXT / "en_gutenberg").glob("*.txt")):
        encoding = "latin-1" if path.name == "1661-8.txt" else "utf-8-sig"
        text = path.read_text(encoding).replace("\r\n", "\n")
        body = max(GUTENBERG.split(text), key=len)
        yield "\n\n".join(p.replace("\n", " ").strip() for p in re.split(r"\n{2,}", body))


def wikitext() -> Iterator[str]:
    """Articles, each from its title on."""
    text = (TEXT / "en_wikitext2" / "valid.txt").read_text("utf-8")
    yield from re.split(r"\n(?= = [^=])", text)


def wiki_demo() -> Iterator[str]:
    """Articles, which lie on one line each, in paragraphs of some sentences."""
    for article in (TEXT / "en_wiki_demo.txt").read_text("utf-8").split("\n"):
        yield re.sub(r"(.{400,}?[.!?]) ", r"\1\n", article)


def c4_pages() -> Iterator[str]:
    with (DATA / "filters" / "wikipedia" / "c4_demo.jsonl").open(encoding="utf-8") as lines:
        yield from (json.loads(line)["text"] for line in lines)


def composed(code: str) -> Iterator[str]:
    generator, material = random.Random(2), load_material(code)
    while True:
        yield "\n".join(compose(material, generator).paragraphs)


SOURCES: dict[str, list[Callable[[], Iterator[str]]]] = {
    "ja": [
        aozora,
        packed("ja_docs_rurema", ".md"),
        packed("ja_docs_vue", ".md"),
        packed("ja_docs_rustbook", ".md"),
    ],
    "zh": [
        packed("zh_niutrans_a", "target.txt"),
        packed("zh_docs_react", ".md"),
        packed("zh_docs_rustbook", ".md"),
    ],
    "en": [packed("en_powershell_a", ".md"), gutenberg, wikitext, wiki_demo, c4_pages],
}
"""The readers of each language's documents."""
