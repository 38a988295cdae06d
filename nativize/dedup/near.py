"""Near duplicates: candidates by bands, compared exactly, joined to clusters.

A candidate is left out where its sketches are so unlike that a pair at the threshold has them with
probability below one in 30,000; all others are compared exactly. The clusters are the connected
components of all candidates at or above the threshold: neither the order of documents nor what was
found before can change them.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nativize.dedup.bands import Bands, write_rest, write_stars
from nativize.dedup.candidates import equal_places, flatten, join
from nativize.dedup.compare import BELOW, similarities_of_spans
from nativize.dedup.crowds import Crowds, write_pairs_in_crowds
from nativize.dedup.documents import Documents, Hashes, Mask, Numbers
from nativize.dedup.joined import Joined, Settled
from nativize.dedup.known import UNKNOWN, KnownPairs, pair_hashes, write_together
from nativize.dedup.lost import Lost
from nativize.dedup.mapped import flush, mapped
from nativize.dedup.pairs import MOST_PAIRS, is_among, merge, pieces, sifted, split_pairs
from nativize.dedup.sign import Signing
from nativize.dedup.stored import StoredTexts, load_texts, parts_for_calls
from nativize.engine import CorpusEngine

log = logging.getLogger(__name__)

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
        asked: what was asked for in this run, the last first.
    """

    documents: Documents
    signing: Signing
    engine: CorpusEngine
    texts: StoredTexts
    known: KnownPairs
    joined: Joined
    compared: int = 0
    asked: list[KnownPairs] = field(default_factory=list)

    def similar(self, packed: Hashes) -> Iterator[Numbers]:
        """Of pairs on disk those at or above the threshold, piece by piece (m x 2 each)."""
        least = self.signing.dedup.threshold
        if len(packed) > MOST_PAIRS:  # all shards are read once, not once for each piece
            wanted = np.zeros(len(self.documents), bool)
            for piece in pieces(packed):
                pairs = split_pairs(piece)
                unknown = self._unknown(self._found(*pair_hashes(self.documents, pairs)), least)
                wanted[pairs[unknown]] = True
            self.texts.fetch(np.flatnonzero(wanted))
        for piece in pieces(packed):
            pairs = split_pairs(piece)
            yield pairs[self.similarities(pairs, least) >= least]

    def similarities(self, pairs: Numbers, least: float) -> Similarities:
        """Similarity of m pairs (m x 2), `BELOW` where it is less than ``least``."""
        hashes = pair_hashes(self.documents, pairs)
        found = self._found(*hashes)
        unknown = self._unknown(found, least)
        if len(unknown):
            # their neighbours will be asked for by who explains removals: shards are read once
            beside = np.isin(pairs, pairs[unknown]).any(axis=1)
            self.texts.fetch(np.unique(pairs[beside]))
            found[unknown] = self._compared(pairs[unknown], least)
        asked = self.texts.directory / f"asked-{len(self.asked)}"
        self.asked.insert(0, write_together([KnownPairs.of(*hashes, found)], asked))
        return np.where(found >= least, found, BELOW)

    def remember(self, lost: Lost, directory: Path) -> None:
        """Write what is worth knowing in the next run, where so much is lost now.

        Pairs of texts that are gone are left out when they may be as many as all others.
        """
        remembered = write_together([*self.asked, self.known], directory)
        if len(remembered) > MOST_REMEMBERED * len(lost.documents):
            hashes = pair_hashes(self.documents, lost.pairs())
            told = KnownPairs.of(*hashes, lost.similarity)
            write_together([told, *self.asked], directory)

    def _found(self, first: Hashes, second: Hashes) -> Similarities:
        found = np.full(len(first), UNKNOWN)
        for run in [*self.asked, self.known]:
            unknown = np.flatnonzero(np.isnan(found))
            found[unknown] = run.similarities(first[unknown], second[unknown])
        return found

    @staticmethod
    def _unknown(found: Similarities, least: float) -> Numbers:
        # what was given up at the threshold is unknown to who asks for all of it
        return np.flatnonzero(np.isnan(found) | ((found == BELOW) & (least == 0.0)))

    def sketches(self, members: Numbers) -> NDArray[np.uint8]:
        """A row for each of some sorted documents."""
        path = self.texts.directory / "sketches"
        self.documents.write_sketches(members, path)
        return mapped(path, np.uint8).reshape(len(members), -1)

    def _compared(self, pairs: Numbers, least: float) -> Similarities:
        self.compared += len(pairs)
        numbers = self.texts.numbers_of(pairs)
        spans = self.texts.save_spans()
        order = np.lexsort((numbers[:, 1], numbers[:, 0]))
        sizes = self.texts.sizes()[numbers[order]].sum(axis=1)
        parts = [order[part] for part in parts_for_calls(sizes)]
        calls = [(self.texts.path, spans, numbers[part], self.signing, least) for part in parts]
        similarities = np.empty(len(pairs))
        similarities[order] = np.concatenate(self.engine.map(compare_stored, calls, "compare"))
        return similarities


def compare_stored(
    texts: Path, spans: Path, pairs: Numbers, signing: Signing, least: float
) -> Similarities:
    """Exact similarity of m pairs of the texts in a file."""
    needed, numbers = np.unique(pairs, return_inverse=True)
    read = load_texts(texts, spans, needed)
    return similarities_of_spans(*read, numbers.reshape(-1, 2), signing.shingling(), least=least)


def near_clusters(
    comparison: Comparison, takes_part: Mask, settled: Settled
) -> tuple[NDArray[np.uint32], int]:
    """For each document the smallest number of its cluster, and how many candidates there were.

    Out of core: pairs come from disk piece by piece, and who belongs to whom is a mapped file of
    4 bytes a document. After a refresh only candidates with a touched document are counted.
    """
    documents, dedup = comparison.documents, comparison.signing.dedup
    banding = comparison.signing.banding()
    directory = comparison.texts.directory / "bands"
    bands = Bands.of(documents, banding.bands, takes_part, settled.touched, directory)
    bands.save(clusters=[settled.parents])
    parents = bands.load("clusters", "r+")
    stars = candidates = bands.join(comparison.engine, write_stars, directory / "stars")
    if bands.narrowed:
        candidates = sifted(stars, bands.with_touched, directory / "candidates")
    if not len(candidates) or not dedup.verify:
        for piece in pieces(candidates):
            join(parents, split_pairs(piece))
        flatten(parents)
        return parents, len(candidates)
    places = max(dedup.permutations, banding.values)
    least = least_equal_places(dedup.threshold, places)
    bands.save_sketches(documents, stars)
    rows, sketches = bands.load("rows"), bands.load("sketches").reshape(-1, places)
    likely = sifted(
        candidates,
        lambda piece: equal_places(sketches, split_pairs(piece), rows) >= least,
        directory / "likely",
    )
    for similar in comparison.similar(likely):
        join(parents, similar)
    flatten(parents)
    flush(parents)
    bands.join(comparison.engine, write_rest, directory / "rest", least, places)
    write_pairs_in_crowds(
        Crowds.of(bands.crowds()), comparison.texts, comparison.signing, comparison.engine,
        bands.among(least, places), directory / "crowded",
    )  # fmt: skip
    rest = merge([directory / "rest", directory / "crowded"], directory / "both")
    rest = sifted(rest, lambda piece: ~is_among(piece, stars), directory / "likely rest")
    for similar in comparison.similar(rest):
        join(parents, similar)
    flatten(parents)
    log.info("near duplicates: %d candidates, %d compared", len(candidates), comparison.compared)
    return parents, len(candidates) + len(rest)
