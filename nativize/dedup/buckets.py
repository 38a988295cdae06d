"""Which documents go on by their bucket: a share of each, and all of some sources."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nativize.errors import CorpusError
from nativize.recipe import BucketShares, Quality

HASHES = 1 << 64


@dataclass(frozen=True)
class BucketRule:
    """The share of each bucket that goes on, and the sources that lose nothing.

    A document's place depends on its id alone, so a larger share keeps a superset.
    """

    shares: BucketShares
    keep_sources: tuple[str, ...] = ()

    @classmethod
    def of(cls, quality: Quality) -> "BucketRule":
        return cls(quality.bucket_shares, quality.keep_sources)

    def identity(self) -> dict[str, object]:
        """What the rule says, as plain JSON."""
        return {"shares": self.shares.model_dump(), "keep_sources": list(self.keep_sources)}

    def dropped(self, table: pa.Table, where: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Each bucket in the table with a mask of its documents that do not go on.

        Raises:
            CorpusError: the documents have no buckets, or others than the recipe knows.
        """
        if "bucket" not in table.column_names:
            raise CorpusError(f"{where}: its documents have no buckets; score them first")
        shares = self.shares.model_dump()
        exempt = _is_in(table["source"], self.keep_sources)
        for bucket in sorted(pc.unique(table["bucket"]).to_pylist(), key=str):
            if bucket not in shares:
                raise CorpusError(f"{where}: bucket {bucket!r} is none of {', '.join(shares)}")
            here = _is_in(table["bucket"], (bucket,)) & ~exempt
            here[here] = ~_chosen(table["id"].filter(pa.array(here)), shares[bucket])
            yield bucket, here


def _is_in(column: pa.ChunkedArray, values: tuple[str, ...]) -> NDArray[np.bool_]:
    found = pc.is_in(column, pa.array(values, pa.string()))
    return np.array(found.to_numpy(zero_copy_only=False), bool)


def _chosen(ids: pa.ChunkedArray, share: float) -> NDArray[np.bool_]:
    if share in (0.0, 1.0):
        return np.full(len(ids), share == 1.0)
    # "person" keeps these hashes apart from those that samples are drawn by
    digests = (
        hashlib.blake2b(identifier.encode(), digest_size=8, person=b"bucket").digest()
        for identifier in ids.to_pylist()
    )
    below = share * HASHES
    return np.array([int.from_bytes(digest, "big") < below for digest in digests], bool)
