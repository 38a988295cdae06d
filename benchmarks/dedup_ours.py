"""Our contenders, each in a process of its own on one core: the whole stage, and its kernels.

``python -m benchmarks.dedup_ours KIND DIRECTORY``: those of `KINDS` walk the shards in
DIRECTORY/in, Parquet in, corpus out; "memory" gets the texts of DIRECTORY/documents.jsonl, as the
peers do. Prints seconds of the processor, highest memory and what was found, as JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.dedup_data import write_shards
from benchmarks.peers.measure import peak_megabytes, read
from nativize.artifact import Artifact, ArtifactStore, Inputs, Report, Stage
from nativize.dedup import DEDUPLICATE, deduplicate
from nativize.dedup.banding import Banding
from nativize.dedup.candidates import (
    Among,
    equal_places,
    flatten,
    join,
    remaining_pairs,
    star_pairs,
)
from nativize.dedup.compare import similarities, similarities_of_spans
from nativize.dedup.near import least_equal_places
from nativize.dedup.pairs import split_pairs
from nativize.dedup.shingles import Shingling
from nativize.dedup.sign import sorted_bands
from nativize.dedup.sketch import sign
from nativize.engine import LocalEngine
from nativize.recipe import Dedup, Fold, Language
from nativize.texts import Texts

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = Dedup(heldout_share=0.0, fold=Fold(punctuation=False))
LANGUAGE = Language(code="ja")
UNVERIFIED = SETTINGS.model_copy(update={"verify": False})
DEFAULTS = Dedup(heldout_share=0.0)
KINDS = {
    "stage": (LANGUAGE, SETTINGS, False),
    "pictures": (LANGUAGE, SETTINGS, True),
    "unverified": (LANGUAGE, UNVERIFIED, False),
    "words": (Language(code="en", shingle="words"), DEFAULTS, False),
    "punctuation": (LANGUAGE, DEFAULTS, False),
}
"""Language, settings, whether pictures are drawn."""
SCORED = Stage(name="scored_shards", version=1, group="corpus")

Pairs = list[tuple[int, int]]


def in_a_process(kind: str, root: Path) -> dict[str, Any]:
    """What a contender answers."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.dedup_ours", kind, str(root)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=[*KINDS, "memory"])
    parser.add_argument("root", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if options.kind == "memory":
        texts = [text for _, text in read(str(options.root / "documents.jsonl"))]
        in_memory(texts[:500])  # has copies: all that is needed is compiled, or read
        used = time.process_time()
        pairs = in_memory(texts)
        seconds = time.process_time() - used
        answer = {"seconds": seconds, "peak_mb": peak_megabytes(), "pairs": pairs}
    else:
        answer = stage(options.root, options.kind)
    print(json.dumps(answer))


def stage(root: Path, kind: str) -> dict[str, Any]:
    """The stage over the shards of a stored value, as on the road, into the store beside it."""
    warm_up(kind)
    scored, store = scored_shards(root)
    used = time.process_time()
    artifact = materialised(store, scored, kind)
    seconds, peak = time.process_time() - used, peak_megabytes()
    rows = pq.read_table(artifact.path / "clusters.parquet").to_pylist()
    pairs = [(int(row["kept"]), int(row["id"])) for row in rows if row["kept"] != row["id"]]
    return {"seconds": seconds, "peak_mb": peak, "pairs": pairs, "content": artifact.content}


def warm_up(kind: str) -> None:
    """Few documents and a refresh of them: what a process compiles or loads once."""
    texts = [
        "".join(chr(0x3041 + (at * at + number * number) % 83) for at in range(300))
        for number in range(50)
    ]
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for first, some in ((0, texts), (50, texts[:9]), (59, [text[1:] for text in texts[9:12]])):
            write_shards(root / "in", some, 1, first=first)
            scored, store = scored_shards(root)
            materialised(store, scored, kind)


def scored_shards(root: Path) -> tuple[Artifact, ArtifactStore]:
    """The shards below a directory as the value of a store beside them."""
    store = ArtifactStore(root / "store", "benchmark")
    names = ",".join(sorted(path.name for path in (root / "in").iterdir()))
    scored = store.materialise(
        SCORED, {}, Inputs(outside={"names": names}), lambda place: linked(root / "in", place.out)
    )
    return scored, store


def materialised(store: ArtifactStore, scored: Artifact, kind: str) -> Artifact:
    language, dedup, pictures = KINDS[kind]
    return store.materialise(
        DEDUPLICATE,
        {},
        Inputs((scored,), {"kind": kind}),
        lambda place: deduplicate(
            scored.path,
            place,
            language=language,
            dedup=dedup,
            buckets=None,
            engine=LocalEngine(1),
            pictures=pictures,
        ),
    )


def linked(source: Path, out: Path) -> Report:
    for path in source.iterdir():
        os.link(path, out / path.name)
    return Report()


def in_memory(texts: Sequence[str]) -> Pairs:
    """Each document of a cluster with the first of it: the kernels without files."""
    how, banding = Shingling.of(LANGUAGE, SETTINGS), Banding.of(SETTINGS)
    column = Texts.of(texts)
    signed = sign(
        column, how, permutations=SETTINGS.permutations, bands=banding.bands, rows=banding.rows
    )
    spans = np.stack([column.offsets[:-1], column.offsets[1:]], axis=1)

    def alike(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        odd = signed.complicated[pairs].any(axis=1)
        members, numbers = np.unique(pairs[odd], return_inverse=True)
        found = np.empty(len(pairs))
        found[odd] = similarities(
            Texts.of([texts[one] for one in members]), numbers.reshape(-1, 2), how
        )
        found[~odd] = similarities_of_spans(
            column.data, spans, signed.complicated, pairs[~odd], how, least=SETTINGS.threshold
        )
        return pairs[found >= SETTINGS.threshold]

    merits = ~np.diff(column.offsets).astype(np.uint64)
    # of equal texts one is compared, as on the road
    _, firsts, group = np.unique(signed.digests, axis=0, return_index=True, return_inverse=True)
    parents = firsts[group.ravel()].astype(np.uint32)
    everyone = np.arange(len(texts), dtype=np.uint32)
    bands = sorted_bands(signed.bands, (parents == everyone) & (signed.shingles > 0))
    least = least_equal_places(SETTINGS.threshold, SETTINGS.permutations)
    stars = np.unique(np.concatenate([star_pairs(entries, merits) for entries in bands]))
    pairs = split_pairs(stars)
    join(parents, alike(pairs[equal_places(signed.places, pairs, everyone) >= least]))
    flatten(parents)
    touched = np.ones(len(texts), bool)
    among = Among(merits, parents, everyone, signed.places, touched, least)
    rest, crowds = zip(*(remaining_pairs(entries, among) for entries in bands), strict=True)
    if any(map(len, crowds)):
        raise SystemExit("these texts have crowds, whose pairs are found on disk alone")
    join(parents, alike(split_pairs(np.setdiff1d(np.concatenate(rest), stars))))
    flatten(parents)
    return [
        (cluster, number) for number, cluster in enumerate(parents.tolist()) if number != cluster
    ]


if __name__ == "__main__":
    main()
