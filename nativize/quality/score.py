"""Scores filtered shards: perplexity and bucket of every document; none is dropped here."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nativize.artifact import (
    REPORT,
    Accounts,
    Report,
    ShardTask,
    Workplace,
    file_digests,
    shard_counts,
)
from nativize.crawl.document import DocumentFile
from nativize.engine import CorpusEngine, LocalEngine
from nativize.quality.model import BUCKET_NAMES, BUCKETS, MODEL, Buckets, Scorer
from nativize.quality.picture import draw_perplexities

log = logging.getLogger(__name__)

BATCH_ROWS = 256


def score_shards(
    filtered: Path, model: Path, place: Workplace, *, engine: CorpusEngine | None = None
) -> Report:
    """Every shard with the columns perplexity (float32) and bucket (head, middle or tail).

    Args:
        filtered: directory of filtered shards.
        model: directory of the quality model.
        place: gets the scored shards and report/perplexity.png.
        engine: where shards are scored.
    Raises:
        ArtifactError: the quality model is missing or cannot be read.
    """
    buckets = Buckets.read(model)
    shards, models = file_digests(filtered, ".parquet"), file_digests(model)
    fitted = {name: models[name] for name in (MODEL, BUCKETS)}
    tasks = [
        ShardTask(Path(name).stem, {"shard": digest, "model": fitted}, (filtered / name, model))
        for name, digest in shards.items()
    ]
    reports = place.shards.build(engine or LocalEngine(), score_shard, tasks, place.out)
    draw_perplexities(
        _perplexities([place.out / name for name in shards]),
        buckets,
        place.out / REPORT / "perplexity.png",
    )
    shares = {name: sum(report.metrics[name] for report in reports) for name in BUCKET_NAMES}
    accounts = Accounts.total(report.accounts for report in reports if report.accounts)
    documents = {f"{name}_documents": count for name, count in shares.items()}
    return Report({**shard_counts(reports), **documents}, accounts)


def score_shard(shard: Path, model: Path, out: Path) -> Report:
    """One scored shard of the same name; how many documents each bucket has."""
    buckets = Buckets.read(model)
    scorer = Scorer.open(model / MODEL, buckets.unit)
    accounts = Accounts()
    counts = dict.fromkeys(BUCKET_NAMES, 0)
    with (
        pq.ParquetFile(shard) as source,
        DocumentFile(out / shard.name, scored_schema(source.schema_arrow)) as target,
    ):
        for batch in source.iter_batches(BATCH_ROWS):
            for row in batch.to_pylist():
                accounts.enter(row["text"])
                perplexity = scorer.perplexity(row["text"])
                bucket = buckets.of(perplexity)
                target.add({**row, "perplexity": perplexity, "bucket": bucket})
                counts[bucket] += 1
                accounts.keep(row["text"])
    return Report(counts, accounts)


def scored_schema(filtered: pa.Schema) -> pa.Schema:
    """The schema of filtered documents with perplexity and bucket."""
    perplexity = pa.field("perplexity", pa.float32(), nullable=False)
    return filtered.append(perplexity).append(pa.field("bucket", pa.string(), nullable=False))


def _perplexities(shards: Sequence[Path]) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    columns = [pq.read_table(path, columns=["perplexity"])["perplexity"] for path in shards]
    return np.concatenate([np.empty(0, np.float32), *(column.to_numpy() for column in columns)])
