"""How a signature is cut into bands: the chance that two similar documents are ever compared.

A pair that shares no band is lost for good; one that shares a band by accident costs one exact
comparison, some microseconds. So the default lets a lost pair weigh as much as 500 candidates.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nativize.recipe import Dedup

FALSE_POSITIVE_WEIGHT = 1.0
FALSE_NEGATIVE_WEIGHT = 500.0
"""At threshold 0.8 and 120 permutations every weight from 299 to 1,840 gives 20 bands of 6 rows."""


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
