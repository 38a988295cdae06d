"""Near-duplicate detection: ours beside datasketch, on the same text in the same run.

Documents are pieces of real text where it lies beside the project, composed Japanese elsewhere;
every fourth gets a copy with some characters replaced. The truth is the exact Jaccard similarity
of every planted pair and of every pair that anyone reports. All use 5-character shingles, 20
bands of 6 rows, one process. Ours is the whole stage, reading and writing Parquet and verifying
each pair; datasketch's index does not verify, which is why it is less precise. Run it by
`python -m benchmarks.dedup`.
"""

import argparse
import importlib.metadata
import json
import platform
import random
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from datasketch import MinHash, MinHashLSH

from nativize.artifact import standalone
from nativize.crawl.document import SCHEMA
from nativize.dedup import deduplicate, kernel
from nativize.dedup.fold import fold, fold_all
from nativize.engine import LocalEngine
from nativize.recipe import Dedup, Language
from nativize.sample.compose import compose
from nativize.sample.material import load_material

ROOT = Path(__file__).resolve().parent.parent
REAL_TEXT = ROOT.parent / "shared" / "data" / "text" / "ja_docs_rurema.tar.zst"
PIECE_CHARACTERS = 1_500
SETTINGS = Dedup(heldout_share=0.0)
FUNCTIONS = SETTINGS.bands * SETTINGS.rows

Pair = tuple[int, int]


@dataclass(frozen=True)
class Result:
    """One contender: throughput, and what it found of the pairs at or above the threshold."""

    name: str
    megabytes_per_second: float
    recall: float
    precision: float
    pairs: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=2.0, help="UTF-8 text, about")
    options = parser.parse_args()
    texts, planted = corpus(int(options.megabytes * 1e6))
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts)} documents, {megabytes:.1f} MB, {len(planted)} planted copies")
    warm_up()
    contenders: dict[str, Callable[[Sequence[str]], set[Pair]]] = {
        "nativize": ours,
        "datasketch loop": datasketch_loop,
        "datasketch bulk": datasketch_bulk,
    }
    results = [measure(name, run, texts, planted, megabytes) for name, run in contenders.items()]
    signatures = megabytes / seconds_of(lambda: sign(texts))
    print(f"\n{'':18}{'MB/s':>8}{'recall':>9}{'precision':>11}{'pairs':>8}")
    for result in results:
        print(
            f"{result.name:18}{result.megabytes_per_second:8.2f}{result.recall:9.4f}"
            f"{result.precision:11.4f}{result.pairs:8}"
        )
    print(f"our folding and signatures alone: {signatures:.1f} MB/s")
    write_results(results, signatures, megabytes, len(texts))
    print("figures: " + " ".join(f"{key}={value}" for key, value in figures(results, signatures)))


def corpus(size: int) -> tuple[list[str], list[Pair]]:
    """Pieces of text with planted copies, and the pairs (original, copy)."""
    generator = random.Random(1)
    texts: list[str] = []
    planted: list[Pair] = []
    written = 0
    for number, piece in enumerate(pieces()):
        if written >= size:
            break
        copies = [piece] if number % 4 else [piece, replaced(piece, generator)]
        if len(copies) == 2:
            planted.append((len(texts), len(texts) + 1))
        texts += copies
        written += sum(len(text.encode()) for text in copies)
    return texts, planted


def pieces() -> Iterator[str]:
    """Distinct pieces of about the same size."""
    seen = set()
    for text in real_texts() if REAL_TEXT.exists() else composed_texts():
        for at in range(0, len(text) - PIECE_CHARACTERS // 2, PIECE_CHARACTERS):
            piece = text[at : at + PIECE_CHARACTERS]
            if piece not in seen:
                seen.add(piece)
                yield piece


def real_texts() -> Iterator[str]:
    with (
        REAL_TEXT.open("rb") as stream,
        zstandard.ZstdDecompressor().stream_reader(stream) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        for member in archive:
            content = archive.extractfile(member)
            if content:
                yield content.read().decode("utf-8", "replace")


def composed_texts() -> Iterator[str]:
    generator = random.Random(2)
    material = load_material("ja")
    while True:
        yield "\n".join(compose(material, generator).paragraphs)


def replaced(text: str, generator: random.Random) -> str:
    """The text with 0 to 4 % of its characters replaced: similarity 1.0 down to about 0.67."""
    characters = list(text)
    for _ in range(generator.randrange(len(characters) // 25)):
        characters[generator.randrange(len(characters))] = generator.choice("漢字仮名交文")
    return "".join(characters)


def warm_up() -> None:
    """Machine code compiled or read from the cache, which is no part of the throughput."""
    ours([replaced("あいうえお" * 20, random.Random(seed)) for seed in range(4)])


def ours(texts: Sequence[str]) -> set[Pair]:
    """The whole stage: from a Parquet shard to written survivors and clusters."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "in").mkdir()
        empty = {field.name: [""] * len(texts) for field in SCHEMA}
        zeros = [0] * len(texts)
        columns = {"id": [f"{n:08d}" for n in range(len(texts))], "text": list(texts)}
        table = pa.table({**empty, "offset": zeros, "length": zeros, **columns}, schema=SCHEMA)
        pq.write_table(table, root / "in" / "text.parquet")
        with standalone(root / "out") as place:
            deduplicate(
                root / "in",
                place,
                language=Language(code="ja"),
                dedup=SETTINGS,
                buckets=None,
                engine=LocalEngine(1),
            )
        rows = pq.read_table(root / "out" / "clusters.parquet").to_pylist()
    clusters: dict[str, list[int]] = {}
    for row in rows:
        clusters.setdefault(row["cluster"], []).append(int(row["id"]))
    return {pair for members in clusters.values() for pair in combinations(sorted(members), 2)}


def sign(texts: Sequence[str]) -> None:
    """Our folding and band hashes alone."""
    kernel.band_hashes(
        fold_all(texts),
        by_words=False,
        length=SETTINGS.shingle_length,
        bands=SETTINGS.bands,
        rows=SETTINGS.rows,
        seed=SETTINGS.seed,
    )


def datasketch_loop(texts: Sequence[str]) -> set[Pair]:
    """As its documentation begins: one update a shingle, then the LSH index."""
    signatures = []
    for text in texts:
        signature = MinHash(num_perm=FUNCTIONS)
        for shingle in shingles(text):
            signature.update(shingle.encode())
        signatures.append(signature)
    return lsh_pairs(signatures)


def datasketch_bulk(texts: Sequence[str]) -> set[Pair]:
    """Its vectorised interface."""
    sets = [[shingle.encode() for shingle in shingles(text)] for text in texts]
    return lsh_pairs(MinHash.bulk(sets, num_perm=FUNCTIONS))


def lsh_pairs(signatures: Sequence[MinHash]) -> set[Pair]:
    index = MinHashLSH(num_perm=FUNCTIONS, params=(SETTINGS.bands, SETTINGS.rows))
    pairs: set[Pair] = set()
    for number, signature in enumerate(signatures):
        pairs |= {(int(other), number) for other in index.query(signature)}
        index.insert(number, signature)
    return pairs


def shingles(text: str) -> set[str]:
    folded = fold(text)
    length = SETTINGS.shingle_length
    return {folded[at : at + length] for at in range(len(folded) - length + 1)}


def is_near(texts: Sequence[str], pair: Pair) -> bool:
    """Whether the exact Jaccard similarity reaches the threshold."""
    left, right = (shingles(texts[number]) for number in pair)
    return len(left & right) >= SETTINGS.threshold * len(left | right)


def measure(
    name: str,
    run: Callable[[Sequence[str]], set[Pair]],
    texts: Sequence[str],
    planted: Sequence[Pair],
    megabytes: float,
) -> Result:
    started = time.perf_counter()
    found = run(texts)
    seconds = time.perf_counter() - started
    near = {pair for pair in planted if is_near(texts, pair)}
    right = sum(is_near(texts, pair) for pair in found)
    return Result(
        name,
        megabytes / seconds,
        len(near & found) / len(near),
        right / len(found) if found else 1.0,
        len(found),
    )


def seconds_of(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def figures(results: Sequence[Result], signatures: float) -> list[tuple[str, str]]:
    first, *peers = results
    fastest = max(peer.megabytes_per_second for peer in peers)
    return [
        ("mb_per_s", f"{first.megabytes_per_second:.2f}"),
        ("signatures_mb_per_s", f"{signatures:.2f}"),
        ("recall", f"{first.recall:.4f}"),
        ("precision", f"{first.precision:.4f}"),
        *((f"{p.name.replace(' ', '_')}_mb_per_s", f"{p.megabytes_per_second:.2f}") for p in peers),
        ("times_faster_than_best_peer", f"{first.megabytes_per_second / fastest:.1f}"),
    ]


def write_results(
    results: Sequence[Result], signatures: float, megabytes: float, documents: int
) -> None:
    machine = f"{platform.system()}-{platform.machine()}".lower()
    path = ROOT / "benchmarks" / "results" / f"dedup-{machine}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    packages = ("numba", "numpy", "pyarrow", "datasketch")
    content = {
        "text": REAL_TEXT.name if REAL_TEXT.exists() else "composed",
        "documents": documents,
        "megabytes": round(megabytes, 2),
        "signatures_mb_per_s": round(signatures, 2),
        "results": [asdict(result) for result in results],
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
