"""Signatures as datasketch's objects and back, for people who have an index of their own.

Only positions and minima are shared with datasketch, not how a value comes about: our signatures
are fast similarity sketches (Dahlgaard, Knudsen, Thorup 2017). Exported ones can therefore be
compared with each other, merged, put into ``MinHashLSH``, pickled and serialised, but neither
updated with tokens nor compared with sketches that datasketch made.
"""

from collections.abc import Sequence

import numpy as np
from datasketch import LeanMinHash, MinHash
from numpy.typing import NDArray

from nativize.errors import CorpusError

SCHEME = "affine64"
"""datasketch's name for values of 64 bits; it hashes nothing here."""
FOREIGN_SEEDS = 1 << 32
"""datasketch's own sketches have smaller seeds, so it refuses to compare ours with them."""


def to_datasketch(signatures: NDArray[np.uint64], seed: int) -> list[MinHash]:
    """One frozen sketch (``LeanMinHash``) per signature: it refuses updates and foreign sketches.

    ``jaccard``, ``merge``, ``union`` and the indexes work as with datasketch's own. ``count``
    means nothing, for it supposes values that are spread over all 64 bits. An index does not look
    at seeds: give it sketches of one origin.

    Args:
        signatures: N documents x permutations.
        seed: that of the recipe; sketches of different seeds cannot be compared.
    """
    if signatures.ndim != 2 or signatures.dtype != np.uint64:
        raise CorpusError(
            f"signatures are {signatures.dtype} of shape {signatures.shape};"
            " datasketch takes uint64, documents x permutations"
        )
    return [
        LeanMinHash(seed=FOREIGN_SEEDS + seed, hashvalues=row, scheme=SCHEME) for row in signatures
    ]


def from_datasketch(sketches: Sequence[MinHash]) -> NDArray[np.uint64]:
    """N sketches x permutations; any scheme, ours or datasketch's own.

    Positions can be banded, compared and merged as they are; 32-bit values stay small numbers.

    Raises:
        CorpusError: the sketches differ in length, seed or scheme; names the first that does.
    """
    if not sketches:
        return np.empty((0, 0), np.uint64)
    origins = [(len(sketch), sketch.seed, sketch.scheme) for sketch in sketches]
    for number, origin in enumerate(origins):
        if origin != origins[0]:
            raise CorpusError(
                f"sketch {number} has (permutations, seed, scheme) {origin}, but sketch 0"
                f" {origins[0]}: they cannot be compared; make all with the same"
            )
    return np.stack([sketch.hashvalues for sketch in sketches]).astype(np.uint64)
