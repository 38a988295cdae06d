"""All documents of a corpus together: which belong to one cluster, and who survives.

Documents are put in the order of their ids, so that nothing depends on shards or workers; what
is known of a document is one row of `Signatures`, about 200 bytes of it bands.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.dedup.candidates import Indices, join, roots
from nativize.errors import CorpusError

Similarities = NDArray[np.float64]


@dataclass(frozen=True)
class Signatures:
    """N documents in the order of their ids.

    Attributes:
        table: N rows: id, shard (number), row (in the shard), exact_high, exact_low, shingled,
            and rank, by which the survivor of a cluster is chosen (the smallest survives).
        bands: N x bands hashes.
    """

    table: pa.Table
    bands: NDArray[np.uint64]

    def column(self, name: str) -> NDArray[np.int64]:
        return np.asarray(self.table[name].to_numpy())

    def __len__(self) -> int:
        return len(self.table)


def read_signatures(directory: Path, shards: Sequence[str]) -> Signatures:
    """The signatures of all shards together, ordered by id.

    Raises:
        CorpusError: two documents have the same id; names it and both shards.
    """
    tables, bands = [], []
    for number, shard in enumerate(shards):
        part = pq.read_table(directory / f"{shard}.signatures.parquet")
        tables.append(part.append_column("shard", pa.array(np.full(len(part), number))))
        bands.append(np.load(directory / f"{shard}.bands.npy", allow_pickle=False))
    table = pa.concat_tables(tables)
    order = pc.sort_indices(table["id"]).to_numpy()
    table = table.take(order)
    _require_distinct_ids(table, shards)
    table = table.append_column("rank", pa.array(_ranks(table)))
    return Signatures(table, np.concatenate(bands)[order])


def _require_distinct_ids(table: pa.Table, shards: Sequence[str]) -> None:
    ids = table["id"].combine_chunks()
    same = pc.equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    if same.any():
        at = int(np.flatnonzero(same)[0])
        first, second = (shards[table["shard"][row].as_py()] for row in (at, at + 1))
        raise CorpusError(
            f"document id {ids[at]} stands twice, in shards {first} and {second}; ids must be"
            " unique, so give the crawl sources different names or name each file once"
        )


def _ranks(table: pa.Table) -> NDArray[np.int64]:
    """Place of each document in the order of who survives: the first of a cluster does.

    Lowest perplexity, then longest, then earliest fetched (an unknown date is late), then the
    smallest id, which is the order of the rows.
    """
    dates = pc.if_else(pc.equal(table["fetched_at"], ""), "~", table["fetched_at"])
    keys = {
        "perplexity": (table["perplexity"], "ascending"),
        "characters": (table["characters"], "descending"),
        "fetched_at": (dates, "ascending"),
        "row_of_id": (pa.array(np.arange(len(table))), "ascending"),
    }
    order = pc.sort_indices(
        pa.table({name: column for name, (column, _) in keys.items()}),
        sort_keys=[(name, direction) for name, (_, direction) in keys.items()],
    )
    ranks = np.empty(len(table), np.int64)
    ranks[order.to_numpy()] = np.arange(len(table))
    return ranks


def representatives(signatures: Signatures) -> Indices:
    """For each document the best one with the same folded text; itself when it is that one."""
    high, low = signatures.column("exact_high"), signatures.column("exact_low")
    order = np.lexsort((signatures.column("rank"), low, high))
    opens = np.ones(len(order), np.bool_)
    opens[1:] = (high[order][1:] != high[order][:-1]) | (low[order][1:] != low[order][:-1])
    best = np.empty(len(order), np.int64)
    best[order] = order[opens][np.cumsum(opens) - 1]
    return best


@dataclass(frozen=True)
class Families:
    """N documents in clusters.

    Attributes:
        cluster: for each document the index of its cluster's smallest id.
        copy_of: for each document its best exact copy; itself for most.
        survivor: for each document the index of the one that its cluster keeps.
        similarity: exact Jaccard similarity of each document to its survivor.
    """

    cluster: Indices
    copy_of: Indices
    survivor: Indices
    similarity: Similarities

    def kept(self) -> NDArray[np.bool_]:
        return np.asarray(self.survivor == np.arange(len(self.survivor)))

    def exact(self) -> NDArray[np.bool_]:
        """Documents that are not kept because a better one has the same folded text."""
        return np.asarray(self.copy_of != np.arange(len(self.copy_of)))


def clusters_of(copy_of: Indices, near: Indices) -> Indices:
    """The connected components of exact copies and near pairs (m x 2), named by smallest index."""
    parents = np.arange(len(copy_of))
    join(parents, np.stack([np.arange(len(copy_of)), copy_of], axis=1))
    join(parents, near)
    return np.asarray(roots(parents))


def survivors_of(cluster: Indices, ranks: Indices) -> Indices:
    """For each document the one of its cluster with the smallest rank."""
    order = np.lexsort((ranks, cluster))
    named, first = np.unique(cluster[order], return_index=True)
    survivor = np.empty(len(cluster), np.int64)
    survivor[named] = order[first]
    return survivor[cluster]


def held_out(
    signatures: Signatures, families: Families, share: float, seed: int
) -> NDArray[np.bool_]:
    """Whether each document's cluster is held out: a pure function of its smallest id.

    A refresh therefore never moves a document between the splits, unless clusters merge. When
    the share is too small to hold out anything of two or more clusters, the cluster with the
    smallest hash is taken, so that a tiny corpus can be evaluated too.
    """
    named, inverse = np.unique(families.cluster, return_inverse=True)
    ids = signatures.table["id"].take(pa.array(named)).to_pylist()
    points = np.array([_point(identifier, seed) for identifier in ids], np.float64)
    chosen = points < share
    if share > 0 and len(named) > 1 and not chosen.any():
        chosen[np.argmin(points)] = True
    return np.asarray(chosen[inverse])


def _point(identifier: str, seed: int) -> float:
    """A uniform number in [0, 1) for an id."""
    digest = hashlib.blake2b(f"{seed}:{identifier}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def cluster_table(signatures: Signatures, families: Families) -> pa.Table:
    """Every member of every cluster of two or more, ordered by cluster and member id.

    Columns: cluster (its smallest id), id, kept, similarity (to the survivor), kind: "exact" for
    a document with the same folded text as a better one, "near" for the others; a survivor has
    the kind of its cluster.
    """
    sizes = np.bincount(families.cluster, minlength=len(signatures))
    members = np.flatnonzero(sizes[families.cluster] > 1)
    members = members[np.lexsort((members, families.cluster[members]))]
    lost_near = ~families.exact() & ~families.kept()
    with_near = np.bincount(families.cluster[lost_near], minlength=len(signatures)) > 0
    kept = families.kept()
    near = np.where(kept, with_near[families.cluster], lost_near)[members]
    ids = signatures.table["id"]
    return pa.table(
        {
            "cluster": ids.take(pa.array(families.cluster[members])),
            "id": ids.take(pa.array(members)),
            "kept": kept[members],
            "similarity": families.similarity[members].astype(np.float32),
            "kind": pa.array(np.where(near, "near", "exact").tolist(), pa.string()),
        }
    )
