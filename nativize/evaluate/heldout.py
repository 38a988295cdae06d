"""Held-out documents, the same ones for every model."""

import hashlib
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
    chosen: list[str] = []
    left = maximum_tokens
    for text in _in_fair_order(corpus):
        left -= len(encoder.encode([text])[0])
        if left < 0 and chosen:
            break
        chosen.append(text)
    if not chosen:
        raise CorpusError(
            f"{corpus}: no document is held out; raise dedup.heldout_share or give"
            " the corpus more text"
        )
    return Heldout(tuple(chosen))


def _in_fair_order(corpus: Path) -> Iterator[str]:
    rows = [
        (hashlib.sha256(row["id"].encode()).digest(), row["text"])
        for name in shard_names(corpus)
        for batch in read_shard(corpus, name, "heldout", ["id", "text"])
        for row in batch.to_pylist()
        if row["text"]
    ]
    for _, text in sorted(rows):
        yield text
