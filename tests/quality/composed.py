"""Composed Japanese, filtered shards of it, and models really fitted to them."""

import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nativize.artifact import standalone
from nativize.crawl.document import SCHEMA
from nativize.engine import LocalEngine
from nativize.quality import train_quality_model
from nativize.recipe import Language, Quality

JAPANESE = Language(code="ja")
FILTERED = SCHEMA.append(pa.field("language_score", pa.float32(), nullable=False))

SUBJECTS = [
    "私たち",
    "彼女",
    "学生",
    "先生",
    "町の人々",
    "祖父",
    "研究者",
    "子ども",
    "旅人",
    "隣の家族",
]
TIMES = [
    "朝早く",
    "昨日",
    "夏になると",
    "毎晩",
    "雨の日には",
    "休みの日に",
    "久しぶりに",
    "春の終わりに",
]
OBJECTS = [
    "古い本",
    "温かいお茶",
    "新しい地図",
    "小さな箱",
    "美しい写真",
    "長い手紙",
    "赤い傘",
    "甘い果物",
]
VERBS = [
    "読んでいました。",
    "探していました。",
    "大切にしています。",
    "友人に見せました。",
    "机に置きました。",
]


def sentence(generator: random.Random) -> str:
    """A plain Japanese sentence."""
    return (
        f"{generator.choice(TIMES)}、{generator.choice(SUBJECTS)}は"
        f"{generator.choice(OBJECTS)}を{generator.choice(VERBS)}"
    )


def shuffled(text: str, seed: int) -> str:
    """The same characters in no order."""
    characters = list(text)
    random.Random(seed).shuffle(characters)
    return "".join(characters)


def article(seed: int) -> str:
    """Three lines of four sentences."""
    generator = random.Random(seed)
    return "\n".join("".join(sentence(generator) for _ in range(4)) for _ in range(3))


def write_shard(path: Path, documents: Sequence[tuple[str, str, str]]) -> None:
    """A filtered shard of (id, source, text)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": identifier, "text": text, "url": "", "source": source, "licence": "CC0-1.0",
            "fetched_at": "", "language": "ja", "file": path.name, "offset": 0, "length": 1,
            "sha256": "", "language_score": 1.0,
        }
        for identifier, source, text in documents
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=FILTERED), path)


def fit(filtered: Path, out: Path, **changes: object) -> None:
    """A quality model of the fixture's corpus in ``out``."""
    quality = Quality.model_validate(
        {"order": 4, "reference_sources": ("encyclopedia",), **changes}
    )
    with standalone(out) as place:
        train_quality_model(
            filtered, place, language=JAPANESE, quality=quality, engine=LocalEngine(1)
        )
