"""One shard's share of deduplication: signatures of all its documents, shingle sets of some.

Signatures are small (about 200 bytes a document) and kept per shard, so that a refresh signs new
shards only. Shingle sets have 8 bytes a shingle and are made for candidates alone.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Accounts, Report
from nativize.crawl.document import count_of
from nativize.dedup import kernel
from nativize.dedup.buckets import BucketRule
from nativize.dedup.fold import fold_all
from nativize.recipe import Dedup, Language

READ_COLUMNS = ("id", "text", "source", "fetched_at", "perplexity", "bucket")


@dataclass(frozen=True)
class Signing:
    """The settings that a signature depends on."""

    by_words: bool
    length: int
    bands: int
    rows: int
    seed: int
    buckets: BucketRule | None

    @classmethod
    def of(cls, language: Language, dedup: Dedup, buckets: BucketRule | None) -> "Signing":
        # syllables are words to the kernel: what parts them is punctuation
        by_words = language.shingle != "characters"
        return cls(by_words, dedup.shingle_length, dedup.bands, dedup.rows, dedup.seed, buckets)


def sign_shard(path: Path, signing: Signing, out: Path) -> Report:
    """``<shard>.signatures.parquet`` and ``<shard>.bands.npy`` for the documents worth keeping.

    Documents that their bucket keeps back are dropped here, before anything is hashed.
    """
    present = [name for name in READ_COLUMNS if name in pq.read_schema(path).names]
    table = pq.read_table(path, columns=present)
    accounts = Accounts(entered=count_of(table["text"]))
    rows = _rows_to_keep(table, path, signing.buckets, accounts)
    table = table.take(rows)
    accounts.kept = count_of(table["text"])
    folded = fold_all(text.as_py() for text in table["text"])
    bands, shingled = kernel.band_hashes(
        folded, by_words=signing.by_words, length=signing.length,
        bands=signing.bands, rows=signing.rows, seed=signing.seed,
    )  # fmt: skip
    exact = _digests(folded)
    signatures = {
        "id": table["id"],
        "row": rows,
        "characters": pc.cast(pc.utf8_length(table["text"]), pa.int64()),
        "fetched_at": table["fetched_at"],
        "perplexity": _perplexities(table),
        "exact_high": exact[:, 0],
        "exact_low": exact[:, 1],
        "shingled": shingled,
    }
    pq.write_table(pa.table(signatures), out / f"{path.stem}.signatures.parquet")
    np.save(out / f"{path.stem}.bands.npy", bands, allow_pickle=False)
    return Report({}, accounts)


def shingle_shard(path: Path, rows: NDArray[np.int64], signing: Signing, out: Path) -> None:
    """Shingle sets of some rows of a shard, as ``out`` + .hashes.npy and .offsets.npy."""
    texts = pq.read_table(path, columns=["text"])["text"].take(pa.array(rows))
    hashes, offsets = kernel.shingle_sets(
        fold_all(text.as_py() for text in texts), by_words=signing.by_words, length=signing.length
    )
    np.save(out.with_suffix(".hashes.npy"), hashes, allow_pickle=False)
    np.save(out.with_suffix(".offsets.npy"), offsets, allow_pickle=False)


def _rows_to_keep(
    table: pa.Table, path: Path, buckets: BucketRule | None, accounts: Accounts
) -> NDArray[np.int64]:
    kept = np.ones(len(table), bool)
    if buckets:
        for bucket, mask in buckets.dropped(table, str(path)):
            if mask.any():
                dropped = table["text"].filter(pa.array(mask))
                accounts.dropped[f"bucket:{bucket}"] = count_of(dropped)
                kept &= ~mask
    return np.flatnonzero(kept).astype(np.int64)


def _perplexities(table: pa.Table) -> NDArray[np.float32]:
    """Infinite where there are none, so that any known one is better."""
    if "perplexity" not in table.column_names:
        return np.full(len(table), np.inf, np.float32)
    filled = pc.fill_null(table["perplexity"], float("inf")).to_numpy()
    return np.asarray(filled, np.float32)


def _digests(folded: pa.Array) -> NDArray[np.uint64]:
    """128 bits of BLAKE2 of every text, as two columns."""
    data, offsets = kernel.string_buffers(folded)
    view = data.data
    digests = b"".join(
        hashlib.blake2b(view[offsets[at] : offsets[at + 1]], digest_size=16).digest()
        for at in range(len(folded))
    )
    return np.frombuffer(digests, "<u8").reshape(-1, 2)
