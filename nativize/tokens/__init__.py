"""Token shards: the mixture as packed ids on disk, and the order they are trained in.

The order is a pure function of (seed, sample number), so that a resumed training, or one on more
machines, sees exactly the samples it would have seen. No torch here.
"""

from nativize.artifact import Stage
from nativize.tokens.order import Order, Stream
from nativize.tokens.packing import IGNORED
from nativize.tokens.shards import TokenShards
from nativize.tokens.tokenise import tokenise

TOKENISE = Stage(
    name="token_shards",
    version=2,
    group="vocabulary",
    inputs=("merged_vocabulary", "deduplicated_corpus", "replay_corpus"),
    reads=("mixture",),
    shard_reads=(),
    volatile=("limits.json",),
)

__all__ = ["IGNORED", "TOKENISE", "Order", "Stream", "TokenShards", "tokenise"]
