"""The join of all bands: through files in order, as here, beside Daft's group-by and Ray's sort.

``python -m benchmarks.dedup_exchange``. Documents share bands as they do in a corpus with 29 %
copies; one core each, seconds of the clock.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import environment
from nativize.dedup.bands import Bands, write_stars
from nativize.dedup.sign import sorted_bands

DOCUMENTS = 200_000
BANDS = 20
SHARDS = 16
COPIES, SHARED = 0.29, 0.6
"""Of the documents, and of a copy's bands."""
PEERS = ("daft", "ray-data")


def main() -> dict[str, float]:
    """Seconds of each."""
    bands = drawn()
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        seconds = {"nativize": ours(bands, root)}
        keys = (np.arange(BANDS, dtype=np.uint64) << np.uint64(32)) | bands
        np.save(root / "keys.npy", keys)
        groups = int((np.unique(keys, return_counts=True)[1] > 1).sum())
        for peer in PEERS:
            answer = environment.run("run_exchange.py", str(root / "keys.npy"), peer)
            if answer["groups"] != groups:
                raise SystemExit(f"{peer} found {answer['groups']} groups of {groups}")
            seconds[peer] = answer["seconds"]
    for name, value in seconds.items():
        print(f"bands of {DOCUMENTS:,} documents joined by {name}: {value:.2f} s")
    return seconds


def drawn() -> NDArray[np.uint32]:
    """Bands of all documents."""
    generator = np.random.default_rng(5)
    bands = generator.integers(0, 1 << 32, (DOCUMENTS, BANDS), dtype=np.uint32)
    copies = generator.random(DOCUMENTS) < COPIES
    shared = copies[:, None] & (generator.random(bands.shape) < SHARED)
    originals = generator.integers(0, DOCUMENTS, DOCUMENTS)
    return np.where(shared, bands[originals], bands)


def ours(bands: NDArray[np.uint32], root: Path) -> float:
    """From unsorted bands to pairs: what signing, once, and joining do."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    begins = [DOCUMENTS * shard // SHARDS for shard in range(SHARDS + 1)]
    files = tuple(root / f"{shard}.bands" for shard in range(SHARDS))
    for _ in range(2):  # the first time kernels are compiled
        started = time.perf_counter()
        for shard, file in enumerate(files):
            part = bands[begins[shard] : begins[shard + 1]]
            sorted_bands(part, np.ones(len(part), bool)).tofile(file)
        joined = Bands(files, tuple(begins[:-1]), BANDS, 1, root, narrowed=False)
        everyone = np.ones(DOCUMENTS, bool)
        joined.save(takes_part=[everyone], touched=[everyone])
        joined.save(merits=[np.arange(DOCUMENTS, dtype=np.uint64)])
        for piece in joined.slices():
            write_stars(piece)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
