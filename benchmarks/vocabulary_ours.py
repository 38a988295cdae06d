"""One way to make a vocabulary, in a process of its own: trained, merged, timed.

``python -m benchmarks.vocabulary_ours KIND DIRECTORY COUNT`` reads DIRECTORY/train.jsonl,
DIRECTORY/old.jsonl and DIRECTORY/base.model, writes DIRECTORY/merged.model and prints seconds of
the processor, highest memory and how many pieces were added, as JSON. KIND: "ours" (byte pair
encoding, merged by rank), "bpe" and "unigram" (sentencepiece's trainers, merged as Chinese-LLaMA),
"bytes" (ours on DIRECTORY/bytes/tokenizer.json, written to DIRECTORY/grown).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from sentencepiece import sentencepiece_model_pb2

from benchmarks.peers.measure import peak_megabytes
from nativize.artifact import write_json
from nativize.recipe import Vocabulary
from nativize.vocabulary.byte_level import grow_byte_level, unreachable_byte_pieces
from nativize.vocabulary.merge import merge_classic
from nativize.vocabulary.piece_model import NORMAL, Model, append_piece, read_model
from nativize.vocabulary.pieces import CONTROL_PIECES, alphabet_of, learn_pieces, model_of
from nativize.vocabulary.rank import merge_by_rank, old_alphabet
from nativize.vocabulary.train import train_sentencepiece

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("ours", "bpe", "unigram", "bytes")
COVERAGE = Vocabulary().character_coverage
SPARE = 1.15
"""So many pieces more are trained than are wanted: some are in the base, some are dropped."""
ROUNDS = 12

Merge = Callable[[Model], Model]


def in_a_process(kind: str, directory: Path, count: int) -> dict[str, Any]:
    """What a way answers."""
    command = [sys.executable, "-m", "benchmarks.vocabulary_ours", kind, str(directory), str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def write_texts(path: Path, texts: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(text) + "\n" for text in texts)


def read_texts(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("directory", type=Path)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    directory: Path = options.directory
    texts = read_texts(directory / "train.jsonl")
    old = read_texts(directory / "old.jsonl")
    trained_ours(["What is compiled is compiled, or read, before."], 40)
    if options.kind == "bytes":
        answer = grow(directory, texts, old, options.count)
    else:
        answer = train_and_merge(options.kind, directory, texts, old, options.count)
    print(json.dumps({**answer, "peak_mb": peak_megabytes()}))


def train_and_merge(
    kind: str, directory: Path, texts: Sequence[str], old: Sequence[str], count: int
) -> dict[str, Any]:
    """A sentencepiece base with pieces of a training."""
    base = read_model(directory / "base.model")
    began = time.process_time()
    new = train(kind, texts, int(count * SPARE))
    trained = time.process_time()
    merged = equally(new, merge_of(kind, base, old), len(base.pieces) + count)
    seconds = time.process_time() - trained
    (directory / "merged.model").write_bytes(merged.SerializeToString())
    added = len(merged.pieces) - len(base.pieces)
    return {"train_seconds": trained - began, "merge_seconds": seconds, "added": added}


def grow(directory: Path, texts: Sequence[str], old: Sequence[str], count: int) -> dict[str, Any]:
    """A byte-level base with pieces learned on top of its own."""
    began = time.process_time()
    grown = grow_byte_level(directory / "bytes", texts, count, old_alphabet(old))
    seconds = time.process_time() - began
    (directory / "grown").mkdir(exist_ok=True)
    write_json(directory / "grown" / "tokenizer.json", grown.content)
    unreachable = len(unreachable_byte_pieces(grown.content, grown.base_size, grown.pieces))
    # one act: what is learned stands on the base already
    return {
        "train_seconds": seconds,
        "merge_seconds": 0.0,
        "added": len(grown.pieces),
        "unreachable": unreachable,
    }


def train(kind: str, texts: Sequence[str], size: int) -> Model:
    """A model of about so many pieces."""
    if kind == "ours":
        return trained_ours(texts, size)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "new.model"
        train_sentencepiece(texts, path, size=size, kind=_kind(kind), character_coverage=COVERAGE)
        return read_model(path)


def trained_ours(texts: Sequence[str], size: int) -> Model:
    """A model of so many pieces beside its single characters, or of as many as the text carries."""
    alphabet = alphabet_of(texts, COVERAGE)
    fixed = len(CONTROL_PIECES) + len(alphabet.characters)
    *_, learned = learn_pieces(alphabet, [fixed + size])
    return model_of(alphabet.characters, learned.pieces, fixed + len(learned.pieces))


def merge_of(kind: str, base: Model, old: Sequence[str]) -> Merge:
    if kind != "ours":
        return lambda new: merge_classic(base, new)
    alphabet = old_alphabet(old)
    return lambda new: merge_by_rank(base, new, alphabet, Path("base.model")).model


def equally(new: Model, merge: Merge, size: int) -> Model:
    """A merge of exactly ``size`` pieces, or the nearest that is not larger.

    All single characters are taken, and of the other pieces the first ones, as many as it needs.
    """
    taken = most = sum(is_longer(entry) for entry in new.pieces)
    best: Model | None = None
    for _ in range(ROUNDS):
        merged = merge(first_pieces(new, taken))
        if len(merged.pieces) <= size and (best is None or len(best.pieces) < len(merged.pieces)):
            best = merged
        step = size - len(merged.pieces)
        if step == 0 or taken == min(most, taken + step):
            break
        taken = max(0, min(most, taken + step))
    return merged if best is None else best


def first_pieces(new: Model, count: int) -> Model:
    """The first so many pieces that are longer than a character, and all that are not."""
    model = sentencepiece_model_pb2.ModelProto()
    for entry in new.pieces:
        if not is_longer(entry) or count > 0:
            append_piece(model, entry.piece, entry.score, entry.type)
            count -= is_longer(entry)
    return model


def is_longer(entry: Any) -> bool:
    return bool(entry.type == NORMAL and len(entry.piece) > 1)


def _kind(kind: str) -> Literal["bpe", "unigram"]:
    return "unigram" if kind == "unigram" else "bpe"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
