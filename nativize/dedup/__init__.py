"""Deduplication: by URL, text and similarity, verified, explained; and the held-out split."""

from nativize.artifact import Stage
from nativize.dedup.buckets import BucketRule
from nativize.dedup.deduplicate import MEMORY, deduplicate

VOLATILE = (f"{MEMORY}/*",)
"""No content of any corpus: what a refresh leaves there depends on what came before."""

DEDUPLICATE = Stage(
    name="deduplicated_corpus",
    version=3,
    group="corpus",
    inputs=("scored_shards",),
    reads=("language", "dedup", "quality.bucket_shares", "quality.keep_sources"),
    shard_reads=(),
    volatile=VOLATILE,
)

__all__ = ["DEDUPLICATE", "VOLATILE", "BucketRule", "deduplicate"]
