"""Composed corpora with planted copies, and what deduplication makes of them."""

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nativize.artifact import Artifact, ArtifactStore, Inputs, Report, Stage, standalone
from nativize.crawl.document import SCHEMA, open_writer
from nativize.dedup import DEDUPLICATE, BucketRule, deduplicate
from nativize.dedup.corpus import (
    SPLITS,
    Split,
    read_fates,
    read_shard,
    shard_names,
    shard_path,
)
from nativize.engine import LocalEngine
from nativize.recipe import Dedup, Language

KANA = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
)
JAPANESE = Language(code="ja")
PERPLEXITY, BUCKET = pa.field("perplexity", pa.float32()), pa.field("bucket", pa.string())
SCORED = SCHEMA.append(PERPLEXITY).append(BUCKET)


def text_of(seed: int, characters: int = 400) -> str:
    """Random kana: two of them are never near each other."""
    return "".join(random.Random(seed).choices(KANA, k=characters))


def edited(text: str, edits: int) -> str:
    """The text with single characters replaced, evenly spread; each costs five shingles."""
    characters = list(text)
    for number in range(edits):
        characters[(2 * number + 1) * len(characters) // (2 * edits)] = "漢"
    return "".join(characters)


def document(identifier: str, text: str, **changes: Any) -> dict[str, Any]:
    """A scored document."""
    return {
        "id": identifier, "text": text, "url": "", "source": "web", "licence": "CC0-1.0",
        "fetched_at": "", "language": "ja", "file": "", "offset": 0, "length": 1,
        "sha256": "", "perplexity": 3.0, "bucket": "head", **changes,
    }  # fmt: skip


def planted() -> list[dict[str, Any]]:
    """100 texts of their own, 10 exact and 10 near copies of the first twenty."""
    documents = [document(f"own-{number:03d}", text_of(number)) for number in range(100)]
    documents += [document(f"exact-{number:03d}", f" {text_of(number)}\n") for number in range(10)]
    documents += [
        document(f"near-{number:03d}", edited(text_of(number), 4)) for number in range(10, 20)
    ]
    return documents


def write_shards(
    directory: Path,
    documents: Sequence[Mapping[str, Any]],
    shards: int = 3,
    schema: pa.Schema = SCORED,
) -> Path:
    """The documents dealt out to shards, as scoring writes them."""
    directory.mkdir(parents=True)
    for number in range(shards):
        table = pa.Table.from_pylist(list(documents[number::shards]), schema=schema)
        with open_writer(
            directory / f"web-{number:05d}.parquet", schema, small_pages=True
        ) as shard:
            shard.write_table(table)
    return directory


def run(
    scored: Path, out: Path, *, workers: int = 1, buckets: BucketRule | None = None, **dedup: Any
) -> Report:
    """The stage with a recipe's settings changed."""
    with standalone(out) as place:
        return deduplicate(
            scored,
            place,
            language=JAPANESE,
            dedup=Dedup(**dedup),
            buckets=buckets,
            engine=LocalEngine(workers),
        )


def ids(out: Path, *splits: Split) -> set[str]:
    """Ids of all documents of some splits of a corpus, of both where none is named."""
    return {
        identifier
        for split in splits or SPLITS
        for name in shard_names(out)
        for batch in read_shard(out, name, split, ["id"])
        for identifier in batch["id"].to_pylist()
    }


def kept_texts(out: Path) -> dict[str, str]:
    """Id → text of all documents of a corpus, without what is cut out of them."""
    batches = [
        batch
        for split in SPLITS
        for name in shard_names(out)
        for batch in read_shard(out, name, split, ["id", "text"])
    ]
    return {row["id"]: row["text"] for batch in batches for row in batch.to_pylist()}


def survivors(out: Path) -> set[str]:
    return ids(out)


def fates(out: Path) -> dict[str, str]:
    """What became of each document."""
    return {
        identifier: fate
        for name in shard_names(out)
        for identifier, fate in zip(
            pq.read_table(shard_path(out, name))["id"].to_pylist(),
            read_fates(out, name)["fate"].to_pylist(),
            strict=True,
        )
    }


def numbered(prefix: str, numbers: Iterable[int]) -> set[str]:
    return {f"{prefix}-{number:03d}" for number in numbers}


def materialise(
    root: Path,
    scored: Path,
    state: str,
    workers: int = 1,
    *,
    dedup: Dedup | None = None,
    stage: Stage = DEDUPLICATE,
    pictures: bool = True,
) -> Artifact:
    """The corpus of some shards in a store, after whatever the store has already."""
    return ArtifactStore(root, "test").materialise(
        stage,
        {},
        Inputs(outside={"scored": state}),
        lambda place: deduplicate(
            scored,
            place,
            language=JAPANESE,
            dedup=dedup or Dedup(),
            buckets=None,
            directory=scored,
            engine=LocalEngine(workers),
            pictures=pictures,
        ),
    )
