"""The artifact store: values keyed by what they are made of, published whole or not at all."""

from nativize.artifact.accounts import Accounts, Count
from nativize.artifact.files import REPORT, file_digests, sha256_of, write_atomically, write_json
from nativize.artifact.record import Artifact
from nativize.artifact.shards import ShardCache, ShardTask, shard_counts, throughput
from nativize.artifact.stage import Report, Stage
from nativize.artifact.store import ArtifactStore, Inputs, Workplace, standalone

__all__ = [
    "REPORT",
    "Accounts",
    "Artifact",
    "ArtifactStore",
    "Count",
    "Inputs",
    "Report",
    "ShardCache",
    "ShardTask",
    "Stage",
    "Workplace",
    "file_digests",
    "sha256_of",
    "shard_counts",
    "standalone",
    "throughput",
    "write_atomically",
    "write_json",
]
