"""A small Japanese and a small English corpus, composed from words by counting."""

from itertools import product
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet

from nativize.artifact import standalone
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


def write_corpus(directory: Path, parts: tuple[tuple[str, ...], ...]) -> Path:
    """A corpus of three training shards and one held-out shard, twelve sentences a document."""
    lines = sentences(parts)
    lines = [lines[number * 37 % len(lines)] for number in range(len(lines))]
    documents = ["\n".join(lines[start : start + 12]) for start in range(0, len(lines), 12)]
    for shard in range(3):
        write_shard(directory / "train" / f"part-{shard}.parquet", documents[shard:-2:3])
    write_shard(directory / "heldout" / "part-0.parquet", documents[-2:])
    return directory


def write_shard(path: Path, texts: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [f"{path.stem}-{number}" for number in range(len(texts))]
    parquet.write_table(pyarrow.table({"id": names, "text": texts}), path)


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
