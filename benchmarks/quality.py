"""Scoring Japanese: the stage in characters and in pieces, beside cc_net's way in plain Python.

`python -m benchmarks.quality`; needs the third-party text in ../shared/data, which is unpacked
into a temporary directory. One process, CPU seconds (of this process: lmplz is not in them); MB
are UTF-8 bytes of text. The last line has the figures.
"""

import json
import tarfile
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import kenlm
import pyarrow as pa
import pyarrow.parquet as pq
import sentencepiece
import zstandard

from nativize.artifact import standalone
from nativize.crawl.document import SCHEMA, DocumentFile
from nativize.engine import LocalEngine
from nativize.quality import train_quality_model
from nativize.quality.model import MODEL
from nativize.quality.pieces import PIECES
from nativize.quality.score import score_shard
from nativize.quality.text import plain_lines
from nativize.recipe import Language, Quality

PACK = Path(__file__).parents[2] / "shared" / "data" / "text" / "ja_aozora_a.tar.zst"
TEXT_BYTES = 12_000_000
RUNS = 3
FILTERED_SCHEMA = SCHEMA.append(pa.field("language_score", pa.float32(), nullable=False))


def main() -> None:
    if not PACK.exists():
        raise SystemExit(f"third-party test data is not here ({PACK})")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shard, size = write_shard(root / "in" / "aozora.parquet")
        figures = {"text_MB": round(size / 1e6, 1)}
        for unit in ("characters", "sentencepiece"):
            seconds = timed(lambda unit=unit: fit(root, unit))
            figures[f"fit_{unit}_s"] = round(seconds, 1)
            out = root / f"out-{unit}"
            out.mkdir()
            seconds = timed(lambda m=root / unit, out=out: score_shard(shard, m, out), RUNS)
            figures[f"score_{unit}_MB_per_s"] = round(size / 1e6 / seconds, 1)
            print(unit, figures, flush=True)
        model = root / "sentencepiece"
        seconds = timed(lambda: plain_python(shard, model, root / "plain.jsonl"), RUNS)
        figures["plain_python_pieces_MB_per_s"] = round(size / 1e6 / seconds, 1)
    print(f"figures: {json.dumps(figures)}")


def write_shard(path: Path) -> tuple[Path, int]:
    """A filtered shard of Aozora Bunko, and the bytes of its text; normalised as [clean] does."""
    path.parent.mkdir()
    size = 0
    empty = {field.name: 0 if pa.types.is_integer(field.type) else "" for field in FILTERED_SCHEMA}
    with DocumentFile(path, FILTERED_SCHEMA) as shard:
        for number, text in enumerate(documents()):
            shard.add({**empty, "id": f"{number:08}", "text": text, "language_score": 1.0})
            size += len(text.encode())
            if size > TEXT_BYTES:
                break
    return path, size


def documents() -> Iterator[str]:
    """Pieces of ten paragraphs, each the size of a web page."""
    with PACK.open("rb") as stream:
        reader = zstandard.ZstdDecompressor().stream_reader(stream)
        with tarfile.open(fileobj=reader, mode="r|") as pack:
            for member in pack:
                file = pack.extractfile(member)
                if file is None:
                    continue
                lines = file.read().decode("cp932", "replace").splitlines()
                for begin in range(0, len(lines), 10):
                    text = unicodedata.normalize("NFKC", "\n".join(lines[begin : begin + 10]))
                    if text.strip():
                        yield text


def fit(root: Path, unit: str) -> None:
    quality = Quality.model_validate({"unit": unit, "maximum_reference_characters": 2_000_000})
    with standalone(root / unit) as place:
        train_quality_model(
            root / "in", place, language=Language(code="ja"), quality=quality, engine=LocalEngine(1)
        )


def plain_python(shard: Path, directory: Path, out: Path) -> None:
    """cc_net's way: a dictionary a document, sentencepiece and KenLM called line by line, JSON."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(directory / PIECES))
    model = kenlm.Model(str(directory / MODEL))
    with out.open("w", encoding="utf-8") as stream:
        for document in pq.read_table(shard).to_pylist():
            logarithm, units = 0.0, 0
            for line in plain_lines(document["text"]):
                tokens = pieces.encode_as_pieces(line)
                logarithm += model.score(" ".join(tokens))
                units += len(tokens) + 1
            document["perplexity"] = round(10.0 ** (-logarithm / max(units, 1)), 1)
            stream.write(json.dumps(document, ensure_ascii=False) + "\n")


def timed(work: Callable[[], object], times: int = 1) -> float:
    """CPU seconds of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
