"""Candidates checked against the truth: exact Jaccard of every pair, from shingle sets on disk.

The sets of all candidates lie end to end in one file that is mapped, not read, so that memory
stays bounded by what the page cache can spare; 8 bytes a shingle.
"""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nativize.dedup import kernel
from nativize.dedup.candidates import Indices, remaining_pairs, star_pairs
from nativize.dedup.families import Signatures, Similarities, clusters_of
from nativize.dedup.sign import Signing, shingle_shard
from nativize.engine import CorpusEngine

log = logging.getLogger(__name__)

PAIRS_IN_ONE_CALL = 200_000


@dataclass(frozen=True)
class ShingleStore:
    """Shingle sets of the candidates among N documents.

    Attributes:
        path: their hashes, end to end, raw little-endian 64 bits.
        begins: for each of N documents where its set begins; 0 for those without one.
        ends: and where it ends.
    """

    path: Path
    begins: Indices
    ends: Indices

    def jaccard(self, pairs: Indices, engine: CorpusEngine) -> Similarities:
        """Exact similarity of each pair of documents."""
        parts = [
            pairs[at : at + PAIRS_IN_ONE_CALL] for at in range(0, len(pairs), PAIRS_IN_ONE_CALL)
        ]
        spans = [(self.path, self.begins[part], self.ends[part]) for part in parts]
        found = engine.map(jaccard_of_spans, spans, "verify")
        return np.concatenate([np.empty(0), *found])


def jaccard_of_spans(path: Path, begins: Indices, ends: Indices) -> Similarities:
    """Exact Jaccard of m pairs of sets in a file; ``begins`` and ``ends`` are m x 2."""
    size = path.stat().st_size
    # an empty file cannot be mapped
    hashes = np.memmap(path, "<u8", "r") if size else np.empty(0, np.uint64)
    return np.asarray(kernel.jaccard_of_spans(np.asarray(hashes), begins, ends))


@dataclass(frozen=True)
class NearPairs:
    """Verified pairs (m x 2), how many candidates were compared, and where the sets are."""

    pairs: Indices
    compared: int
    sets: ShingleStore | None


def find_near_pairs(
    signatures: Signatures,
    copy_of: Indices,
    shards: Sequence[Path],
    signing: Signing,
    threshold: float,
    scratch: Path,
    engine: CorpusEngine,
) -> NearPairs:
    """Pairs of documents whose exact similarity is at least ``threshold``.

    Of exact copies only the best takes part. Pairs that would only confirm a cluster are left
    out, so these are enough to form the clusters, not all pairs there are.
    """
    takes_part = (copy_of == np.arange(len(copy_of))) & signatures.column("shingled").astype(bool)
    members = np.flatnonzero(takes_part)
    bands = signatures.bands[members]
    stars = members[star_pairs(bands)]
    if not len(stars):
        return NearPairs(stars, 0, None)
    sets = _store_sets(signatures, np.unique(stars), shards, signing, scratch, engine)
    near = stars[sets.jaccard(stars, engine) >= threshold]
    clusters = clusters_of(copy_of, near)
    rest = members[remaining_pairs(bands, clusters[members])]
    near = np.concatenate([near, rest[sets.jaccard(rest, engine) >= threshold]])
    log.info("near duplicates: %d candidate pairs, %d verified", len(stars) + len(rest), len(near))
    return NearPairs(near, len(stars) + len(rest), sets)


def _store_sets(
    signatures: Signatures,
    documents: Indices,
    shards: Sequence[Path],
    signing: Signing,
    scratch: Path,
    engine: CorpusEngine,
) -> ShingleStore:
    """The shingle sets of some documents, made shard by shard, joined in one file."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    rows, homes = signatures.column("row"), signatures.column("shard")
    parts = [(number, documents[homes[documents] == number]) for number in range(len(shards))]
    parts = [(number, part) for number, part in parts if len(part)]
    calls = [
        (shards[number], rows[part], signing, scratch / f"{number:06d}") for number, part in parts
    ]
    engine.map(shingle_shard, calls, "shingle")
    begins = np.zeros(len(signatures), np.int64)
    ends = np.zeros(len(signatures), np.int64)
    total = 0
    with (scratch / "sets").open("wb") as whole:
        for (_, part), call in zip(parts, calls, strict=True):
            offsets: NDArray[np.int64] = np.load(call[3].with_suffix(".offsets.npy"))
            hashes = call[3].with_suffix(".hashes.npy")
            np.load(hashes, mmap_mode="r").tofile(whole)
            hashes.unlink()
            begins[part], ends[part] = total + offsets[:-1], total + offsets[1:]
            total += int(offsets[-1])
    return ShingleStore(scratch / "sets", begins, ends)
