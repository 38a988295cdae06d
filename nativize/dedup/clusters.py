"""Who survives, who goes, and for whom: the decisions over all documents."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nativize.compiled import compiled
from nativize.dedup.candidates import joined_nodes
from nativize.dedup.documents import Documents, Equals, Hashes, Mask, Numbers, in_order
from nativize.dedup.joined import Joined, Settled
from nativize.dedup.lost import Lost
from nativize.dedup.near import Comparison, near_clusters
from nativize.dedup.pairs import pieces
from nativize.dedup.shingles import mix

KEPT, URL, EXACT, NEAR, CONTAMINATED, EMPTIED = range(6)
"""What becomes of a document."""
KINDS = ["kept", "url", "exact", "near", "contaminated", "emptied"]


@dataclass(frozen=True)
class Clusters:
    """What was decided of N documents, n of which are lost to a like one.

    Attributes:
        fates: of each document `KEPT`, or by what it is lost.
        near: by similar text.
        like: by equal or similar text.
        by_url: because another document of its URL is better.
        candidates: how many pairs shared a band.
        joined: who takes part in what is near, and who belongs together by it.
    """

    fates: NDArray[np.int8]
    near: Lost
    like: Lost
    by_url: Lost
    candidates: int
    joined: Joined


def decide(documents: Documents, comparison: Comparison, contaminated: Mask) -> Clusters:
    """One document of every URL, of these one of every text, of these one of every cluster.

    Contaminated documents take no part: they stand for nobody and nobody stands for them.
    """
    dedup = comparison.signing.dedup
    fates = np.where(contaminated, CONTAMINATED, KEPT).astype(np.int8)
    by_url, copies, near = Lost.nobody(), Lost.nobody(), Lost.nobody()
    if dedup.url:
        has_url = documents.column("url_hash") != 0
        by_url = Lost.to_best(documents, documents.equals((fates == KEPT) & has_url, "url_hash"))
        fates[by_url.documents] = URL
    if dedup.exact:
        equals = documents.equals(fates == KEPT, "digest_high", "digest_low")
        copies = Lost.to_best(documents, equals)
        fates[copies.documents] = EXACT
    candidates, joined = 0, comparison.joined
    if dedup.near:
        takes_part = (fates == KEPT) & documents.column("shingled")
        settled = joined.settled(documents, takes_part)
        cluster, candidates = near_clusters(comparison, takes_part, settled)
        groups = _clusters_of_two(cluster)
        near = _near(comparison, groups, settled)
        fates[near.documents] = NEAR
        joined = Joined.of(documents, takes_part, groups, near, joined.identity)
    return Clusters(fates, near, copies.behind(near), by_url, candidates, joined)


def _near(comparison: Comparison, groups: Equals, settled: Settled) -> Lost:
    """What each cluster loses; one that nothing touched loses what it lost before."""
    members, numbers = groups
    anew = (np.bincount(numbers, settled.touched[members]) > 0)[numbers]
    _, numbers = np.unique(numbers[anew], return_inverse=True)
    near = Lost.to_best(comparison.documents, Equals(members[anew], numbers))
    near = replace(near, similarity=_similarity(comparison, near.pairs()))
    unchanged = np.isin(settled.lost.documents, members[~anew])
    return near.beside(settled.lost.only(unchanged))


def _clusters_of_two(cluster: NDArray[np.uint32]) -> Equals:
    """Members of clusters of two or more, ascending, from the first document of each one's."""
    members = np.asarray(joined_nodes(cluster))
    _, groups = np.unique(cluster[members], return_inverse=True)
    return Equals(members, groups)


def _similarity(comparison: Comparison, pairs: Numbers) -> NDArray[np.float64]:
    if comparison.signing.dedup.verify or not len(pairs):
        some = [comparison.similarities(piece, 0.0) for piece in pieces(pairs)]
        return np.concatenate([np.empty(0), *some])
    members, rows = np.unique(pairs, return_inverse=True)
    places = comparison.sketches(members)
    left, right = places[rows.reshape(-1, 2)[:, 0]], places[rows.reshape(-1, 2)[:, 1]]
    return np.asarray((left == right).mean(axis=1))


@dataclass(frozen=True)
class Families:
    """Clusters of two or more by their texts: m members, ordered by cluster and id.

    Attributes:
        members: documents.
        ids: of them.
        first: for each the place of the one with the smallest id in its cluster, which names it.
        kept: and the place of the one that stays.
        similarity: to that one.
    """

    members: Numbers
    ids: pa.Array
    first: Numbers
    kept: Numbers
    similarity: NDArray[np.float64]


def families(documents: Documents, like: Lost) -> Families:
    """Who belongs together by text."""
    survivors, groups = np.unique(like.kept, return_inverse=True)
    groups = np.concatenate([groups, np.arange(len(survivors))])
    members = np.concatenate([like.documents, survivors])
    stays = np.arange(len(members)) >= len(like.documents)
    similarity = np.concatenate([like.similarity, np.ones(len(survivors))])
    ids = documents.ids(members)
    order = in_order(groups, ids)
    opens = np.flatnonzero(np.diff(groups[order], prepend=-1))
    # by the names of clusters, not by numbers that depend on the order of shards
    rank = np.empty(len(opens), np.int64)
    rank[in_order(ids.take(pa.array(order[opens])))] = np.arange(len(opens))
    order = order[np.argsort(rank[groups[order]], kind="stable")]
    groups = groups[order]
    starts = np.diff(groups, prepend=-1) != 0
    place = np.empty(len(opens), np.int64)
    place[groups[stays[order]]] = np.flatnonzero(stays[order])
    return Families(
        members[order], ids.take(pa.array(order)),
        np.flatnonzero(starts)[np.cumsum(starts) - 1], place[groups], similarity[order],
    )  # fmt: skip


def cluster_table(documents: Documents, clusters: Clusters, together: Families) -> pa.Table:
    """Every member of every cluster of two or more, ordered by cluster and member id.

    Columns: cluster (its smallest id), id, kept (id of the survivor), similarity (to it), kind:
    "kept" for the survivor, "exact" for a copy of a better document with the same folded text,
    "near" for the others. What its URL lost stands at the end: kind "url", no similarity, and its
    cluster is the page that is kept.
    """
    by_url, ids = clusters.by_url, together.ids
    lost = documents.ids(by_url.documents)
    order = in_order(lost)
    pages = documents.ids(by_url.kept[order])
    everyone = np.concatenate([together.members, by_url.documents[order]])
    similarity = np.concatenate([together.similarity, np.full(len(lost), np.nan)])
    kinds = pa.DictionaryArray.from_arrays(clusters.fates[everyone].astype(np.int32), KINDS)
    return pa.table(
        {
            "cluster": pa.concat_arrays([ids.take(pa.array(together.first)), pages]),
            "id": pa.concat_arrays([ids, lost.take(pa.array(order))]),
            "kept": pa.concat_arrays([ids.take(pa.array(together.kept)), pages]),
            "similarity": pa.array(similarity.astype(np.float32), from_pandas=True),
            "kind": kinds.cast(pa.string()),
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
    kept = clusters.fates == KEPT
    of_cluster = documents.of("id_hash", together.members[together.first])
    order = np.argsort(together.members)
    members, of_cluster = together.members[order], of_cluster[order]
    chosen, lowest, first = np.zeros(len(documents), bool), np.inf, 0
    cuts = np.searchsorted(members, documents.begins)
    for shard in range(len(documents.shards)):
        begin, end = documents.begins[shard : shard + 2].tolist()
        here = slice(*cuts[shard : shard + 2])
        hashes = documents.of_shard("id_hash", shard).copy()
        hashes[members[here] - begin] = of_cluster[here]
        points = np.where(kept[begin:end], _points(hashes, seed), np.inf)
        chosen[begin:end] = points < share
        if len(points) and points.min() < lowest:
            lowest, first = points.min(), begin + int(points.argmin())
    if share > 0 and not chosen.any() and np.count_nonzero(kept) > 1:
        chosen[first] = True
    return chosen


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
