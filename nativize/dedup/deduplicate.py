"""The stage: sign every shard, decide over all documents together, write down who stays.

The result is a function of the set of documents: neither the order of shards nor the number of
workers, nor what an earlier run left, changes a byte. Signatures are kept by shard, clusters with
the similarities in them, and no text is ever written again (`nativize.dedup.corpus`).
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Accounts, Count, Report, ShardTask, Workplace, file_digests
from nativize.dedup.buckets import BucketRule
from nativize.dedup.clusters import (
    CONTAMINATED,
    EMPTIED,
    EXACT,
    KEPT,
    KINDS,
    NEAR,
    URL,
    Clusters,
    Families,
    cluster_table,
    decide,
    families,
    held_out,
)
from nativize.dedup.contamination import Contamination, contaminated
from nativize.dedup.corpus import FATES, SHARDS, write_fates
from nativize.dedup.documents import Documents, Mask, read_documents
from nativize.dedup.evaluation_sets import read_evaluation_sets
from nativize.dedup.frequent_lines import LineCuts, frequent_line_cuts
from nativize.dedup.joined import Joined, joining_identity
from nativize.dedup.known import KnownPairs
from nativize.dedup.near import Comparison
from nativize.dedup.shown import show, show_tables
from nativize.dedup.sign import Signing, sign_shard
from nativize.dedup.stored import StoredTexts
from nativize.engine import CorpusEngine, LocalEngine
from nativize.errors import CorpusError
from nativize.recipe import Dedup, Language

log = logging.getLogger(__name__)

MEMORY, PAIRS = "memory", "pairs"
"""What a refresh need not find again; no content of the corpus."""
REASONS = {
    URL: "url_duplicate", EXACT: "exact_duplicate", NEAR: "near_duplicate",
    CONTAMINATED: "contaminated", EMPTIED: "frequent_lines",
}  # fmt: skip
HELDOUT = len(KINDS)
WORDS = ["train", *REASONS.values(), "heldout"]
"""What each fate is called in the corpus."""


def deduplicate(
    scored: Path,
    place: Workplace,
    *,
    language: Language,
    dedup: Dedup,
    buckets: BucketRule | None,
    directory: Path | None = None,
    engine: CorpusEngine | None = None,
    pictures: bool = True,
) -> Report:
    """One document of every cluster, split by cluster into train and held-out.

    Args:
        scored: directory of shards; perplexity and bucket may be missing.
        place: gets shards/, fates/, clusters.parquet and report/.
        language: says what a shingle is made of.
        dedup: the recipe's section.
        buckets: which documents go on by their bucket; None keeps all.
        directory: the recipe's; globs of evaluation sets are relative to it.
        engine: where shard functions run.
        pictures: draw them and look for examples; 0.7 s, however large the corpus is.
    Raises:
        CorpusError: no document is left, or two have the same id.
    """
    engine = engine or LocalEngine()
    signing = Signing(language, dedup, buckets)
    signed, documents = _sign(scored, signing, place, engine)
    contamination = _contamination(documents, signing, directory or Path(), place, engine)
    clusters, compared = _decide(documents, signing, contamination.mask, place, engine)
    cuts = _line_cuts(documents, clusters, signing, place, engine)
    clusters.fates[cuts.emptied] = EMPTIED
    together = families(documents, clusters.like)
    heldout = held_out(documents, clusters, together, dedup.heldout_share, dedup.seed)
    fates = _fates(clusters, heldout)
    _write_shards(documents, fates, cuts, place)
    table = cluster_table(documents, clusters, together)
    pq.write_table(
        table, place.out / "clusters.parquet", compression="zstd", use_dictionary=["kind"],
        write_statistics=False,
    )  # fmt: skip
    show_tables(place, contamination, cuts)
    if pictures:
        show(documents, signing, table, place, engine)
    decided = _accounts(documents, fates, cuts)
    accounts = Accounts.total([Accounts(signed.entered, dropped=signed.dropped), decided])
    metrics = _metrics(fates, together, signing) | {
        "candidate_pairs": clusters.candidates,
        "compared_pairs": compared,
        "frequent_lines": cuts.lines,
        "documents_with_cut_lines": cuts.cut.documents,
    }
    return Report(metrics, accounts)


def _sign(
    scored: Path, signing: Signing, place: Workplace, engine: CorpusEngine
) -> tuple[Accounts, Documents]:
    digests = file_digests(scored, ".parquet")
    shards = [scored / name for name in digests]
    step = place.step("signatures")
    tasks = [
        ShardTask(
            shard.stem,
            {"shard": digests[shard.name], "signing": signing.identity()},
            (shard, signing),
        )
        for shard in shards
    ]
    reports = step.shards.build(engine, sign_shard, tasks, step.out)
    books = [report.accounts or Accounts() for report in reports]
    accounts = Accounts.total(books)
    if not accounts.kept.documents:
        raise CorpusError(
            f"{scored}: no document to deduplicate ({accounts.entered.documents} entered,"
            f" dropped: {sorted(accounts.dropped)}); loosen [clean] or [quality] bucket_shares"
        )
    return accounts, read_documents(step.out, shards, list(digests.values()), books)


def _contamination(
    documents: Documents,
    signing: Signing,
    directory: Path,
    place: Workplace,
    engine: CorpusEngine,
) -> Contamination:
    wanted = signing.dedup.decontamination
    if wanted is None:
        return Contamination.nothing(len(documents))
    sets = read_evaluation_sets(wanted, directory, signing.shingling())
    return contaminated(documents, signing, sets, place, engine)


def _decide(
    documents: Documents,
    signing: Signing,
    contaminated: Mask,
    place: Workplace,
    engine: CorpusEngine,
) -> tuple[Clusters, int]:
    """Who survives, and how many pairs were compared; what a refresh may remember is written."""
    memory = place.previous and place.previous / MEMORY
    joined = Joined.read(memory, joining_identity(signing, place.shards.identity))
    # a pair that another threshold gave up may be above this one
    known = KnownPairs.read(memory / PAIRS if memory and joined.shards else None)
    texts = StoredTexts(documents, engine, place.scratch / "texts")
    comparison = Comparison(documents, signing, engine, texts, known, joined)
    clusters = decide(documents, comparison, contaminated)
    comparison.remember(clusters.near, place.out / MEMORY / PAIRS)
    clusters.joined.write(place.out / MEMORY)
    return clusters, comparison.compared


def _line_cuts(
    documents: Documents,
    clusters: Clusters,
    signing: Signing,
    place: Workplace,
    engine: CorpusEngine,
) -> LineCuts:
    lines = signing.dedup.lines
    if lines is None:
        return LineCuts.nothing(len(documents))
    return frequent_line_cuts(documents, clusters.fates == KEPT, signing, lines, place, engine)


def _fates(clusters: Clusters, heldout: Mask) -> NDArray[np.int8]:
    """What becomes of each signed document, as its place in `WORDS`."""
    fates = clusters.fates.copy()
    fates[heldout & (fates == KEPT)] = HELDOUT
    return fates


def _write_shards(
    documents: Documents, fates: NDArray[np.int8], cuts: LineCuts, place: Workplace
) -> None:
    """The shards as they are, the fates of all their rows, and what is cut out of them."""
    (place.out / FATES).mkdir()
    for number, shard in enumerate(documents.shards):
        place.link(shard, place.out / SHARDS / shard.name)
        begin, end = documents.begins[number : number + 2]
        rows = documents.of_shard("row", number)
        of_rows = pa.DictionaryArray.from_arrays(fates[begin:end].astype(np.int32), WORDS)
        if len(rows) < documents.rows[number]:
            of_rows = _with_bucket_fates(of_rows, rows, shard)
        of_cuts = cuts.of_rows(begin, rows, documents.rows[number]) if cuts.lines else None
        write_fates(place.out / FATES / shard.name, of_rows, of_cuts)


def _with_bucket_fates(
    fates: pa.DictionaryArray, rows: NDArray[np.uint32], shard: Path
) -> pa.Array:
    """The fates of all rows of a shard; those that were not signed are lost by their bucket."""
    buckets = pq.read_table(shard, columns=["bucket"])["bucket"].to_pylist()
    of_rows = np.array([f"bucket:{bucket}" for bucket in buckets], object)
    of_rows[rows] = fates.to_pylist()
    return pa.array(of_rows.tolist(), pa.string())


def _accounts(documents: Documents, fates: NDArray[np.int8], cuts: LineCuts) -> Accounts:
    """The books; lines cut out of a document that is kept are lost without a document."""
    counts = [np.bincount(fates, minlength=len(WORDS))]
    for name in ("characters", "bytes"):
        sizes = np.zeros(len(WORDS), np.int64)
        for shard in range(len(documents.shards)):
            here = fates[documents.begins[shard] : documents.begins[shard + 1]]
            # sums of doubles are exact below 2**53 bytes
            sizes += np.bincount(here, documents.of_shard(name, shard), len(WORDS)).astype(np.int64)
        counts.append(sizes)
    accounts = Accounts()
    for fate, count in enumerate(Count(*map(int, some)) for some in zip(*counts, strict=True)):
        if fate in (KEPT, HELDOUT):
            accounts.kept += count
        elif count.documents:
            accounts.dropped[WORDS[fate]] = count
    if cuts.cut.bytes:
        reason, cut = REASONS[EMPTIED], cuts.cut
        part = Count(0, cut.characters, cut.bytes)
        accounts.dropped[reason] = accounts.dropped.get(reason, Count()) + part
        accounts.kept += Count(0, -cut.characters, -cut.bytes)
    return accounts


def _metrics(fates: NDArray[np.int8], together: Families, signing: Signing) -> dict[str, Any]:
    banding, number = signing.banding(), np.bincount(fates, minlength=len(WORDS)).tolist()
    sizes = np.unique(together.first, return_counts=True)[1].tolist()
    return {
        "train_documents": number[KEPT],
        "heldout_documents": number[HELDOUT],
        **{f"{REASONS[kind]}s": number[kind] for kind in (URL, EXACT, NEAR)},
        "contaminated_documents": number[CONTAMINATED],
        "clusters": len(sizes),
        "largest_cluster": int(max(sizes, default=1)),
        "bands": banding.bands,
        "rows": banding.rows,
        "detection_at_threshold": round(banding.detection(signing.dedup.threshold), 4),
    }
