"""What a person wants to see of scored documents: counts, a histogram, a few texts.

Made per shard and added up, so that a refresh reads no old shard for its picture.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nativize.quality.model import BUCKET_NAMES

BINS_PER_DECADE = 100
SAMPLES_PER_BUCKET = 5
SAMPLE_CHARACTERS = 300
SAMPLE_COLUMNS = ("bucket", "id", "url", "perplexity", "characters", "text")


@dataclass
class Summary:
    """Documents by bucket: how many, how many in each bin, and those of the smallest hashes.

    A bin is the logarithm (base 10) of the perplexity times `BINS_PER_DECADE`, rounded down; a
    perplexity of 0 or without bound has none.
    """

    documents: Counter[str] = field(default_factory=Counter)
    bins: dict[str, Counter[int]] = field(
        default_factory=lambda: {name: Counter() for name in BUCKET_NAMES}
    )
    samples: dict[str, list[list[Any]]] = field(
        default_factory=lambda: {name: [] for name in BUCKET_NAMES}
    )

    def add(
        self, table: pa.Table, perplexities: NDArray[np.float64], buckets: NDArray[np.int64]
    ) -> None:
        """Documents with the numbers of their buckets."""
        hashes = np.array([_hash(identifier) for identifier in table["id"].to_pylist()])
        drawn = np.isfinite(perplexities) & (perplexities > 0)
        for number, name in enumerate(BUCKET_NAMES):
            here = np.flatnonzero(buckets == number)
            self.documents[name] += len(here)
            logarithms = np.log10(perplexities[here[drawn[here]]])
            self.bins[name].update(np.floor(logarithms * BINS_PER_DECADE).astype(int).tolist())
            first = here[np.argsort(hashes[here], kind="stable")[:SAMPLES_PER_BUCKET]]
            found = zip(first, table.take(first).to_pylist(), strict=True)
            rows = [_sample(hashes[at], row, float(perplexities[at])) for at, row in found]
            self._keep(name, rows)

    def _keep(self, bucket: str, rows: Iterable[list[Any]]) -> None:
        kept = sorted([*self.samples[bucket], *rows], key=lambda row: (row[0], row[1]))
        self.samples[bucket] = kept[:SAMPLES_PER_BUCKET]

    @classmethod
    def total(cls, parts: Iterable[Mapping[str, Any]]) -> "Summary":
        """The sum over shards, of what `to_json` gave."""
        whole = cls()
        for part in parts:
            whole.documents.update(part["documents"])
            for name in BUCKET_NAMES:
                bins = part["bins"][name].items()
                whole.bins[name].update({int(number): count for number, count in bins})
                whole._keep(name, part["samples"][name])
        return whole

    def to_json(self) -> dict[str, Any]:
        bins = {
            name: {str(number): count for number, count in sorted(counter.items())}
            for name, counter in self.bins.items()
        }
        return {"documents": dict(self.documents), "bins": bins, "samples": self.samples}

    def sample_table(self) -> dict[str, Any]:
        """The samples as columns and rows, head first."""
        rows = [[name, *row[1:]] for name in BUCKET_NAMES for row in self.samples[name]]
        return {"columns": list(SAMPLE_COLUMNS), "rows": rows}


def _hash(identifier: str) -> str:
    return hashlib.blake2b(identifier.encode(), digest_size=8).hexdigest()


def _sample(key: str, row: Mapping[str, Any], perplexity: float) -> list[Any]:
    text = row["text"]
    # JSON has no infinity
    shown = perplexity if np.isfinite(perplexity) else None
    return [str(key), row["id"], row["url"], shown, len(text), text[:SAMPLE_CHARACTERS]]
