"""Pairs of documents that a peer takes for duplicates: run_dedup.py documents.jsonl PEER.

Every peer gets texts in memory, folds them as the truth is folded (NFKC, case, blank runs), which
its users must do themselves, cuts them into shingles of five characters, makes 120 permutations
and compares 20 bands of 6. Where a peer knows words alone, characters are given to it as words.
datatrove cuts Japanese into words itself, as its users do. Seconds are those of the processor.
"""

import glob
import os
import struct
import sys
import tempfile
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import measure

SHINGLE, PERMUTATIONS, BANDS, ROWS, THRESHOLD = 5, 120, 20, 6, 0.8

Pairs = Iterable[tuple[int, int]]
Detect = Callable[[Sequence[str]], Pairs]


def folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def shingles(text: str) -> set[str]:
    text = folded(text)
    return {text[at : at + SHINGLE] for at in range(len(text) - SHINGLE + 1)}


def datasketch_loop(texts: Sequence[str]) -> Pairs:
    """As its documentation begins: one update a shingle."""
    from datasketch import MinHash

    signatures = []
    for text in texts:
        signature = MinHash(num_perm=PERMUTATIONS)
        for shingle in shingles(text):
            signature.update(shingle.encode())
        signatures.append(signature)
    return datasketch_index(signatures)


def datasketch_bulk(texts: Sequence[str]) -> Pairs:
    """Its vectorised interface."""
    from datasketch import MinHash

    sets = ([shingle.encode() for shingle in shingles(text)] for text in texts)
    return datasketch_index(list(MinHash.bulk(sets, num_perm=PERMUTATIONS)))


def datasketch_index(signatures: Sequence[Any]) -> Pairs:
    from datasketch import MinHashLSH

    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    for number, signature in enumerate(signatures):
        yield from ((int(other), number) for other in index.query(signature))
        index.insert(number, signature)


def rensa(texts: Sequence[str]) -> Pairs:
    """Its matrix of digests from sets of shingles, and its index."""
    import rensa

    signatures = []
    for text in texts:
        signature = rensa.RMinHash(num_perm=PERMUTATIONS, seed=1)
        signature.update(list(shingles(text)))
        signatures.append(signature)
    index = rensa.RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=BANDS)
    index.insert_many(signatures)
    for number, others in enumerate(index.query_all(signatures)):
        yield from ((number, other) for other in others if other != number)


def daft(texts: Sequence[str]) -> Pairs:
    """Its minhash expression over characters as words; bands grouped by its own group-by."""
    import daft
    from daft.functions import minhash

    spaced = [" ".join(folded(text)) for text in texts]
    frame = daft.from_pydict({"number": list(range(len(spaced))), "text": spaced})
    sketch = minhash(
        daft.col("text"), num_hashes=PERMUTATIONS, ngram_size=SHINGLE, hash_function="xxhash3_64"
    )
    table = frame.select(daft.col("number"), sketch.alias("sketch")).to_arrow()
    values = table["sketch"].combine_chunks().flatten().to_numpy().reshape(-1, PERMUTATIONS)
    rows = [
        [bytes(row[band * ROWS : (band + 1) * ROWS]) for band in range(BANDS)] for row in values
    ]
    return buckets(rows)


def text_dedup(texts: Sequence[str]) -> Pairs:
    """The function that its MinHash command maps over a data set, with its faster hashes."""
    import numpy as np
    from text_dedup.minhash import RNG, SIGNATURE_COLUMN, embed_func
    from text_dedup.utils import xxh3_32hash

    prime = np.uint32((1 << 32) - 5)
    permutations = (
        RNG.randint(1, prime, size=PERMUTATIONS, dtype=np.uint32),
        RNG.randint(0, prime, size=PERMUTATIONS, dtype=np.uint32),
    )
    rows = [
        embed_func(
            " ".join(folded(text)), number, num_perm=PERMUTATIONS, ngram_size=SHINGLE,
            min_length=1, hashranges=[(band * ROWS, (band + 1) * ROWS) for band in range(BANDS)],
            permutations=permutations, hash_func=xxh3_32hash, dtype=np.uint32,
            max_hash=np.uint32((1 << 32) - 1), modulo_prime=prime,
        )[SIGNATURE_COLUMN]
        for number, text in enumerate(texts)
    ]  # fmt: skip
    return buckets(rows)


def datatrove(texts: Sequence[str]) -> Pairs:
    """Its signatures and buckets, with the words that it gives Japanese (SudachiPy)."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    config = MinhashConfig(n_grams=SHINGLE, num_buckets=BANDS, hashes_per_bucket=ROWS)
    documents = (Document(text=folded(text), id=str(n)) for n, text in enumerate(texts))
    with tempfile.TemporaryDirectory() as folder:
        signatures, found = f"{folder}/signatures", f"{folder}/buckets"
        sign = MinhashDedupSignature(signatures, config, language="jpn_Jpan")
        for _ in sign.run(documents, rank=0, world_size=1) or ():
            pass
        for bucket in range(BANDS):
            step = MinhashDedupBuckets(signatures, found, config=config)
            for _ in step.run(None, rank=bucket, world_size=BANDS) or ():
                pass
        for path in sorted(glob.glob(f"{found}/*.dups")):
            with open(path, "rb") as file:
                for _, first, _, second in struct.iter_unpack("<4I", file.read()):
                    yield first, second


def buckets(rows: Sequence[Sequence[bytes]]) -> Pairs:
    """Neighbours among the documents that share a band."""
    for band in range(BANDS):
        table: dict[bytes, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            table[row[band]].append(number)
        for members in table.values():
            yield from pairwise(members)


PEERS: dict[str, Detect] = {
    "datasketch-loop": datasketch_loop,
    "datasketch-bulk": datasketch_bulk,
    "rensa": rensa,
    "daft": daft,
    "text-dedup": text_dedup,
    "datatrove": datatrove,
}


def main(path: str, peer: str) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    texts = [text for _, text in measure.read(path)]
    detect = PEERS[peer]
    list(detect(texts[:20]))  # loads what it loads
    before = measure.peak_megabytes()
    used = time.process_time()
    pairs = sorted({(min(pair), max(pair)) for pair in detect(texts)})
    seconds = time.process_time() - used
    peak = measure.peak_megabytes()
    measure.answer({"seconds": seconds, "pairs": pairs, "peak_mb": peak, "grown_mb": peak - before})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
