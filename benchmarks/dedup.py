"""Near-duplicate detection beside datasketch: speed, memory, recall, precision, refresh.

Real pages with planted copies where text lies beside the project, composed ones elsewhere; the
truth is every pair at or above a Jaccard similarity of 0.8 over 5-character shingles of text folded
alike for all (`benchmarks.dedup_truth`). Recall: the share of true pairs whose documents end in one
cluster. Precision: the share of claimed pairs that are true; an index claims its candidates, we
claim every document that we remove against some document of its cluster at or above the threshold.
One core each. Ours is the whole stage, Parquet in, fates and clusters out; datasketch gets texts in
memory, and as much of them as it does in a minute. Run it by `python -m benchmarks.dedup`.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from datasketch import MinHash, MinHashLSH

from benchmarks.dedup_data import edited, grown, mixed, write_shards
from benchmarks.dedup_truth import SHINGLE, THRESHOLD, Pairs, folded, head, truth
from benchmarks.peers.measure import peak_megabytes
from nativize.artifact import ArtifactStore, Inputs
from nativize.dedup import DEDUPLICATE, deduplicate
from nativize.engine import LocalEngine
from nativize.recipe import Dedup, Fold, Language

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = Dedup(heldout_share=0.0, fold=Fold(punctuation=False))
BANDS, ROWS = 20, 6
SHARDS = 8
DATASKETCH_MEGABYTES = 4.0
GROWTH_MEGABYTES = (50, 200)

Pair = tuple[int, int]


@dataclass(frozen=True)
class Result:
    """One contender: throughput by processor time, and what it found of the truth."""

    name: str
    megabytes: float
    megabytes_per_second: float
    documents_per_second: float
    recall: float
    precision: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=51.0, help="UTF-8 text, about")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(walk(Path(options.worker[0]), options.worker[1] == "verified")))
        return
    texts = mixed(int(options.megabytes * 1e6))
    print(f"{len(texts)} documents, {size_of(texts):.1f} MB; finding the truth")
    pairs = truth(texts)
    print(f"{len(pairs)} pairs at or above {THRESHOLD}")
    results = [ours(texts, pairs, verified=True), ours(texts, pairs, verified=False)]
    few = up_to(texts, DATASKETCH_MEGABYTES)
    for name, sketch in (("datasketch loop", in_a_loop), ("datasketch bulk", in_bulk)):
        results.append(peer(name, sketch, few, head(pairs, len(few))))
    show(results)
    memory, refresh = megabytes_per_million(), refresh_ratio(texts)
    fastest = max(result.megabytes_per_second for result in results[2:])
    figures = {
        "mb_s": round(results[0].megabytes_per_second, 1),
        "speed_ratio": round(results[0].megabytes_per_second / fastest, 1),
        "recall": round(results[0].recall, 5),
        "precision": round(results[0].precision, 5),
        "mb_per_million": round(memory),
        "refresh_ratio": round(refresh, 4),
    }
    write_results(results, figures)
    print("figures: " + " ".join(f"{key}={value}" for key, value in figures.items()))


def size_of(texts: Sequence[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def up_to(texts: Sequence[str], megabytes: float) -> Sequence[str]:
    taken, left = 0, megabytes * 1e6
    while taken < len(texts) and left > 0:
        left -= len(texts[taken].encode())
        taken += 1
    return texts[:taken]


def walk(root: Path, verified: bool) -> dict[str, Any]:
    """The stage over ``root``/in, into the store beside it: its seconds and highest memory."""
    dedup = SETTINGS.model_copy(update={"verify": verified})
    store = ArtifactStore(root / "store", "benchmark")
    names = ",".join(sorted(path.name for path in (root / "in").iterdir()))
    started, used = time.perf_counter(), time.process_time()
    artifact = store.materialise(
        DEDUPLICATE,
        {},
        Inputs(outside={"names": names, "verified": str(verified)}),
        lambda place: deduplicate(
            root / "in", place, language=Language(code="ja"), dedup=dedup, buckets=None,
            engine=LocalEngine(1),
        ),
    )  # fmt: skip
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - used,
        "peak_mb": peak_megabytes(),
        "corpus": str(artifact.path),
        "content": artifact.content,
    }


def in_a_process(root: Path, *, verified: bool = True) -> dict[str, Any]:
    """`walk` in a process of its own on one core, after one that compiles."""
    command = [sys.executable, "-m", "benchmarks.dedup", "--worker", str(root)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "verified" if verified else "unverified"],
        check=True, capture_output=True, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def ours(texts: Sequence[str], pairs: Pairs, *, verified: bool) -> Result:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_shards(root / "in", texts, SHARDS)
        in_a_process(root, verified=verified)  # compiles, and is thrown away
        shutil.rmtree(root / "store")
        measured = in_a_process(root, verified=verified)
        rows = pq.read_table(Path(measured["corpus"]) / "clusters.parquet").to_pylist()
    members: dict[str, list[int]] = {}
    for row in rows:
        members.setdefault(row["cluster"], []).append(int(row["id"]))
    cluster = {number: name for name, numbers in members.items() for number in numbers}
    found = sum(i in cluster and cluster[i] == cluster.get(j) for i, j in pairs)
    linked = {number for pair in pairs if pair_is_in(pair, cluster) for number in pair}
    removed = [int(row["id"]) for row in rows if row["kept"] != row["id"]]
    size = size_of(texts)
    return Result(
        "nativize" if verified else "nativize, unverified",
        round(size, 1),
        size / measured["cpu_seconds"],
        len(texts) / measured["cpu_seconds"],
        found / len(pairs),
        sum(number in linked for number in removed) / len(removed),
    )


def pair_is_in(pair: Pair, cluster: dict[int, str]) -> bool:
    return pair[0] in cluster and cluster[pair[0]] == cluster.get(pair[1])


def in_a_loop(texts: Sequence[str]) -> list[MinHash]:
    """As its documentation begins: one update a shingle."""
    signatures = []
    for text in texts:
        signature = MinHash(num_perm=BANDS * ROWS)
        for shingle in shingles(text):
            signature.update(shingle.encode())
        signatures.append(signature)
    return signatures


def in_bulk(texts: Sequence[str]) -> list[MinHash]:
    """Its vectorised interface."""
    sets = [[shingle.encode() for shingle in shingles(text)] for text in texts]
    return list(MinHash.bulk(sets, num_perm=BANDS * ROWS))


def shingles(text: str) -> set[str]:
    text = folded(text)
    return {text[at : at + SHINGLE] for at in range(len(text) - SHINGLE + 1)}


def peer(
    name: str, sketch: Callable[[Sequence[str]], list[MinHash]], texts: Sequence[str], pairs: Pairs
) -> Result:
    used = time.process_time()
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    claimed: set[Pair] = set()
    for number, signature in enumerate(sketch(texts)):
        claimed |= {(int(other), number) for other in index.query(signature)}
        index.insert(number, signature)
    seconds = time.process_time() - used
    right = len(claimed & pairs.keys())
    size = size_of(texts)
    return Result(
        name, round(size, 1), size / seconds, len(texts) / seconds, right / len(pairs),
        right / max(len(claimed), 1),
    )  # fmt: skip


def megabytes_per_million() -> float:
    """Memory of a million documents more, from two sizes of a growing corpus."""
    points = []
    for megabytes in GROWTH_MEGABYTES:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            texts = list(grown(megabytes * 1_000_000))
            write_shards(root / "in", texts, max(SHARDS, megabytes // 6))
            measured = in_a_process(root)
        points.append((len(texts), measured["peak_mb"]))
        rate = megabytes / measured["cpu_seconds"]
        print(f"{megabytes} MB, {len(texts)} documents: {rate:.1f} MB/s, {points[-1][1]:.0f} MB")
    (few, low), (many, high) = points
    return (high - low) / (many - few) * 1e6


def refresh_ratio(texts: Sequence[str]) -> float:
    """Processor time of 1 % new documents, 29 % of them copies, as a share of the first run's."""
    import random

    generator = random.Random(11)
    documents = list(grown(GROWTH_MEGABYTES[-1] * 1_000_000))
    count = len(documents) // 100
    old, fresh = documents[:-count], documents[-count:]
    for at in range(int(0.29 * count)):
        fresh[at] = edited(generator.choice(old), texts[:200], generator)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_shards(root / "in", old, 99)
        full = in_a_process(root)
        write_shards(root / "in", fresh, 1, first=len(old))
        part = in_a_process(root)
        shutil.rmtree(root / "store")
        if in_a_process(root)["content"] != part["content"]:
            raise SystemExit("a refresh differs from a run from scratch")
    print(f"full {full['cpu_seconds']:.2f} s, refresh {part['cpu_seconds']:.2f} s")
    return float(part["cpu_seconds"] / full["cpu_seconds"])


def show(results: Sequence[Result]) -> None:
    print(f"\n{'':22}{'MB':>7}{'MB/s':>8}{'docs/s':>9}{'recall':>9}{'precision':>11}")
    for result in results:
        print(
            f"{result.name:22}{result.megabytes:7.1f}{result.megabytes_per_second:8.2f}"
            f"{result.documents_per_second:9.0f}{result.recall:9.4f}{result.precision:11.4f}"
        )


def write_results(results: Sequence[Result], figures: dict[str, float]) -> None:
    machine = f"{platform.system()}-{platform.machine()}".lower()
    path = ROOT / "benchmarks" / "results" / f"dedup-{machine}.json"
    packages = ("numba", "numpy", "pyarrow", "datasketch")
    content = {
        "figures": figures,
        "results": [asdict(result) for result in results],
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
