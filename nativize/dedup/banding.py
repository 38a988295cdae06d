"""How a signature is cut into bands: the chance that two similar documents are ever compared.

A pair that shares no band is lost for good; one that shares a band by accident costs one exact
comparison, some microseconds. So the default lets a lost pair weigh as much as 500 candidates.
What the curve promises is measured on the corpus itself, with edits planted in copies.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.recipe import Dedup

FALSE_POSITIVE_WEIGHT = 1.0
FALSE_NEGATIVE_WEIGHT = 500.0
"""At threshold 0.8 and 120 permutations every weight from 299 to 1,840 gives 20 bands of 6 rows."""

MEASUREMENT = 1
"""Counted up when the same texts would be measured otherwise."""
SAMPLE_TEXTS = 200
MEASURED_CHARACTERS = 1_000
"""Of longer texts; so 200 of them with ten copies are 2 MB, and 6 MB of Japanese."""
SHORTEST_MEASURED = 50
COPIES = 10
PROBES = 20
LOWEST = 0.4
BINS = 20
"""From 0 to 1, those from 0.4 on are filled."""


def detection_probability(similarity: Any, bands: Any, rows: Any) -> Any:
    """The chance that a pair of this Jaccard similarity shares at least one band.

    Source: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4.2.
    """
    return 1.0 - (1.0 - similarity**rows) ** bands


@dataclass(frozen=True)
class Banding:
    """Bands of so many values of a signature; two documents that share one are compared."""

    bands: int
    rows: int

    @classmethod
    def of(cls, dedup: Dedup) -> Self:
        """Bands and rows of the recipe; the optimum of its permutations where it gives none."""
        if dedup.bands and dedup.rows:
            return cls(dedup.bands, dedup.rows)
        return cls.optimum(dedup.threshold, dedup.permutations)

    @classmethod
    def optimum(
        cls,
        threshold: float,
        permutations: int,
        false_positive_weight: float = FALSE_POSITIVE_WEIGHT,
        false_negative_weight: float = FALSE_NEGATIVE_WEIGHT,
    ) -> Self:
        """The banding of at most ``permutations`` values that errs least, by weight.

        Its errors are the area under the S-curve below the threshold (candidates in vain) and
        the area above the curve from the threshold on (pairs lost). With the default weights:

            ==========  ======  ======  ======  ======  ======  ======  =========
            threshold      0.5     0.6     0.7     0.8     0.9    0.95  detection
            ==========  ======  ======  ======  ======  ======  ======  =========
            64 values   25 × 2  21 × 3  16 × 3  12 × 4   9 × 7  6 × 10   ≥ 0.9940
            120 values  40 × 3  28 × 3  24 × 4  20 × 6 12 × 10  8 × 15   ≥ 0.9931
            256 values  52 × 3  49 × 4  42 × 6  32 × 8 19 × 13 12 × 21   ≥ 0.9932
            ==========  ======  ======  ======  ======  ======  ======  =========

        Source: datasketch 2.0.0, lsh.py, whose ``MinHashLSH(threshold, num_perm, weights)`` has
            the same bands and rows.
        """
        choices, in_vain, lost = _errors(threshold, permutations)
        errors = false_positive_weight * in_vain + false_negative_weight * lost
        bands, rows = choices[np.argmin(errors)].tolist()
        return cls(bands, rows)

    @property
    def values(self) -> int:
        """How many values of a signature are looked at."""
        return self.bands * self.rows

    def detection(self, similarity: float) -> float:
        """The chance that a pair of this Jaccard similarity is compared."""
        return float(detection_probability(similarity, self.bands, self.rows))


@cache
def _errors(
    threshold: float, permutations: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Every banding (m x 2), ordered by bands, then rows, and its two areas of error.

    The S-curve is a polynomial of degree bands * rows, so that Gauss's quadrature with half as
    many points has no error but that of rounding; 9 ms for 256 permutations.
    """
    choices = np.array(
        [
            (bands, rows)
            for bands in range(1, permutations + 1)
            for rows in range(1, permutations // bands + 1)
        ]
    )
    points, weights = np.polynomial.legendre.leggauss(permutations // 2 + 1)
    bands, rows = choices[:, :1], choices[:, 1:]
    below = threshold * (points + 1) / 2
    above = threshold + (1 - threshold) * (points + 1) / 2
    in_vain = detection_probability(below, bands, rows) @ weights * threshold / 2
    lost = (1 - detection_probability(above, bands, rows)) @ weights * (1 - threshold) / 2
    return choices, in_vain, lost


@dataclass(frozen=True)
class RecallBin:
    """Pairs whose exact similarity lies from ``low`` up to ``high``, and how many share a band.

    Attributes:
        similarity: their mean.
    """

    low: float
    high: float
    similarity: float
    pairs: int
    found: int

    def interval(self) -> tuple[float, float]:
        """Where the true share lies with 95 % confidence.

        Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
        """
        z, share = 1.959964, self.found / self.pairs
        middle = share + z * z / (2 * self.pairs)
        margin = z * math.sqrt(
            share * (1 - share) / self.pairs + z * z / (4 * self.pairs * self.pairs)
        )
        scale = 1 + z * z / self.pairs
        return max(0.0, (middle - margin) / scale), min(1.0, (middle + margin) / scale)


def sample_of(digests: NDArray[np.uint64], most: int = SAMPLE_TEXTS) -> NDArray[np.int64]:
    """Rows of the texts with the smallest digests, ascending; of equal digests the first row.

    The sample depends on the texts alone, and a corpus that grows by 1 % keeps 99 % of it.
    """
    looked_at = most
    while looked_at < len(digests):
        border = np.partition(digests, looked_at)[looked_at]
        rows = np.flatnonzero(digests <= border)
        firsts = np.unique(digests[rows], return_index=True)[1]
        if len(firsts) >= most:
            return np.sort(rows[firsts[:most]])
        # copies of few texts have the smallest digests
        looked_at *= 4
    return np.sort(np.unique(digests, return_index=True)[1][:most])


def measurement_identity(texts: Sequence[str], banding: Banding, seed: int) -> dict[str, object]:
    """What `measure_detection` depends on beside the recipe's shingles, as plain JSON."""
    digest = hashlib.sha256()
    for text in texts:
        data = text[:MEASURED_CHARACTERS].encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return {
        "measurement": MEASUREMENT, "texts": digest.hexdigest(),
        "bands": banding.bands, "rows": banding.rows, "seed": seed,
    }  # fmt: skip


def measure_detection(
    texts: Sequence[str],
    band_hashes: Callable[[Sequence[str]], NDArray[Any]],
    similarity: Callable[[Sequence[str], NDArray[np.int64]], NDArray[np.float64]],
    seed: int,
) -> list[RecallBin]:
    """The share of pairs that share a band, by exact similarity; copies with planted edits.

    Of each text ten copies are made, characters of which are replaced by others of the same text,
    so many that similarities spread evenly over 0.4 … 1; bins without pairs are left out.

    Args:
        texts: documents of the corpus; of long ones the beginning is used.
        band_hashes: N texts to N x bands, the stage's own.
        similarity: texts and m x 2 indices of them to m exact Jaccard similarities.
        seed: draws the edits.
    """
    originals = [code_points(text[:MEASURED_CHARACTERS]) for text in texts]
    originals = [points for points in originals if len(points) >= SHORTEST_MEASURED]
    if not originals:
        return []
    generator = np.random.Generator(np.random.PCG64(seed))
    targets = LOWEST + (1 - LOWEST) * generator.permuted(
        np.tile((np.arange(COPIES) + 0.5) / COPIES, (len(originals), 1)), axis=1
    )
    rates = _rates_for(targets, originals, similarity, generator)
    written, pairs = _with_copies(originals, rates, generator)
    bands = band_hashes(written)
    shared = (bands[pairs[:, 0]] == bands[pairs[:, 1]]).any(axis=1)
    return _binned(similarity(written, pairs), shared)


def code_points(text: str) -> NDArray[np.uint32]:
    """The text's characters as numbers."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _rates_for(
    targets: NDArray[np.float64],
    originals: Sequence[NDArray[np.uint32]],
    similarity: Callable[[Sequence[str], NDArray[np.int64]], NDArray[np.float64]],
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Shares of characters to replace for these similarities, as some texts were seen to react.

    How much an edit costs depends on what shingles are made of, which is not known here.
    """
    probes = originals[:PROBES]
    tried = np.geomspace(1e-3, 0.3, 12)
    written, pairs = _with_copies(probes, np.tile(tried, (len(probes), 1)), generator)
    seen = np.median(similarity(written, pairs).reshape(len(probes), -1), axis=0)
    falling = np.minimum.accumulate(np.append(1.0, seen))
    return np.asarray(np.interp(targets, falling[::-1], np.append(0.0, tried)[::-1]))


def _with_copies(
    originals: Sequence[NDArray[np.uint32]],
    rates: NDArray[np.float64],
    generator: np.random.Generator,
) -> tuple[list[str], NDArray[np.int64]]:
    """The texts and their copies, one for each of a row of rates, and the pairs they make."""
    written = [text_of(points) for points in originals]
    for points, row in zip(originals, rates, strict=True):
        for edits in np.maximum(1, np.rint(row * len(points)).astype(np.int64)):
            copy = points.copy()
            places, sources = generator.integers(0, len(points), (2, edits))
            copy[places] = points[sources]
            written.append(text_of(copy))
    numbers = np.arange(len(originals), len(written))
    return written, np.stack([np.repeat(np.arange(len(originals)), rates.shape[1]), numbers], 1)


def text_of(points: NDArray[np.uint32]) -> str:
    """Characters given as numbers, as a text."""
    return points.tobytes().decode("utf-32-le", "surrogatepass")


def _binned(similarities: NDArray[np.float64], shared: NDArray[np.bool_]) -> list[RecallBin]:
    """Bins of 0.05 from 0.4 on; equal pairs are left out, for they are found by definition."""
    counted = (similarities >= LOWEST) & (similarities < 1)
    # the summand keeps 0.6 in the bin that begins there
    numbers = np.floor(similarities * BINS + 1e-9).astype(np.int64)
    bins = []
    for number in np.unique(numbers[counted]).tolist():
        here = counted & (numbers == number)
        bins.append(
            RecallBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                similarity=round(float(similarities[here].mean()), 4),
                pairs=int(here.sum()),
                found=int(shared[here].sum()),
            )
        )
    return bins
