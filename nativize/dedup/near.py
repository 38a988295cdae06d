"""Near duplicates: candidates by bands, compared exactly, joined to clusters.

A candidate is left out where its sketches are so unlike that a pair at the threshold has them with
probability below one in 30,000; all others are compared exactly. The clusters are the connected
components of all candidates at or above the threshold: neither the order of documents nor what was
found before can change them.
"""

import logging
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nativize.dedup.bands import Bands, write_rest, write_stars
from nativize.dedup.candidates import equal_places, flatten, join, split_pairs
from nativize.dedup.compare import BELOW, similarities_of_spans
from nativize.dedup.documents import Documents, Mask, Numbers
from nativize.dedup.joined import Joined, Settled
from nativize.dedup.known import KnownPairs, pair_hashes
from nativize.dedup.lost import Lost
from nativize.dedup.sign import Signing
from nativize.dedup.stored import StoredTexts, load_texts
from nativize.engine import CorpusEngine

log = logging.getLogger(__name__)

BYTES_IN_ONE_CALL = 32_000_000
"""Of text that one call compares: what a process holds at once, however many pairs there are."""
MOST_REMEMBERED = 4
"""Pairs for each document that is lost; in a first run 1.3 are asked for."""
DEVIATIONS = 4.0
"""Standard deviations below the threshold at which an estimate rules a pair out: p = 3e-5."""

Similarities = NDArray[np.float64]


def least_equal_places(threshold: float, permutations: int) -> int:
    """Equal places below which two sketches rule the threshold out."""
    deviation = math.sqrt(threshold * (1 - threshold) / permutations)
    return max(math.ceil((threshold - DEVIATIONS * deviation) * permutations), 0)


@dataclass
class Comparison:
    """Exact similarities of pairs, found before or now.

    Attributes:
        documents: all there are.
        signing: what they are compared by.
        engine: where comparing runs.
        texts: those of candidates.
        known: what was found in runs before.
        joined: clusters of the run before.
        compared: how many pairs were compared now.
        asked: what was asked for in this run.
    """

    documents: Documents
    signing: Signing
    engine: CorpusEngine
    texts: StoredTexts
    known: KnownPairs
    joined: Joined
    compared: int = 0
    asked: KnownPairs = field(default_factory=KnownPairs.nothing)

    def similarities(self, pairs: Numbers, least: float) -> Similarities:
        """Similarity of m pairs (m x 2), `BELOW` where it is less than ``least``."""
        first, second = pair_hashes(self.documents, pairs)
        found = self.asked.of(first, second)
        found = np.where(np.isnan(found), self.known.of(first, second), found)
        # what was given up at the threshold is unknown to who asks for all of it
        unknown = np.flatnonzero(np.isnan(found) | ((found == BELOW) & (least == 0.0)))
        if len(unknown):
            # their neighbours will be asked for by who explains removals: shards are read once
            beside = np.isin(pairs, pairs[unknown]).any(axis=1)
            self.texts.fetch(np.unique(pairs[beside]))
            found[unknown] = self._compared(pairs[unknown], least)
        self.asked = self.asked.after(KnownPairs(first, second, found))
        return np.where(found >= least, found, BELOW)

    def remembered(self, lost: Lost) -> KnownPairs:
        """What is worth knowing in the next run, where so much is lost now.

        Pairs of texts that are gone are left out when they may be as many as all others.
        """
        remembered = self.known.after(self.asked)
        if len(remembered.first) <= MOST_REMEMBERED * len(lost.documents):
            return remembered
        told = KnownPairs(*pair_hashes(self.documents, lost.pairs()), lost.similarity)
        return self.asked.after(told)

    def sketches(self, members: Numbers) -> NDArray[np.uint8]:
        """A row for each of some sorted documents."""
        path = self.texts.directory / "sketches"
        self.documents.write_sketches(members, path)
        return np.asarray(np.memmap(path, np.uint8, "r").reshape(len(members), -1))

    def _compared(self, pairs: Numbers, least: float) -> Similarities:
        self.compared += len(pairs)
        numbers = self.texts.numbers_of(pairs)
        spans = self.texts.save_spans()
        order = np.lexsort((numbers[:, 1], numbers[:, 0]))
        sizes = self.texts.sizes()[numbers[order]].sum(axis=1)
        calls_before = np.cumsum(sizes) // BYTES_IN_ONE_CALL
        parts = np.split(order, np.flatnonzero(np.diff(calls_before)) + 1)
        calls = [(self.texts.path, spans, numbers[part], self.signing, least) for part in parts]
        similarities = np.empty(len(pairs))
        similarities[order] = np.concatenate(self.engine.map(compare_stored, calls, "compare"))
        return similarities


def compare_stored(
    texts: Path, spans: Path, pairs: Numbers, signing: Signing, least: float
) -> Similarities:
    """Exact similarity of m pairs of the texts in a file."""
    needed, numbers = np.unique(pairs, return_inverse=True)
    chosen = np.load(spans, mmap_mode="r")[needed]
    data, places = load_texts(texts, chosen[:, :2])
    return similarities_of_spans(
        data, places, chosen[:, 2].astype(bool), numbers.reshape(-1, 2), signing.shingling(),
        least=least,
    )  # fmt: skip


def near_clusters(
    comparison: Comparison, takes_part: Mask, settled: Settled
) -> tuple[NDArray[np.uint32], int]:
    """For each document the smallest number of its cluster, and how many candidates there were.

    Who belongs to whom is a mapped file, 4 bytes a document. After a refresh only candidates with
    a document that was touched are counted.
    """
    documents, dedup = comparison.documents, comparison.signing.dedup
    banding = comparison.signing.banding()
    touched = settled.touched
    directory = comparison.texts.directory / "bands"
    bands = Bands.of(documents, banding.bands, takes_part, touched, directory)
    bands.save(clusters=[settled.parents])
    parents = bands.load("clusters", "r+")
    packed = bands.join(comparison.engine, write_stars)
    pairs = split_pairs(packed)
    members = np.unique(pairs)
    if bands.narrowed:
        pairs = pairs[touched[pairs].any(axis=1)]
    candidates = len(pairs)
    if not candidates or not dedup.verify:
        join(parents, pairs)
        flatten(parents)
        return parents, candidates
    bands.save(rows=[np.zeros(len(documents), np.uint32)])
    rows = bands.load("rows", "r+")
    rows[members] = np.arange(len(members))
    documents.write_sketches(members, directory / "sketches")
    places = max(dedup.permutations, banding.values)
    least = least_equal_places(dedup.threshold, places)
    equal = equal_places(bands.load("sketches").reshape(-1, places), pairs, rows)
    del members
    pairs = pairs[equal >= least]
    join(parents, pairs[comparison.similarities(pairs, dedup.threshold) >= dedup.threshold])
    flatten(parents)
    bands.flush(parents)
    bands.flush(rows)
    rest = bands.join(comparison.engine, write_rest, least, places)
    pairs = split_pairs(np.setdiff1d(rest, packed, assume_unique=True))
    join(parents, pairs[comparison.similarities(pairs, dedup.threshold) >= dedup.threshold])
    flatten(parents)
    log.info("near duplicates: %d candidates, %d compared", candidates, comparison.compared)
    return parents, candidates + len(pairs)
