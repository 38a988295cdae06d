"""Vocabularies side by side: what as many new pieces buy, and what they break.

On the real LLaMA tokenizer, with equally many pieces added and learned from the same text: ours
(byte pair encoding, merged by rank) beside sentencepiece's Unigram and BPE merged as Chinese-LLaMA
did, and beside the vocabulary that project published. Measured on text of other sources than was
trained on (`benchmarks.vocabulary_text`): tokens per character, English lines that change their
ids, new pieces that no text can produce, lines that sentencepiece and Hugging Face cut differently
though they agree with the base. Each is made in a process of its own; seconds are the processor's.
How new rows of a model start is compared at the end (`benchmarks.initialisers`). Run it by ``make
bench NAME=vocabulary``; ``--full`` trains on up to 1 GB.
"""

import argparse
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import real_text, record
from benchmarks.dedup_data import cipher
from benchmarks.vocabulary_ours import in_a_process, write_texts
from benchmarks.vocabulary_tables import README_BEGIN, README_END, Row, readme_table, show
from benchmarks.vocabulary_text import Corpus, corpora, english, up_to_characters
from nativize.vocabulary.encoder import Encoder, load_encoder, tokens_per_character
from nativize.vocabulary.gates import PROBES, Forms, differing, disagreeing, lines_of
from nativize.vocabulary.hugging_face import to_hugging_face
from nativize.vocabulary.merge import SAMPLE_CHARACTERS, merge_classic
from nativize.vocabulary.piece_model import Model, encoder_of, read_model, unreachable_pieces
from nativize.vocabulary.train import train_base_tokenizer

TOKENIZERS = real_text.DATA / "tokenizers"
LLAMA = TOKENIZERS / "llama2" / "tokenizer.model"
CHINESE = TOKENIZERS / "chinese_llama" / "chinese_sp.model"
CLASSIC = {"unigram": "classic, Unigram", "bpe": "classic, BPE"}
OURS, PUBLISHED, BASE = "nativize", "Chinese-LLaMA, published", "LLaMA alone"
GPT_NEOX = TOKENIZERS / "gpt2" / "gpt-neo-tokenizer.json"
BYTES_ALONE, OUR_BYTES = "GPT-NeoX alone", "nativize, on GPT-NeoX"
PACKAGES = ("sentencepiece", "tokenizers", "numba", "numpy")
AIM = 0.60
"""Tokens per Japanese character of held-out books and manuals at 16,000 added pieces."""
PIECES, COMPOSED_PIECES = 16_000, 2_000
CHARACTERS = 4_000_000
HELDOUT_CHARACTERS = 500_000
COMPARED_LINES = 6_000
"""Of each language, for the comparison with Hugging Face, which is slow."""
GROWTH_MEGABYTES = (30, 100, 300, 1_000)


@dataclass(frozen=True)
class Grown:
    """Our training and merging over so much text."""

    megabytes: float
    characters: int
    added: int
    train_seconds: float
    merge_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Change:
    """The base's encoder and that of what it became."""

    before: Encoder
    after: Encoder


class Bench:
    """The base, English text, and where contenders work."""

    def __init__(self, root: Path, pieces: int) -> None:
        old, self.english = english()
        self.old = up_to_characters(SAMPLE_CHARACTERS, old)
        self.root, self.pieces = root, pieces
        if LLAMA.exists():
            shutil.copyfile(LLAMA, root / "base.model")
        else:
            train_base_tokenizer(old, root / "base.model", size=2_000)
        self.base: Model = read_model(root / "base.model")
        write_texts(root / "old.jsonl", self.old)

    def make(self, kind: str, texts: Sequence[str]) -> tuple[Model, dict[str, Any]]:
        """What one way makes of a text."""
        write_texts(self.root / "train.jsonl", texts)
        answer = in_a_process(kind, self.root, self.pieces)
        return read_model(self.root / "merged.model"), answer

    def row(
        self,
        name: str,
        corpus: Corpus,
        model: Model,
        characters: int = 0,
        answer: Mapping[str, Any] | None = None,
    ) -> Row:
        """A vocabulary on the sentencepiece base measured."""
        first = len(self.base.pieces)
        change = Change(encoder_of(self.base), encoder_of(model))
        found = {
            "added": len(model.pieces) - first,
            "unreachable": len(unreachable_pieces(model, first)),
            "mismatches_added": self.mismatches(model, corpus),
        }
        return self.measured(name, corpus, change, {**(answer or {}), **found}, characters)

    def measured(
        self,
        name: str,
        corpus: Corpus,
        change: Change,
        found: Mapping[str, Any],
        characters: int = 0,
    ) -> Row:
        """What was found of a vocabulary, and what it does to held-out text."""
        spent = ("train_seconds", "merge_seconds", "peak_mb")
        row = Row(
            name,
            corpus.code,
            characters,
            found.get("added", 0),
            {
                kind: round(tokens_per_character(change.after, texts), 4)
                for kind, texts in corpus.heldout.items()
            },
            self.changed(change),
            found.get("unreachable", 0),
            found.get("mismatches_added", 0),
            **{key: round(found[key], 1) for key in spent if key in found},
        )
        print(f"{corpus.code} {name}: {row.tokens_per_character}", flush=True)
        return row

    def changed(self, change: Change) -> int:
        """English lines whose ids are others."""
        before, after = (one.encode(self.english) for one in (change.before, change.after))
        return len(differing(self.english, before, after))

    def byte_rows(self, corpus: Corpus, texts: Sequence[str]) -> Iterator[Row]:
        """GPT-NeoX's vocabulary alone and with ours; Hugging Face alone can cut with it."""
        bytes_base = self.root / "bytes"
        bytes_base.mkdir(exist_ok=True)
        shutil.copyfile(GPT_NEOX, bytes_base / "tokenizer.json")
        before = load_encoder(bytes_base)
        yield self.measured(BYTES_ALONE, corpus, Change(before, before), {})
        write_texts(self.root / "train.jsonl", texts)
        answer = in_a_process("bytes", self.root, self.pieces)
        change = Change(before, load_encoder(self.root / "grown"))
        yield self.measured(OUR_BYTES, corpus, change, answer, sum(map(len, texts)))

    def mismatches(self, model: Model, corpus: Corpus) -> int:
        texts = [text for heldout in corpus.heldout.values() for text in heldout]
        lines = [*PROBES, *spread(lines_of(texts)), *spread(self.english)]
        differing = [
            line for line, same in zip(lines, agreeing(model, lines), strict=True) if not same
        ]
        return sum(agreeing(self.base, differing))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--characters", type=int, default=CHARACTERS, help="to learn from")
    parser.add_argument("--pieces", type=int, help="to add; 16000, or 2000 of composed text")
    parser.add_argument("--full", action="store_true", help="train on up to 1 GB")
    parser.add_argument("--without-initialisers", action="store_true", help="train no model")
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    options = parser.parse_args()
    real = real_text.TEXT.exists() and LLAMA.exists()
    if not real:
        print(f"{real_text.DATA} is absent: composed text, of one source, and a composed base")
    pieces = options.pieces or (PIECES if real else COMPOSED_PIECES)
    rows: list[Row] = []
    results: dict[str, Any] = {"pieces": pieces}
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), pieces)
        for corpus in corpora(HELDOUT_CHARACTERS):
            rows += rows_of(bench, corpus, options.characters)
            if options.full and corpus.code == "ja":
                results["growth"] = [asdict(point) for point in grow(bench, corpus)]
    show(rows, len(bench.english))
    if not options.without_initialisers:
        results["initialisers"] = initialised()
    figures = figures_of(rows)
    results |= {"figures": figures, "english_lines": len(bench.english)}
    if real:
        # what this run did not measure stays as an earlier one found it
        before = record.read_results("vocabulary")
        kept = {key: before[key] for key in ("growth", "initialisers") if key in before}
        found = {**kept, **results, "rows": [asdict(row) for row in rows]}
        record.write_results("vocabulary", found, PACKAGES)
    if options.readme:
        table = readme_table(record.read_results("vocabulary"))
        record.write_readme(README_BEGIN, README_END, table)
    if figures["ja_tokens_per_char"] > AIM:
        print(f"the aim of {AIM} tokens per Japanese character is missed")
    print("figures: " + " ".join(f"{key}={value}" for key, value in figures.items()))


def rows_of(bench: Bench, corpus: Corpus, characters: int) -> Iterator[Row]:
    """The base, all ways on the same text, then ours on other texts."""
    yield bench.row(BASE, corpus, bench.base)
    texts = up_to_characters(characters, mixed(corpus.train))
    for kind, name in {**CLASSIC, "ours": OURS}.items():
        yield made(bench, corpus, name, kind, texts)
    if corpus.code == "zh" and CHINESE.exists():
        yield bench.row(PUBLISHED, corpus, merge_classic(bench.base, read_model(CHINESE)))
    if GPT_NEOX.exists():
        yield from bench.byte_rows(corpus, texts)
    if len(corpus.train) < 2:
        return
    for kind, pages in corpus.train.items():
        some = up_to_characters(characters, pages)
        yield made(bench, corpus, f"{OURS}, of {kind} alone", "ours", some)
    yield made(bench, corpus, f"{OURS}, of all text", "ours", mixed(corpus.train))


def made(bench: Bench, corpus: Corpus, name: str, kind: str, texts: Sequence[str]) -> Row:
    model, answer = bench.make(kind, texts)
    return bench.row(name, corpus, model, sum(map(len, texts)), answer)


def mixed(train: Mapping[str, Sequence[str]]) -> list[str]:
    """All pages in a fixed random order, so that a head is a fair sample."""
    pages = [page for kind in train.values() for page in kind]
    random.Random(5).shuffle(pages)
    return pages


def spread(lines: Sequence[str]) -> Sequence[str]:
    """So many lines as are compared, evenly taken from all."""
    step = max(1, len(lines) // COMPARED_LINES)
    return lines[::step][:COMPARED_LINES]


def agreeing(model: Model, lines: Sequence[str]) -> list[bool]:
    """Of each line whether sentencepiece and Hugging Face cut it alike."""
    cut_otherwise = set(disagreeing(lines, Forms(encoder_of(model), to_hugging_face(model))))
    return [line not in cut_otherwise for line in lines]


def grow(bench: Bench, corpus: Corpus) -> Iterator[Grown]:
    """Ours over more and more text.

    Of real Japanese eight times the text has 7.7 times the characters in different segments, so
    copies whose letters are exchanged, which share no segment, grow as real text does.
    """
    pages = mixed(corpus.train)
    for megabytes in GROWTH_MEGABYTES:
        texts = list(real_text.up_to(int(megabytes * 1e6), exchanged(pages)))
        characters = sum(map(len, texts))
        write_texts(bench.root / "train.jsonl", texts)
        del texts
        answer = in_a_process("ours", bench.root, bench.pieces)
        point = Grown(
            megabytes, characters, answer["added"],
            round(answer["train_seconds"], 1), round(answer["merge_seconds"], 1),
            round(answer["peak_mb"], 1),
        )  # fmt: skip
        print(f"{megabytes} MB: {point}", flush=True)
        yield point


def exchanged(pages: Sequence[str]) -> Iterator[str]:
    """Pages, then the same with other letters, again and again."""
    letters = np.array(sorted({ord(letter) for page in pages for letter in set(page)}), np.uint32)
    for number in count():
        table = cipher(number, letters)
        for page in pages:
            points = np.frombuffer(page.encode("utf-32-le"), "<u4")
            yield table[points].tobytes().decode("utf-32-le")


def overall(row: Row) -> float:
    """Tokens per character of books and manuals, half and half; composed text has one source."""
    values = [row.tokens_per_character.get(kind) for kind in ("books", "manuals", "composed")]
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


def figures_of(rows: Iterable[Row]) -> dict[str, float]:
    """The last line; "classic" is the better of both classic ways, ours counts all languages."""
    rows = list(rows)
    ja = {row.name: row for row in rows if row.language == "ja"}
    ours = [row for row in rows if row.name.startswith(OURS)]
    return {
        "ja_tokens_per_char": round(overall(ja[OURS]), 4),
        "classic_tokens_per_char": round(min(overall(ja[name]) for name in CLASSIC.values()), 4),
        "english_ids_changed": sum(row.english_lines_changed for row in ours),
        "unreachable": sum(row.unreachable for row in ours),
        "mismatches_added": sum(row.mismatches_added for row in ours),
    }


def initialised() -> dict[str, Any]:
    """What a small model says of the new language, by how its new rows start."""
    from benchmarks import initialisers

    with tempfile.TemporaryDirectory() as directory:
        base, outcomes = initialisers.compare_initialisers(Path(directory), initialisers.Setting())
    print("\nbits per byte of held-out text: extended, and after equally many bytes")
    print("\n".join(initialisers.table(outcomes)))
    return {"base": base, "outcomes": [asdict(outcome) for outcome in outcomes]}


if __name__ == "__main__":
    main()
