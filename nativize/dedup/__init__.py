"""Deduplication: by URL, text and similarity, verified, explained; and the held-out split."""

from nativize.artifact import Stage
from nativize.dedup.buckets import BucketRule
from nativize.dedup.deduplicate import STAGE, deduplicate

DEDUPLICATE = Stage(
    name=STAGE,
    version=2,
    group="corpus",
    inputs=("scored_shards",),
    reads=("language", "dedup", "quality.bucket_shares", "quality.keep_sources"),
    shard_reads=(),
    volatile=("memory/*",),
)

__all__ = ["DEDUPLICATE", "BucketRule", "deduplicate"]
