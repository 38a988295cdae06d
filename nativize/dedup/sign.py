"""One shard's share of deduplication, made once and kept: what is known of each document.

``<shard>.documents`` and ``<shard>.ids.arrow`` say what is known of each document that its bucket
lets go on (`nativize.dedup.documents`); ``<shard>.bands`` has a row a band, in the order of its
hashes, 8 bytes a document and band, nothing else, for it is opened once a band;
``<shard>.places.npy`` a byte a permutation; ``<shard>.pages`` says where the shard's texts
lie. A refresh makes them for new shards.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Accounts, Count, Report
from nativize.compiled import compiled
from nativize.crawl.document import count_of
from nativize.dedup.banding import Banding
from nativize.dedup.buckets import BucketRule
from nativize.dedup.documents import write_documents
from nativize.dedup.pages import places_in_pages, text_pages
from nativize.dedup.shingles import Shingling, mix
from nativize.dedup.sketch import sign
from nativize.dedup.urls import canonical
from nativize.errors import CorpusError
from nativize.recipe import Dedup, Language, identity
from nativize.texts import Texts

FORMAT = 2
"""Counted up when the same is written otherwise."""
READ_COLUMNS = ("id", "text", "url", "source", "fetched_at", "perplexity", "bucket")
UNKNOWN_DATE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Signing:
    """The settings that a signature depends on; small, for it travels to every worker."""

    language: Language
    dedup: Dedup
    buckets: BucketRule | None

    def identity(self) -> dict[str, object]:
        """What a shard's signatures depend on beside the shard, as plain JSON."""
        banding, dedup = self.banding(), self.dedup
        return {
            "format": FORMAT,
            "shingle": self.language.shingle,
            "shingle_length": dedup.shingle_length,
            "fold": identity(dedup.fold),
            "seed": dedup.seed,
            "permutations": dedup.permutations,
            "bands": [banding.bands, banding.rows],
            "url": dedup.url,
            "buckets": self.buckets.identity() if self.buckets else None,
        }

    def shingling(self) -> Shingling:
        return Shingling.of(self.language, self.dedup)

    def banding(self) -> Banding:
        return Banding.of(self.dedup)


def sign_shard(path: Path, signing: Signing, out: Path) -> Report:
    """The five files of a shard's documents; those that their bucket keeps back are dropped.

    A row group is in memory at a time, and what is known of all documents.
    """
    accounts, pages = Accounts(), text_pages(path)
    with pq.ParquetFile(path) as shard:
        present = [name for name in READ_COLUMNS if name in shard.schema_arrow.names]
        nothing = shard.schema_arrow.empty_table().select(present)
        ids, sizes, first = [pa.array([], pa.string())], [np.empty(0, np.int64)], 0
        parts = [{"row": sizes[0], **_signed(nothing, path, signing)}]
        for group in range(shard.num_row_groups):
            table = shard.read_row_group(group, columns=present)
            sizes.append(pc.binary_length(table["text"]).to_numpy().astype(np.int64))
            rows = _rows_to_keep(table, path, signing.buckets, accounts)
            kept = table.take(rows) if len(rows) < len(table) else table
            ids += kept["id"].cast(pa.string()).chunks
            parts.append({"row": first + rows, **_signed(kept, path, signing)})
            first += len(table)
    signed = {name: np.concatenate([part[name] for part in parts]) for name in parts[-1]}
    signed["place"] = places_in_pages(np.concatenate(sizes), pages)[signed["row"]]
    write_documents(out, path.stem, pa.concat_arrays(ids), signed)
    pages.tofile(out / f"{path.stem}.pages")
    np.save(out / f"{path.stem}.places.npy", signed["places"], allow_pickle=False)
    sorted_bands(signed["bands"], signed["shingled"]).tofile(out / f"{path.stem}.bands")
    return Report({}, accounts)


def _signed(table: pa.Table, path: Path, signing: Signing) -> dict[str, NDArray[Any]]:
    """Of documents of a shard all columns that they do not have by standing where they stand."""
    texts, banding = Texts.of_column(table["text"]), signing.banding()
    signed = sign(
        texts, signing.shingling(), permutations=max(signing.dedup.permutations, banding.values),
        bands=banding.bands, rows=banding.rows,
    )  # fmt: skip
    return {
        "id_hash": hashes_of(Texts.of_column(table["id"])),
        "bytes": np.diff(texts.offsets),
        "characters": texts.characters(),
        "date": _dates(table),
        "perplexity": _perplexities(table),
        "url_hash": _url_hashes(table, path, wanted=signing.dedup.url),
        "digest_high": signed.digests[:, 0],
        "digest_low": signed.digests[:, 1],
        "shingled": signed.shingles > 0,
        "complicated": signed.complicated,
        "places": signed.places,
        "bands": signed.bands,
    }


def sorted_bands(bands: NDArray[np.uint32], shingled: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Of N x B bands B x n entries hash << 32 | number in the shard, of the n with shingles.

    Each row is in order.
    """
    numbers = np.flatnonzero(shingled)
    entries = bands[numbers].T.astype(np.uint64) << np.uint64(32) | numbers.astype(np.uint64)
    entries.sort(axis=1)
    return np.ascontiguousarray(entries)


def hashes_of(texts: Texts) -> NDArray[np.uint64]:
    """64 bits of every text's bytes."""
    hashes = np.empty(len(texts), np.uint64)
    _hash_bytes(texts.data, texts.offsets, hashes)
    return hashes


@compiled
def _hash_bytes(data: Any, offsets: Any, hashes: Any) -> None:
    for text in range(len(hashes)):
        value = np.uint64(offsets[text + 1] - offsets[text])
        for at in range(offsets[text], offsets[text + 1]):
            value = (value ^ np.uint64(data[at])) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(32)
        hashes[text] = mix(value)


def _rows_to_keep(
    table: pa.Table, path: Path, buckets: BucketRule | None, accounts: Accounts
) -> NDArray[np.int64]:
    """Those rows that their bucket lets go on; all are put on the books."""
    kept, entered = np.ones(len(table), bool), count_of(table["text"])
    for bucket, mask in buckets.dropped(table, str(path)) if buckets else ():
        if mask.any():
            dropped = count_of(table["text"].filter(pa.array(mask)))
            reason = f"bucket:{bucket}"
            accounts.dropped[reason] = accounts.dropped.get(reason, Count()) + dropped
            kept &= ~mask
    accounts.entered += entered
    accounts.kept += entered if kept.all() else count_of(table["text"].filter(pa.array(kept)))
    return np.flatnonzero(kept).astype(np.int64)


def _perplexities(table: pa.Table) -> NDArray[np.float32]:
    """Infinite where there are none, so that any known one is better."""
    if "perplexity" not in table.column_names:
        return np.full(len(table), np.inf, np.float32)
    filled = pc.fill_null(table["perplexity"], float("inf")).to_numpy()
    return np.asarray(filled, np.float32)


def _dates(table: pa.Table) -> NDArray[np.int64]:
    """When each was fetched, as the number YYYYMMDDhhmmss; an unknown date is the latest."""
    digits = pc.replace_substring_regex(table["fetched_at"], r"\D", "")
    padded = pc.utf8_slice_codeunits(pc.utf8_rpad(digits, 14, "0"), 0, 14)
    numbers = pc.cast(padded, pa.int64()).to_numpy()
    known = pc.greater(pc.utf8_length(digits), 0).to_numpy(zero_copy_only=False)
    return np.where(known, numbers, UNKNOWN_DATE)


def _url_hashes(table: pa.Table, path: Path, *, wanted: bool) -> NDArray[np.uint64]:
    """64 bits of each canonical URL; 0 where there is none or nobody asks."""
    if not wanted:
        return np.zeros(len(table), np.uint64)
    if "url" not in table.column_names:
        raise CorpusError(f"{path}: its documents have no column url; switch [dedup] url off")
    urls = [canonical(url or "") for url in table["url"].to_pylist()]
    hashes = hashes_of(Texts.of(urls))
    return np.where(np.array([bool(url) for url in urls], bool), hashes, np.uint64(0))
