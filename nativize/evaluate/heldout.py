"""Held-out documents, the same ones for every model."""

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nativize.dedup.corpus import read_shard, shard_names
from nativize.errors import CorpusError
from nativize.vocabulary import Encoder


@dataclass(frozen=True)
class Heldout:
    """Documents of one language that no model was trained on."""

    texts: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """UTF-8 bytes, the unit that all vocabularies share."""
        return sum(len(text.encode()) for text in self.texts)


def choose_heldout(corpus: Path, encoder: Encoder, maximum_tokens: int) -> Heldout:
    """Whole held-out documents within a bound of tokens, in the order of their ids' digests.

    That order is a fair draw over all shards and sources, and stays when documents are added.

    Args:
        corpus: a deduplicated corpus.
        encoder: counts the tokens; one encoder for all models, so that all read the same.
        maximum_tokens: the bound. The first document is taken whatever its length.
    Raises:
        CorpusError: the corpus holds nothing out.
    """
    # at most what the bound holds and one document more are in memory, the first ones so far;
    # few others enter: of n documents about log n times as many as are chosen
    first: list[tuple[int, str, int]] = []
    tokens = 0
    for place, text in _by_digest(corpus):
        if tokens > maximum_tokens and place < first[0][0]:
            continue
        size = len(encoder.encode([text])[0])
        heapq.heappush(first, (place, text, size))
        tokens += size
        while len(first) > 1 and tokens - first[0][2] > maximum_tokens:
            tokens -= heapq.heappop(first)[2]
    if len(first) > 1 and tokens > maximum_tokens:
        heapq.heappop(first)
    chosen = [text for _, text, _ in sorted(first, reverse=True)]
    if not chosen:
        raise CorpusError(
            f"{corpus}: no document is held out; raise dedup.heldout_share or give"
            " the corpus more text"
        )
    return Heldout(tuple(chosen))


def _by_digest(corpus: Path) -> Iterator[tuple[int, str]]:
    """All held-out texts as they lie; minus the digest of the id, so that a heap ends with it."""
    for name in shard_names(corpus):
        for batch in read_shard(corpus, name, "heldout", ["id", "text"]):
            for row in batch.to_pylist():
                if row["text"]:
                    digest = hashlib.sha256(row["id"].encode()).digest()
                    yield -int.from_bytes(digest, "big"), row["text"]
