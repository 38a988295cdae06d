"""Our side of the corpus benchmark, in a process of its own: one JSON object on the last line.

`shard` filters one Parquet shard into another: seconds of the whole way from file to file, the
ids that were kept, the highest memory. `refresh` walks the stage over a directory of shards, adds
new ones and walks it again. Both take the recipe's [clean] as JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers.measure import WARM_UP, peak_megabytes
from nativize.artifact import ArtifactStore, Inputs, file_digests, write_json
from nativize.artifact.files import RECORD, describe_files
from nativize.clean.decide import decide_shard
from nativize.clean.measure import measure_shard
from nativize.clean.presets import thresholds
from nativize.clean.stage import FILTER, filter_shards
from nativize.crawl.document import SCHEMA, DocumentFile, text_sha256
from nativize.engine import LocalEngine
from nativize.recipe import Clean, Language, identity

SPACED = ("en",)
"""Languages whose words are parted by spaces, which a recipe says by ``shingle = "words"``."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("shard", "refresh"))
    parser.add_argument("inputs", type=Path, nargs="+", help="a shard; or old and new shards")
    parser.add_argument("--language", required=True)
    parser.add_argument("--clean", required=True, type=json.loads)
    options = parser.parse_args()
    pa.set_cpu_count(1)  # as the peers: one core
    shingle = "words" if options.language in SPACED else "characters"
    language = Language(code=options.language, shingle=shingle)
    clean = Clean.model_validate(options.clean)
    command = measured if options.command == "shard" else refreshed
    print(json.dumps(command(*options.inputs, language=language, clean=clean)))


def measured(shard: Path, *, language: Language, clean: Clean) -> dict[str, Any]:
    """Seconds from a shard to a shard after a warm-up, kept ids, peak memory in MB."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        head = place / "head" / shard.name
        out = place / "out"
        for directory in (head.parent, out):
            directory.mkdir()
        rows = pq.ParquetFile(shard).read_row_group(0).slice(0, WARM_UP).to_pylist()
        write(head, [(row["id"], row["text"]) for row in rows])
        with tempfile.TemporaryDirectory(dir=place) as warm:
            filter_shard(head, language, clean, Path(warm))
        started, used = time.perf_counter(), time.process_time()
        filter_shard(shard, language, clean, out)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
        kept = out / shard.name
        ids = pq.read_table(kept, columns=["id"])["id"].to_pylist() if kept.exists() else []
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "kept": ids,
        "peak_mb": peak_megabytes(),
    }


def filter_shard(shard: Path, language: Language, clean: Clean, out: Path) -> None:
    """Both halves of the stage on one shard, without its keeping of shards."""
    wanted = thresholds(language, clean)
    with tempfile.TemporaryDirectory(dir=out.parent) as name:
        measure_shard(shard, language, clean, wanted, Path(name))
        decide_shard(Path(name) / shard.name, language, clean, wanted, {}, [], out)


def refreshed(old: Path, new: Path, *, language: Language, clean: Clean) -> dict[str, float]:
    """Seconds of a first walk over ``old``, and of a second one with ``new`` added."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        raw = place / "raw"
        raw.mkdir()
        for shard in old.glob("*.parquet"):
            (raw / shard.name).hardlink_to(shard)
        record(raw)
        first = walked(place / "store", raw, language, clean)
        for shard in new.glob("*.parquet"):
            (raw / shard.name).hardlink_to(shard)
        record(raw)
        second = walked(place / "store", raw, language, clean)
    return {"first_seconds": first, "refresh_seconds": second}


def record(raw: Path) -> None:
    """The digests of the crawl's shards, as the stage before leaves them."""
    (raw / RECORD).unlink(missing_ok=True)
    write_json(raw / RECORD, {"files": describe_files(raw)})


def walked(store: Path, raw: Path, language: Language, clean: Clean) -> float:
    """Seconds of the stage, from looking at its input to the published value."""
    started = time.perf_counter()
    ArtifactStore(store, "benchmark").materialise(
        FILTER,
        {"language": identity(language), "clean": identity(clean)},
        Inputs(outside=dict(file_digests(raw, ".parquet"))),
        lambda place: filter_shards(
            raw, place, language=language, clean=clean, engine=LocalEngine(1)
        ),
    )
    return time.perf_counter() - started


def write(shard: Path, documents: Sequence[tuple[str, str]]) -> None:
    """Documents, id and text, as a shard of the crawl."""
    with DocumentFile(shard, SCHEMA) as rows:
        for name, text in documents:
            empty = {field.name: "" if field.type == pa.string() else 0 for field in SCHEMA}
            rows.add({**empty, "id": name, "text": text, "sha256": text_sha256(text)})


if __name__ == "__main__":
    main()
