"""Who survives, who goes, and for whom: the decisions over all documents."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.documents import Documents, Hashes, Mask, Numbers, equal_groups
from nativize.dedup.joined import Joined
from nativize.dedup.near import Comparison, near_clusters
from nativize.dedup.shingles import mix

KEPT, URL, EXACT, NEAR, CONTAMINATED, EMPTIED = range(6)
"""What becomes of a document."""
KINDS = np.array(["kept", "url", "exact", "near", "contaminated", "emptied"])


@dataclass(frozen=True)
class Clusters:
    """What was decided of N documents.

    Attributes:
        fates: `KEPT`, or by what it is lost.
        survivor: for each document the one that stays in its place; itself where it is kept.
        page: for each document the one that its URL keeps; itself for most.
        similarity: exact Jaccard similarity to the survivor.
        candidates: how many pairs shared a band.
        joined: who takes part in what is near, and who belongs together by it.
    """

    fates: NDArray[np.int8]
    survivor: Numbers
    page: Numbers
    similarity: NDArray[np.float64]
    candidates: int
    joined: Joined


def decide(documents: Documents, comparison: Comparison, contaminated: Mask) -> Clusters:
    """One document of every URL, of these one of every text, of these one of every cluster.

    Contaminated documents take no part: they stand for nobody and nobody stands for them.
    """
    dedup = comparison.signing.dedup
    fates = np.where(contaminated, CONTAMINATED, KEPT).astype(np.int8)
    everyone = np.arange(len(documents))
    page, copy, survivor = everyone.copy(), everyone.copy(), everyone.copy()
    if dedup.url:
        urls = np.asarray(documents.column("url_hash"), np.uint64)
        _keep_best(documents, np.flatnonzero((fates == KEPT) & (urls != 0)), (urls,), page)
        fates[page != everyone] = URL
    if dedup.exact:
        digests = [np.asarray(documents.column(f"digest_{h}"), np.uint64) for h in ("high", "low")]
        _keep_best(documents, np.flatnonzero(fates == KEPT), tuple(digests), copy)
        fates[copy != everyone] = EXACT
    similarity, candidates, joined = np.ones(len(documents)), 0, comparison.joined
    if dedup.near:
        takes_part = (fates == KEPT) & np.asarray(documents.column("shingled"), bool)
        cluster, candidates = near_clusters(comparison, takes_part)
        joined = Joined.of(documents, takes_part, cluster, joined.identity)
        members = np.flatnonzero(takes_part)
        _keep_best(documents, members, (cluster.astype(np.uint64),), survivor)
        lost = np.flatnonzero(survivor != everyone)
        fates[lost] = NEAR
        similarity[lost] = _similarity(comparison, np.stack([survivor[lost], lost], axis=1))
    return Clusters(fates, survivor[copy], page, similarity[copy], candidates, joined)


def _keep_best(
    documents: Documents, members: Numbers, keys: tuple[Hashes, ...], best: Numbers
) -> None:
    """The best of all members with equal keys, written into ``best`` for each of them."""
    indices, groups = equal_groups(*(key[members] for key in keys))
    if len(indices):
        alike = members[indices]
        best[alike] = documents.best(alike, groups)[groups]


def _similarity(comparison: Comparison, pairs: Numbers) -> NDArray[np.float64]:
    if comparison.signing.dedup.verify:
        return comparison.similarities(pairs, 0.0)
    members, rows = np.unique(pairs, return_inverse=True)
    places = comparison.documents.places(members) if len(members) else np.empty((0, 1), np.uint8)
    left, right = places[rows.reshape(-1, 2)[:, 0]], places[rows.reshape(-1, 2)[:, 1]]
    return np.asarray((left == right).mean(axis=1))


@dataclass(frozen=True)
class Families:
    """Clusters of two or more by their texts: m members, ordered by cluster and id.

    Attributes:
        members: documents.
        first: for each the one with the smallest id in its cluster, which names it.
    """

    members: Numbers
    first: Numbers


def families(documents: Documents, clusters: Clusters) -> Families:
    """Who belongs together by text; what its URL lost takes no part."""
    takes_part = np.flatnonzero(clusters.fates != URL)
    survivor = clusters.survivor[takes_part]
    large = np.bincount(survivor, minlength=len(documents))[survivor] > 1
    members = takes_part[large]
    _, groups = np.unique(survivor[large], return_inverse=True)
    order = documents.in_order_of_ids(members, groups)
    members, groups = members[order], groups[order]
    first = members[np.flatnonzero(np.diff(groups, prepend=-1))][groups]
    # by the names of clusters, not by numbers that depend on the order of shards
    by_name = documents.in_order_of_ids(first, np.zeros(len(first), np.int64))
    rank = np.empty(len(documents), np.int64)
    rank[first[by_name]] = np.arange(len(by_name))
    order = np.argsort(rank[first], kind="stable")
    return Families(members[order], first[order])


def cluster_table(documents: Documents, clusters: Clusters, together: Families) -> pa.Table:
    """Every member of every cluster of two or more, ordered by cluster and member id.

    Columns: cluster (its smallest id), id, kept (id of the survivor), similarity (to it), kind:
    "kept" for the survivor, "exact" for a copy of a better document with the same folded text,
    "near" for the others. What its URL lost stands at the end: kind "url", no similarity, and its
    cluster is the page that is kept.
    """
    members, lost = together.members, np.flatnonzero(clusters.fates == URL)
    lost = lost[documents.in_order_of_ids(lost, np.zeros(len(lost), np.int64))]
    everyone = np.concatenate([members, lost])
    ids = documents.ids
    similarity = pa.array(
        np.concatenate([clusters.similarity[members], np.full(len(lost), np.nan)]).astype(
            np.float32
        ),
        from_pandas=True,
    )
    return pa.table(
        {
            "cluster": ids.take(pa.array(np.concatenate([together.first, clusters.page[lost]]))),
            "id": ids.take(pa.array(everyone)),
            "kept": ids.take(
                pa.array(np.concatenate([clusters.survivor[members], clusters.page[lost]]))
            ),
            "similarity": pa.array(similarity, from_pandas=True),
            "kind": pa.array(KINDS[clusters.fates[everyone]].tolist(), pa.string()),
        }
    )


def held_out(
    documents: Documents, clusters: Clusters, together: Families, share: float, seed: int
) -> Mask:
    """Whether each document is held out: a pure function of its cluster's smallest id.

    A refresh therefore never moves a document between the splits, unless clusters merge. When
    the share is too small to hold out anything of two or more clusters, the cluster with the
    smallest hash is taken, so that a tiny corpus can be evaluated too.
    """
    hashes = np.asarray(documents.column("id_hash"), np.uint64).copy()
    hashes[together.members] = hashes[together.first]
    points = _points(hashes, seed)
    kept = clusters.fates == KEPT
    chosen = kept & (points < share)
    if share > 0 and not chosen.any() and np.count_nonzero(kept) > 1:
        chosen[np.flatnonzero(kept)[np.argmin(points[kept])]] = True
    return np.asarray(chosen)


def _points(hashes: Hashes, seed: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1)."""
    points = np.empty(len(hashes))
    _draw(hashes, np.uint64(seed), points)
    return points


@compiled
def _draw(hashes: Any, seed: Any, points: Any) -> None:
    salt = mix(seed + np.uint64(1))
    for at in range(len(hashes)):
        points[at] = np.float64(mix(hashes[at] ^ salt) >> np.uint64(11)) / 2.0**53
