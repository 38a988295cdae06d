"""The stage: sign every shard, find the clusters of the whole, keep one document of each.

The result is a function of the set of documents: neither the order of shards nor the number of
workers changes a byte.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import REPORT, Accounts, Report, ShardTask, Workplace, file_digests
from nativize.crawl.document import count_of, open_writer
from nativize.dedup.buckets import BucketRule
from nativize.dedup.families import (
    Families,
    Signatures,
    cluster_table,
    clusters_of,
    held_out,
    read_signatures,
    representatives,
    survivors_of,
)
from nativize.dedup.picture import detection_probability, draw_detection
from nativize.dedup.sign import Signing, sign_shard
from nativize.dedup.verify import NearPairs, find_near_pairs
from nativize.engine import CorpusEngine, LocalEngine
from nativize.errors import CorpusError
from nativize.recipe import Dedup, Language

log = logging.getLogger(__name__)

TRAIN, HELDOUT, EXACT, NEAR = range(4)
"""What becomes of a document."""
REASONS = {EXACT: "exact_duplicate", NEAR: "near_duplicate"}


def deduplicate(
    scored: Path,
    place: Workplace,
    *,
    language: Language,
    dedup: Dedup,
    buckets: BucketRule | None,
    engine: CorpusEngine | None = None,
) -> Report:
    """One document of every cluster, split by cluster into train and held-out.

    Args:
        scored: directory of shards; perplexity and bucket may be missing.
        place: gets train/, heldout/, clusters.parquet and report/scurve.png.
        language: says what a shingle is made of.
        dedup: the recipe's section.
        buckets: which documents go on by their bucket; None keeps all.
        engine: where shard functions run.
    Raises:
        CorpusError: no document is left, or two have the same id.
    """
    engine = engine or LocalEngine()
    shards = [scored / name for name in file_digests(scored, ".parquet")]
    signing = Signing.of(language, dedup, buckets)
    signed, signatures = _sign(scored, shards, signing, place, engine)
    copy_of = representatives(signatures) if dedup.exact else np.arange(len(signatures))
    near = NearPairs(np.empty((0, 2), np.int64), 0, None)
    if dedup.near:
        near = find_near_pairs(
            signatures, copy_of, shards, signing, dedup.threshold, place.scratch / "sets", engine
        )
    families = _families(signatures, copy_of, near, engine)
    fates = _fates(signatures, families, dedup)
    written = _write_shards(signatures, fates, shards, place.out, engine)
    pq.write_table(
        cluster_table(signatures, families), place.out / "clusters.parquet", compression="zstd"
    )
    draw_detection(dedup, place.out / REPORT / "scurve.png")
    accounts = Accounts.total([Accounts(signed.entered, dropped=signed.dropped), *written])
    return Report(_metrics(fates, families, near, dedup), accounts)


def _sign(
    scored: Path,
    shards: Sequence[Path],
    signing: Signing,
    place: Workplace,
    engine: CorpusEngine,
) -> tuple[Accounts, Signatures]:
    digests = file_digests(scored, ".parquet")
    step = place.step("signatures")
    tasks = [
        ShardTask(shard.stem, {"shard": digests[shard.name]}, (shard, signing)) for shard in shards
    ]
    reports = step.shards.build(engine, sign_shard, tasks, step.out)
    accounts = Accounts.total(report.accounts for report in reports if report.accounts)
    if not accounts.kept.documents:
        raise CorpusError(
            f"{scored}: no document to deduplicate ({accounts.entered.documents} entered,"
            f" dropped: {sorted(accounts.dropped)}); loosen [clean] or [quality] bucket_shares"
        )
    return accounts, read_signatures(step.out, [shard.stem for shard in shards])


def _families(
    signatures: Signatures, copy_of: NDArray[np.int64], near: NearPairs, engine: CorpusEngine
) -> Families:
    cluster = clusters_of(copy_of, near.pairs)
    survivor = survivors_of(cluster, signatures.column("rank"))
    similarity = np.ones(len(signatures))
    if near.sets:
        best = np.unique(copy_of)
        lost = best[survivor[best] != best]
        similarity[lost] = near.sets.jaccard(np.stack([lost, survivor[lost]], axis=1), engine)
    return Families(cluster, copy_of, survivor, similarity[copy_of])


def _fates(signatures: Signatures, families: Families, dedup: Dedup) -> NDArray[np.int8]:
    heldout = held_out(signatures, families, dedup.heldout_share, dedup.seed)
    fates = np.where(families.exact(), EXACT, NEAR)
    return np.where(families.kept(), np.where(heldout, HELDOUT, TRAIN), fates).astype(np.int8)


def _write_shards(
    signatures: Signatures,
    fates: NDArray[np.int8],
    shards: Sequence[Path],
    out: Path,
    engine: CorpusEngine,
) -> list[Accounts]:
    rows, homes = signatures.column("row"), signatures.column("shard")
    for split in ("train", "heldout"):
        (out / split).mkdir()
    calls = []
    for number, shard in enumerate(shards):
        here = np.flatnonzero(homes == number)
        calls.append((shard, rows[here], fates[here], out))
    return engine.map(write_shard, calls, "write")


def write_shard(
    shard: Path, rows: NDArray[np.int64], fates: NDArray[np.int8], out: Path
) -> Accounts:
    """The survivors of one shard in train/ and heldout/ below ``out``, all columns kept."""
    accounts = Accounts()
    with pq.ParquetFile(shard) as source:
        fate_of_row = np.full(source.metadata.num_rows, -1, np.int8)
        fate_of_row[rows] = fates
        schema = source.schema_arrow
        with (
            open_writer(out / "train" / shard.name, schema) as train,
            open_writer(out / "heldout" / shard.name, schema) as heldout,
        ):
            begin = 0
            for group in range(source.num_row_groups):
                table = source.read_row_group(group)
                here = fate_of_row[begin : begin + len(table)]
                begin += len(table)
                for writer, fate in ((train, TRAIN), (heldout, HELDOUT)):
                    _write_kept(writer, table.filter(pa.array(here == fate)), accounts)
                for fate, reason in REASONS.items():
                    lost = table["text"].filter(pa.array(here == fate))
                    if len(lost):
                        _add_dropped(accounts, reason, lost)
    for split in ("train", "heldout"):
        _remove_if_empty(out / split / shard.name)
    return accounts


def _remove_if_empty(path: Path) -> None:
    """A shard without survivors must not change the value."""
    if pq.read_metadata(path).num_rows == 0:
        path.unlink()


def _write_kept(writer: pq.ParquetWriter, table: pa.Table, accounts: Accounts) -> None:
    if len(table):
        writer.write_table(table)
        accounts.kept += count_of(table["text"])


def _add_dropped(accounts: Accounts, reason: str, texts: pa.ChunkedArray) -> None:
    part = Accounts(dropped={reason: count_of(texts)})
    accounts.dropped = Accounts.total([accounts, part]).dropped


def _metrics(
    fates: NDArray[np.int8], families: Families, near: NearPairs, dedup: Dedup
) -> dict[str, Any]:
    sizes = np.bincount(families.cluster)
    return {
        "train_documents": int(np.count_nonzero(fates == TRAIN)),
        "heldout_documents": int(np.count_nonzero(fates == HELDOUT)),
        "exact_duplicates": int(np.count_nonzero(fates == EXACT)),
        "near_duplicates": int(np.count_nonzero(fates == NEAR)),
        "clusters": int(np.count_nonzero(sizes > 1)),
        "largest_cluster": int(sizes.max()),
        "candidate_pairs": near.compared,
        "detection_at_threshold": round(
            detection_probability(dedup.threshold, dedup.bands, dedup.rows), 4
        ),
    }
