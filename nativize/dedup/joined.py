"""Clusters that an earlier run found, of which a refresh keeps those that nothing touched.

Whether two documents belong together depends on their texts alone, and who stays on what is known
of both. A cluster all of whose documents still take part is therefore a cluster still, or part of a
larger one that a new document joins; and between documents that took part before there is no pair
left to find. So only new documents, and those whose cluster lost a member, are looked for in the
bands, and only clusters with one of these are decided anew. Forgetting it all changes no result.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.dedup.documents import Documents, Equals, Mask, Numbers
from nativize.dedup.lost import Lost
from nativize.dedup.sign import Signing

ARRAYS = ("took_part", "members", "clusters", "stays", "similarity")
FORMAT = 3
"""Counted up when the same documents would be joined otherwise, or are written otherwise."""
LARGEST_TOUCHED_SHARE = 0.25
"""Of those that take part; where more are touched, all are looked at as in a first run."""


@dataclass(frozen=True)
class Settled:
    """What a run finds settled of N documents by the one before.

    Attributes:
        parents: for each document the first of its cluster; of one that is looked for itself.
        touched: which are to be looked for in the bands.
        lost: what settled clusters lost.
    """

    parents: NDArray[np.uint32]
    touched: Mask
    lost: Lost


@dataclass(frozen=True)
class Joined:
    """What a run joined.

    Attributes:
        identity: what it depends on beside the documents, as plain JSON.
        shards: of each shard the digest and how many documents were signed of it.
        took_part: of each document.
        members: those of clusters of two or more, ascending.
        clusters: the number of each one's cluster, from 0 on.
        stays: which member is its cluster's survivor.
        similarity: of each member to that one.
    """

    identity: Mapping[str, Any]
    shards: Sequence[tuple[str, int]]
    took_part: Mask
    members: NDArray[np.uint32]
    clusters: NDArray[np.uint32]
    stays: Mask
    similarity: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        documents: Documents,
        took_part: Mask,
        groups: Equals,
        lost: Lost,
        identity: Mapping[str, Any],
    ) -> Self:
        """What ``groups``, ascending, lost."""
        sizes = np.diff(documents.begins).tolist()
        places = np.searchsorted(groups.members, lost.documents)
        stays, similarity = np.ones(len(groups.members), bool), np.ones(len(groups.members))
        stays[places], similarity[places] = False, lost.similarity
        return cls(
            identity, list(zip(documents.digests, sizes, strict=True)), took_part,
            groups.members.astype(np.uint32), groups.groups.astype(np.uint32), stays, similarity,
        )  # fmt: skip

    @classmethod
    def read(cls, directory: Path | None, identity: Mapping[str, Any]) -> Self:
        """What was written for the same identity; nothing where there is none."""
        path = directory and directory / "clusters.json"
        if path and path.exists():
            head = json.loads(path.read_text(encoding="utf-8"))
            if head["identity"] == json.loads(json.dumps(identity)):
                with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
                    return cls(identity, head["shards"], *(arrays[name] for name in ARRAYS))
        nobody, no = np.empty(0, np.uint32), np.empty(0, bool)
        return cls(identity, [], no, nobody, nobody, no, np.empty(0))

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        head = {"identity": self.identity, "shards": self.shards}
        (directory / "clusters.json").write_text(json.dumps(head), encoding="utf-8")
        np.savez(directory / "clusters.npz", **{name: getattr(self, name) for name in ARRAYS})

    def settled(self, documents: Documents, takes_part: Mask) -> Settled:
        """What is still true of it."""
        parents = np.arange(len(documents), dtype=np.uint32)
        touched = takes_part.copy()
        numbers, places = self._still_there(documents, touched)
        stays = takes_part[numbers]
        numbers, places = numbers[stays], places[stays]
        before = np.bincount(self.clusters)
        whole = np.bincount(self.clusters[places], minlength=len(before)) == before
        is_whole = whole[self.clusters[places]]
        touched[numbers[~is_whole]] = True
        if touched.sum() > LARGEST_TOUCHED_SHARE * takes_part.sum():
            return Settled(parents, takes_part, Lost.nobody())
        numbers, places = numbers[is_whole], places[is_whole]
        clusters, stays = self.clusters[places], self.stays[places]
        first, kept = np.empty((2, len(before)), np.int64)
        # of a number written twice the last stays, which is the smallest
        first[clusters[::-1]] = numbers[::-1]
        kept[clusters[stays]] = numbers[stays]
        parents[numbers] = first[clusters]
        lost = Lost(numbers, kept[clusters], self.similarity[places]).only(~stays)
        return Settled(parents, touched, lost)

    def _still_there(self, documents: Documents, touched: Mask) -> tuple[Numbers, Numbers]:
        """Documents of shards that were there before, ascending, and their places among members.

        Of all that took part before ``touched`` is taken away.
        """
        begins = np.cumsum([0, *(size for _, size in self.shards)]).tolist()
        known = {digest: number for number, (digest, _) in enumerate(self.shards)}
        numbers, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for shard, digest in enumerate(documents.digests):
            if digest in known:
                begin, end = begins[known[digest] : known[digest] + 2]
                moved = int(documents.begins[shard]) - begin
                touched[begin + moved : end + moved] &= ~self.took_part[begin:end]
                here = np.arange(*np.searchsorted(self.members, [begin, end]))
                numbers.append(self.members[here].astype(np.int64) + moved)
                places.append(here)
        return np.concatenate(numbers), np.concatenate(places)


def joining_identity(signing: Signing, stage: Mapping[str, Any]) -> dict[str, Any]:
    """What decides whether two documents belong together, beside their texts."""
    dedup = signing.dedup
    return {
        "format": FORMAT,
        "stage": dict(stage),
        "signing": signing.identity(),
        "threshold": dedup.threshold,
        "verify": dedup.verify,
    }
