"""The documents of the deduplication benchmark: real pages, and copies whose edits are planted.

Pages are real text where it lies beside the project, Japanese and English half and half by bytes,
whole or cut at sentences; composed text stands in elsewhere. Of the documents 29 % are copies of
others, edited in one of six ways, each way so much that similarities spread over 0.6 to 1.0.
Real English pages resemble each other besides (PowerShell's come in three versions): the truth
knows all pairs, planted or not.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import real_text
from nativize.crawl.document import ROW_GROUP_TEXT_BYTES, SCHEMA, open_writer

LANGUAGES = ("ja", "en")
PAGE_CHARACTERS = (1_000, 6_000)
SMALLEST_CHARACTERS = 200
COPIES = 0.29
"""Share of copies; FineWeb-2 removed 29 % of its Japanese documents as duplicates."""
LOWEST = 0.6
UNEDITED = 0.15
"""Share of copies that are the same but for width, case and blanks."""
NEIGHBOURHOOD = 40
"""A copy follows its original within so many documents, so that a head has both."""

SENTENCE = re.compile(r"[^。！？!?.\n]*(?:[。！？!?]+[」』）]*|\.(?=\s)|\n+|$)")

GROWN_FROM = 10_000_000
SHORT_IN_A_SHARD = 100_000

Edit = Callable[[str, float, Sequence[str], random.Random], str]


def mixed(size: int) -> list[str]:
    """Documents of about ``size`` bytes in a fixed order; a head is a fair sample of all."""
    generator = random.Random(7)
    texts: list[str] = []
    for language in LANGUAGES:
        share = int(size * (1 - COPIES) / len(LANGUAGES))
        originals = list(real_text.up_to(share, pages(language)))
        texts += [f"{language}:{text}" for text in originals]
    generator.shuffle(texts)
    return with_copies(texts, generator)


def pages(language: str) -> Iterator[str]:
    """Distinct pages of a language, in a fixed random order."""
    if not real_text.TEXT.exists():
        code = real_text.composed_code(language)
        yield from cut_to_pages(real_text.composed(code), random.Random(1))
        return
    texts = (text for read in real_text.SOURCES[language] for text in read())
    found = list(dict.fromkeys(cut_to_pages(texts, random.Random(1))))
    random.Random(3).shuffle(found)
    yield from found


def cut_to_pages(texts: Iterator[str], generator: random.Random) -> Iterator[str]:
    """Texts as they are, long ones in pieces of whole sentences."""
    for text in texts:
        whole = text.strip()
        pieces = [whole] if len(whole) <= PAGE_CHARACTERS[1] else pieces_of(whole, generator)
        yield from (piece for piece in pieces if len(piece) >= SMALLEST_CHARACTERS)


def pieces_of(text: str, generator: random.Random) -> Iterator[str]:
    begin, goal = 0, generator.randint(*PAGE_CHARACTERS)
    for end in (match.end() for match in SENTENCE.finditer(text)):
        if end - begin >= goal:
            yield text[begin:end].strip()
            begin, goal = end, generator.randint(*PAGE_CHARACTERS)
    yield text[begin:].strip()


def with_copies(marked: Sequence[str], generator: random.Random) -> list[str]:
    """Texts and their copies; each text carries its language in front, which is taken off."""
    pools = {language: sentences_of(marked, language, generator) for language in LANGUAGES}
    places: list[tuple[float, str]] = []
    chance = COPIES / (1 - COPIES)
    for place, text in enumerate(marked):
        language, text = text.split(":", 1)
        places.append((place, text))
        while generator.random() < chance / (1 + chance):
            copy = edited(text, pools[language], generator)
            places.append((place + generator.uniform(0, NEIGHBOURHOOD), copy))
    places.sort(key=lambda one: one[0])
    return [text for _, text in places]


def sentences_of(marked: Sequence[str], language: str, generator: random.Random) -> list[str]:
    """Sentences to insert; the first few serve as boilerplate."""
    some = [text.split(":", 1)[1] for text in marked if text.startswith(language)][-200:]
    found = [one for text in some for one in SENTENCE.findall(text) if 20 <= len(one) <= 300]
    generator.shuffle(found)
    return found


def edited(text: str, pool: Sequence[str], generator: random.Random) -> str:
    """A copy with one kind of edit."""
    if generator.random() < UNEDITED:
        return generator.choice((same, blanks, wide))(text)
    edit: Edit = generator.choice((replaced, dropped, inserted, appended, mixed_edits))
    return edit(text, generator.uniform(LOWEST, 1.0), pool, generator)


def same(text: str) -> str:
    return text


def blanks(text: str) -> str:
    return f"\n {text} \n".replace("\n", " \n")


def wide(text: str) -> str:
    """ASCII letters and digits in full width, which compatibility form takes back."""
    return text.translate({point: point + 0xFEE0 for point in range(0x30, 0x3A)}).upper()


def replaced(text: str, similarity: float, pool: Sequence[str], generator: random.Random) -> str:
    """Single characters replaced; each costs five shingles of both texts."""
    characters = list(text)
    edits = round(len(text) * (1 - similarity) / (1 + similarity) / 5)
    for at in generator.sample(range(len(text)), edits):
        characters[at] = generator.choice("〓◇※§")
    return "".join(characters)


def dropped(text: str, similarity: float, pool: Sequence[str], generator: random.Random) -> str:
    """Sentences left out."""
    return changed_by_sentences(text, similarity, (), generator)


def inserted(text: str, similarity: float, pool: Sequence[str], generator: random.Random) -> str:
    """Sentences of other pages put in between."""
    return changed_by_sentences(text, similarity, pool, generator)


def changed_by_sentences(
    text: str, similarity: float, pool: Sequence[str], generator: random.Random
) -> str:
    sentences = [one for one in SENTENCE.findall(text) if one]
    goal = len(text) * ((1 / similarity - 1) if pool else (1 - similarity))
    changed = 0
    while len(sentences) > 1 and changed < goal:
        at = generator.randrange(len(sentences))
        sentence = generator.choice(pool) if pool else sentences[at]
        if changed + len(sentence) / 2 > goal:
            break
        sentences[at : at + (not pool)] = [sentence] if pool else []
        changed += len(sentence)
    return "".join(sentences)


def appended(text: str, similarity: float, pool: Sequence[str], generator: random.Random) -> str:
    """A site's boilerplate below the text, the same on many pages."""
    boilerplate = "\n".join(pool[:60])
    return f"{text}\n{boilerplate[: int(len(text) * (1 / similarity - 1))]}"


def mixed_edits(text: str, similarity: float, pool: Sequence[str], generator: random.Random) -> str:
    """All of them, each a part of the loss."""
    for edit in (replaced, dropped, inserted, appended):
        text = edit(text, similarity**0.25, pool, generator)
    return text


def grown(size: int) -> Iterator[str]:
    """Documents of about ``size`` bytes: the mixed ones, then the same in ciphers.

    A cipher replaces every letter by another of its script, another way in each round: text of
    the same lengths and repetitions whose shingles are others.
    """
    first = mixed(min(size, GROWN_FROM))
    points = [np.frombuffer(text.encode("utf-32-le"), "<u4") for text in first]
    sizes = [len(text.encode()) for text in first]
    letters = np.unique(np.concatenate(points))
    for number in count():
        table = cipher(number, letters)
        for text, length in zip(points, sizes, strict=True):
            if size <= 0:
                return
            size -= length
            yield table[text].tobytes().decode("utf-32-le")


def short_texts(shard: int, count: int = SHORT_IN_A_SHARD) -> list[str]:
    """Texts of 120 random kana, 29 % of them copies of others with one letter changed."""
    generator = np.random.default_rng(shard)
    kana = generator.integers(0x3041, 0x3097, (count, 120), dtype=np.uint32)
    copies = int(COPIES * count)
    kana[-copies:] = kana[generator.integers(0, count - copies, copies)]
    kana[np.arange(count - copies, count), generator.integers(0, 120, copies)] = 0x6F22
    return [text.tobytes().decode("utf-32-le") for text in kana]


def cipher(number: int, letters: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Which letter stands for which; among those of the same width in UTF-8 and kind; 0: none."""
    generator = random.Random(number)
    table = np.arange(0x110000, dtype=np.uint32)
    left = letters.tolist() if number else []
    for kind in (str.islower, str.isupper, is_kana, is_other_letter):
        here = [point for point in left if kind(chr(point))]
        left = [point for point in left if not kind(chr(point))]
        for width in (1, 2, 3, 4):
            alike = [point for point in here if len(chr(point).encode()) == width]
            table[alike] = generator.sample(alike, len(alike))
    return table


def is_kana(character: str) -> bool:
    return "\u3041" <= character <= "\u30ff"


def is_other_letter(character: str) -> bool:
    return character.isalpha()


def write_shards(directory: Path, texts: Sequence[str], shards: int, first: int = 0) -> None:
    """Texts dealt out to shards, so that a copy mostly lies in another one than its original."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(shards):
        ids = [f"{at:09d}" for at in range(first + number, first + len(texts), shards)]
        write_shard(directory / f"{first:09d}-{number:05d}.parquet", ids, texts[number::shards])


def write_shard(path: Path, ids: Sequence[str], texts: Sequence[str]) -> None:
    """One shard of the corpus, as the stage before deduplication leaves it."""
    columns = {
        field.name: [""] * len(texts) if field.type == pa.string() else [0] * len(texts)
        for field in SCHEMA
    }
    table = pa.table({**columns, "id": list(ids), "text": list(texts)}, schema=SCHEMA)
    groups = 1 + sum(len(text.encode()) for text in texts) // ROW_GROUP_TEXT_BYTES
    with open_writer(path, SCHEMA, small_pages=True) as shard:
        shard.write_table(table, row_group_size=-(-len(texts) // groups))
