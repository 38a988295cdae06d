"""Clusters that an earlier run found, of which a refresh keeps those that nothing touched.

Whether two documents belong together depends on their texts alone. A cluster all of whose documents
still take part is therefore a cluster still, or part of a larger one that a new document joins; and
between documents that took part before there is no pair left to find. So only new documents, and
those whose cluster lost a member, are looked for in the bands. Forgetting it all changes no result.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.dedup.documents import Documents, Mask, Numbers
from nativize.dedup.sign import Signing

FORMAT = 1
"""Counted up when the same documents would be joined otherwise."""
NOBODY = np.uint32(0xFFFFFFFF)
"""The cluster of a document that took no part."""
LARGEST_TOUCHED_SHARE = 0.25
"""Of those that take part; where more are touched, all are looked at as in a first run."""


@dataclass(frozen=True)
class Joined:
    """What a run joined.

    Attributes:
        identity: what its pairs depend on beside the documents, as plain JSON.
        shards: of each shard the digest and how many documents were signed of it.
        clusters: of each document the number of its cluster, or `NOBODY`.
    """

    identity: Mapping[str, Any]
    shards: Sequence[tuple[str, int]]
    clusters: NDArray[np.uint32]

    @classmethod
    def of(
        cls, documents: Documents, takes_part: Mask, clusters: Numbers, identity: Mapping[str, Any]
    ) -> Self:
        sizes = np.diff(documents.begins).tolist()
        numbers = np.where(takes_part, clusters, NOBODY).astype(np.uint32)
        return cls(identity, list(zip(documents.digests, sizes, strict=True)), numbers)

    @classmethod
    def read(cls, directory: Path | None, identity: Mapping[str, Any]) -> Self:
        """What was written for the same identity; nothing where there is none."""
        path = directory and directory / "clusters.json"
        if path and path.exists():
            head = json.loads(path.read_text(encoding="utf-8"))
            if head["identity"] == json.loads(json.dumps(identity)):
                clusters = np.load(path.with_suffix(".npy"), mmap_mode="r")
                return cls(identity, head["shards"], np.asarray(clusters))
        return cls(identity, [], np.empty(0, np.uint32))

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        head = {"identity": self.identity, "shards": self.shards}
        (directory / "clusters.json").write_text(json.dumps(head), encoding="utf-8")
        np.save(directory / "clusters.npy", self.clusters, allow_pickle=False)

    def settled(self, documents: Documents, takes_part: Mask) -> tuple[Numbers, Mask]:
        """For each document the first of its cluster, and which are to be looked for in the bands.

        The first of a document that is to be looked for is itself.
        """
        parents = np.arange(len(documents))
        numbers, clusters = self._still_there(documents)
        stays = takes_part[numbers] & (clusters != NOBODY)
        numbers, clusters = numbers[stays], clusters[stays]
        before = np.bincount(self.clusters[self.clusters != NOBODY], minlength=1)
        whole = np.bincount(clusters, minlength=len(before)) == before
        numbers, clusters = numbers[whole[clusters]], clusters[whole[clusters]]
        touched = takes_part.copy()
        touched[numbers] = False
        if touched.sum() > LARGEST_TOUCHED_SHARE * takes_part.sum():
            return parents, takes_part
        first = np.empty(len(before), np.int64)
        # of a number written twice the last stays, which is the smallest
        first[clusters[::-1]] = numbers[::-1]
        parents[numbers] = first[clusters]
        return parents, touched

    def _still_there(self, documents: Documents) -> tuple[Numbers, NDArray[np.uint32]]:
        """Documents of shards that were there before, ascending, and their clusters then."""
        begins = np.cumsum([0, *(size for _, size in self.shards)]).tolist()
        known = {digest: number for number, (digest, _) in enumerate(self.shards)}
        numbers, clusters = [np.empty(0, np.int64)], [np.empty(0, np.uint32)]
        for shard, digest in enumerate(documents.digests):
            if digest in known:
                old = known[digest]
                clusters.append(self.clusters[begins[old] : begins[old + 1]])
                numbers.append(np.arange(*documents.begins[shard : shard + 2]))
        return np.concatenate(numbers), np.concatenate(clusters)


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
