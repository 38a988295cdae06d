"""The stage: sign every shard, decide over all documents together, write down who stays.

The result is a function of the set of documents: neither the order of shards nor the number of
workers, nor what an earlier run left, changes a byte. Signatures are kept by shard, exact
similarities by pair of texts, and no text is ever written again (`nativize.dedup.corpus`).
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Accounts, Count, Report, ShardTask, Workplace, file_digests
from nativize.dedup.buckets import BucketRule
from nativize.dedup.clusters import (
    EXACT,
    KEPT,
    NEAR,
    URL,
    Clusters,
    cluster_table,
    decide,
    families,
    held_out,
)
from nativize.dedup.corpus import FATES, SHARDS, write_fates
from nativize.dedup.documents import Documents, read_documents
from nativize.dedup.known import KnownPairs
from nativize.dedup.near import Comparison
from nativize.dedup.shown import show
from nativize.dedup.sign import Signing, sign_shard
from nativize.dedup.stored import StoredTexts
from nativize.engine import CorpusEngine, LocalEngine
from nativize.errors import CorpusError
from nativize.recipe import Dedup, Language

log = logging.getLogger(__name__)

MEMORY = "memory/pairs.parquet"
"""What a refresh need not compare again; no content of the corpus."""
TRAIN, HELDOUT = "train", "heldout"
REASONS = {URL: "url_duplicate", EXACT: "exact_duplicate", NEAR: "near_duplicate"}


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
        place: gets shards/, fates/, clusters.parquet and report/.
        language: says what a shingle is made of.
        dedup: the recipe's section.
        buckets: which documents go on by their bucket; None keeps all.
        engine: where shard functions run.
    Raises:
        CorpusError: no document is left, or two have the same id.
    """
    engine = engine or LocalEngine()
    shards = [scored / name for name in file_digests(scored, ".parquet")]
    signing = Signing(language, dedup, buckets)
    signed, documents = _sign(scored, shards, signing, place, engine)
    known = KnownPairs.read(place.previous and place.previous / MEMORY)
    texts = StoredTexts(documents, engine, place.scratch / "texts")
    comparison = Comparison(documents, signing, engine, texts, known)
    clusters = decide(documents, comparison)
    together = families(documents, clusters)
    heldout = held_out(documents, clusters, together, dedup.heldout_share, dedup.seed)
    fates = _fates(clusters, heldout)
    _write_shards(documents, fates, place)
    table = cluster_table(documents, clusters, together)
    pq.write_table(table, place.out / "clusters.parquet", compression="zstd")
    comparison.remembered().write(place.out / MEMORY)
    show(documents, signing, table, place, engine)
    decided = _accounts(documents, fates)
    accounts = Accounts.total([Accounts(signed.entered, dropped=signed.dropped), decided])
    return Report(_metrics(fates, table, clusters, comparison), accounts)


def _sign(
    scored: Path,
    shards: Sequence[Path],
    signing: Signing,
    place: Workplace,
    engine: CorpusEngine,
) -> tuple[Accounts, Documents]:
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
    return accounts, read_documents(step.out, shards)


def _fates(clusters: Clusters, heldout: NDArray[np.bool_]) -> NDArray[np.str_]:
    """What becomes of each signed document, in words."""
    words = np.array([TRAIN, *(REASONS[kind] for kind in (URL, EXACT, NEAR))])
    return np.where(heldout & (clusters.fates == KEPT), HELDOUT, words[clusters.fates])


def _write_shards(documents: Documents, fates: NDArray[np.str_], place: Workplace) -> None:
    """The shards as they are, and the fates of all their rows."""
    (place.out / FATES).mkdir()
    rows = documents.column("row").astype(np.int64)
    for number, shard in enumerate(documents.shards):
        place.link(shard, place.out / SHARDS / shard.name)
        here = slice(documents.begins[number], documents.begins[number + 1])
        of_rows = _bucket_fates(shard)
        of_rows[rows[here]] = fates[here]
        write_fates(place.out / FATES / shard.name, pa.array(of_rows.tolist(), pa.string()))


def _bucket_fates(shard: Path) -> NDArray[np.object_]:
    """The fate of documents that were not even signed: lost by their bucket."""
    if "bucket" not in pq.read_schema(shard).names:
        return np.full(pq.read_metadata(shard).num_rows, "", object)
    buckets = pq.read_table(shard, columns=["bucket"])["bucket"].to_pylist()
    return np.array([f"bucket:{bucket}" for bucket in buckets], object)


def _accounts(documents: Documents, fates: NDArray[np.str_]) -> Accounts:
    characters, sizes = documents.column("characters"), documents.column("bytes")
    accounts = Accounts()
    for fate in np.unique(fates).tolist():
        mask = fates == fate
        count = Count(int(mask.sum()), int(characters[mask].sum()), int(sizes[mask].sum()))
        if fate in (TRAIN, HELDOUT):
            accounts.kept += count
        else:
            accounts.dropped[fate] = count
    return accounts


def _metrics(
    fates: NDArray[np.str_], table: pa.Table, clusters: Clusters, comparison: Comparison
) -> dict[str, Any]:
    dedup, banding = comparison.signing.dedup, comparison.signing.banding()
    names, counts = np.unique(fates, return_counts=True)
    number = dict(zip(names.tolist(), counts.tolist(), strict=True))
    by_text = table.filter(pc.not_equal(table["kind"], "url"))
    sizes = by_text.group_by("cluster").aggregate([("id", "count")])["id_count"].to_numpy()
    return {
        "train_documents": number.get(TRAIN, 0),
        "heldout_documents": number.get(HELDOUT, 0),
        **{f"{reason}s": number.get(reason, 0) for reason in REASONS.values()},
        "clusters": len(sizes),
        "largest_cluster": int(max(sizes, default=1)),
        "candidate_pairs": clusters.candidates,
        "compared_pairs": comparison.compared,
        "bands": banding.bands,
        "rows": banding.rows,
        "detection_at_threshold": round(banding.detection(dedup.threshold), 4),
    }
