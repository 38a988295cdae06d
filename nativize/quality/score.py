"""Scores filtered shards: perplexity and bucket of every document; none is dropped here."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import (
    REPORT,
    Accounts,
    Report,
    ShardTask,
    Workplace,
    file_digests,
    shard_counts,
    throughput,
    write_json,
)
from nativize.crawl.document import count_of, open_writer
from nativize.engine import CorpusEngine, LocalEngine
from nativize.quality.model import BUCKET_NAMES, BUCKETS, MODEL, Buckets, Scorer
from nativize.quality.picture import draw_perplexities
from nativize.quality.pieces import PIECES
from nativize.quality.summary import Summary

SUMMARY_VERSION = 2
"""Part of a shard's identity: a shard made without this summary is made again."""


def score_shards(
    filtered: Path, model: Path, place: Workplace, *, engine: CorpusEngine | None = None
) -> Report:
    """Every shard with the columns perplexity (float32) and bucket (head, middle or tail).

    Args:
        filtered: directory of filtered shards.
        model: directory of the quality model.
        place: gets the scored shards, report/perplexity.png and report/samples.json.
        engine: where shards are scored.
    Raises:
        ArtifactError: the quality model is missing or cannot be read.
    """
    buckets = Buckets.read(model)
    shards, models = file_digests(filtered, ".parquet"), file_digests(model)
    fitted = {name: models[name] for name in (MODEL, BUCKETS, PIECES) if name in models}
    tasks = [
        ShardTask(
            Path(name).stem,
            {"shard": digest, "model": fitted, "summary": SUMMARY_VERSION},
            (filtered / name, model),
        )
        for name, digest in shards.items()
    ]
    reports = place.shards.build(engine or LocalEngine(), score_shard, tasks, place.out)
    summary = Summary.total(report.metrics["summary"] for report in reports)
    draw_perplexities(summary, buckets, place.out / REPORT / "perplexity.png")
    write_json(place.out / REPORT / "samples.json", summary.sample_table())
    accounts = Accounts.total(report.accounts for report in reports if report.accounts)
    documents = {f"{name}_documents": summary.documents[name] for name in BUCKET_NAMES}
    speed = throughput(_work(reports))
    return Report({**shard_counts(reports), **documents, **speed}, accounts)


def _work(reports: Sequence[Report]) -> Iterator[tuple[int, float]]:
    """Bytes of text and processor seconds of the shards that were scored now."""
    for report in reports:
        if report.accounts and not report.metrics["shard_reused"]:
            yield report.accounts.entered.bytes, report.metrics["score_seconds"]


def score_shard(shard: Path, model: Path, out: Path) -> Report:
    """One scored shard of the same name; what of it a person wants to see.

    A table passes through with two columns more, one row group in memory at a time: only the
    texts become Python strings.
    """
    started = time.process_time()
    buckets = Buckets.read(model)
    scorer = Scorer.open(model, buckets.unit)
    accounts, summary = Accounts(), Summary()
    with pq.ParquetFile(shard) as source:
        groups = range(source.num_row_groups)
        if not source.metadata.num_rows:
            return Report({"summary": summary.to_json(), "score_seconds": 0.0}, accounts)
        schema = scored_schema(source.schema_arrow)
        with open_writer(out / shard.name, schema, small_pages=True) as target:
            for table in map(source.read_row_group, groups):
                accounts.entered += count_of(table["text"])
                perplexities = scorer.perplexities(table["text"].to_pylist())
                numbers = buckets.of(perplexities)
                summary.add(table, perplexities, numbers)
                scored = _with_scores(table, perplexities, numbers)
                target.write_table(scored)
                accounts.kept += count_of(scored["text"])
    seconds = time.process_time() - started
    return Report({"summary": summary.to_json(), "score_seconds": seconds}, accounts)


def scored_schema(filtered: pa.Schema) -> pa.Schema:
    """The schema of filtered documents with perplexity and bucket."""
    perplexity = pa.field("perplexity", pa.float32(), nullable=False)
    return filtered.append(perplexity).append(pa.field("bucket", pa.string(), nullable=False))


def _with_scores(
    table: pa.Table, perplexities: NDArray[np.float64], numbers: NDArray[np.int64]
) -> pa.Table:
    added = [
        pa.array(perplexities.astype(np.float32)),
        pa.array(BUCKET_NAMES).take(pa.array(numbers)),
    ]
    schema = scored_schema(table.schema)
    columns = [column.combine_chunks() for column in table.columns]
    return pa.Table.from_arrays([*columns, *added], schema=schema)
