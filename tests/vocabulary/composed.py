"""A small Japanese and a small English corpus, composed from words by counting."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet

from nativize.artifact import standalone
from nativize.dedup.corpus import fates_path, shard_path, write_fates
from nativize.recipe import Vocabulary
from nativize.vocabulary import merge_vocabulary, train_base_tokenizer, train_tokenizer

JAPANESE = (
    ("東京", "京都", "北海道", "小さな町", "図書館", "港の市場"),
    ("では、", "には、", "の近くで、"),
    ("春になると", "夏の朝に", "秋の夕方に", "冬の夜に"),
    ("桜が咲き", "魚が並び", "子どもが歌い", "雪が静かに降り"),
    ("ます。", "ました。", "始めます。"),
)
ENGLISH = (
    ("The old library", "A small harbour", "Every market town", "The northern railway"),
    (" near the river", " behind the hill", " of the city"),
    (" opens", " was built", " is visited"),
    (" in spring", " after the long winter", " before 1923", " on the 14th of May"),
    (" by people who like books.", " – they say “again”.", " for children and travellers."),
)


def sentences(parts: tuple[tuple[str, ...], ...]) -> list[str]:
    return ["".join(words) for words in product(*parts)]


LOST = "♞ This document lost to a better one and must never be read. ♞"
FREQUENT = "♞ cookies © ♞\n"
"""A line that is cut out of the documents it stands in."""


def documents(parts: tuple[tuple[str, ...], ...]) -> list[str]:
    """Twelve sentences a document; the last two documents are those that are held out."""
    lines = sentences(parts)
    lines = [lines[number * 37 % len(lines)] for number in range(len(lines))]
    return ["\n".join(lines[start : start + 12]) for start in range(0, len(lines), 12)]


def write_corpus(directory: Path, parts: tuple[tuple[str, ...], ...]) -> Path:
    """A corpus of three shards, the first with two documents held out.

    In every shard stand a lost document and one with a line that is cut; neither is ever read.
    """
    texts = documents(parts)
    for shard in range(3):
        kept = [("train", text) for text in texts[shard:-2:3]]
        if shard == 0:
            kept[1:1] = [("heldout", text) for text in texts[-2:]]
        first = [(kept[0][0], FREQUENT + kept[0][1]), ("near_duplicate", LOST)]
        write_shard(directory, f"part-{shard}", first + kept[1:])
    return directory


def write_shard(corpus: Path, name: str, documents: Sequence[tuple[str, str]]) -> None:
    """A shard of (fate, text), where the frequent line is cut out of the texts it begins."""
    path = shard_path(corpus, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = [f"{name}-{number}" for number in range(len(documents))]
    fates, texts = zip(*documents, strict=True)
    parquet.write_table(pyarrow.table({"id": ids, "text": list(texts)}), path)
    cut = [0, len(FREQUENT.encode())]
    cuts = [cut if text.startswith(FREQUENT) else [] for text in texts]
    write_fates(fates_path(corpus, name), fates, cuts)


def write_base(directory: Path) -> Path:
    """The tokenizer of a base of LLaMA's class."""
    train_base_tokenizer(sentences(ENGLISH), directory / "tokenizer.model", size=400)
    return directory


def write_vocabulary(directory: Path, base: Path, new: Path, old: Path) -> Path:
    """``tokenizer`` and ``merged`` in a directory; returns the merged one."""
    recipe = Vocabulary(size=160, pad_to_multiple=64)
    with standalone(directory / "tokenizer") as place:
        train_tokenizer(new, place, vocabulary=recipe)
    with standalone(directory / "merged") as place:
        merge_vocabulary(base, directory / "tokenizer", new, old, place, vocabulary=recipe)
    return directory / "merged"


def write_workshop(root: Path) -> None:
    """Both corpora, a base, its tokenizer and the merged vocabulary below ``root``."""
    write_corpus(root / "new", JAPANESE)
    write_corpus(root / "old", ENGLISH)
    write_base(root / "base")
    write_vocabulary(root, root / "base", root / "new", root / "old")
