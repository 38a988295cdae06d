"""Deduplication: exact and near, verified, explained; and the held-out split by cluster."""

from nativize.artifact import Stage
from nativize.dedup.buckets import BucketRule
from nativize.dedup.deduplicate import deduplicate

DEDUPLICATE = Stage(
    name="deduplicated_corpus",
    version=1,
    group="corpus",
    inputs=("scored_shards",),
    reads=("language", "dedup", "quality.bucket_shares", "quality.keep_sources"),
)

__all__ = ["DEDUPLICATE", "BucketRule", "deduplicate"]
