"""Where new rows start, side by side: what a model says of the new language before and after.

A small Llama is trained from scratch on English with a little Japanese, as public bases have seen
some of everything. The same Japanese pieces are merged into its vocabulary, the model is extended
by every initialiser of the recipe, and all are trained on the same bytes in the same order. Told
are bits per byte of held-out text (lower is better): of Japanese before and after the training,
of English after it. `python -m benchmarks.initialisers`; some minutes on one core.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import torch

from benchmarks import real_text
from nativize.artifact import standalone
from nativize.dedup.corpus import write_shard
from nativize.engine import LocalEngine
from nativize.evaluate.heldout import Heldout, choose_heldout
from nativize.evaluate.likelihood import bits_per_byte
from nativize.model.base import make_base
from nativize.model.directory import copy_tokenizer, load_model, save_model
from nativize.model.extend import extend_model
from nativize.model.overlay import apply_overlay
from nativize.model.training import train_stage
from nativize.recipe import Base, Extend, Mixture, ScratchModel, Trainer, TrainStage, Vocabulary
from nativize.tokens import tokenise
from nativize.train.run import run_job
from nativize.vocabulary import load_encoder, merge_vocabulary, train_tokenizer

INITIALISERS: tuple[str, ...] = get_args(Extend.model_fields["initialiser"].annotation)
COVERAGE = 0.98
"""Of the characters of Japanese; all 3,341 would be most of the pieces."""
HELDOUT_EVERY = 12
HELDOUT_TOKENS = 25_000
"""Of each language, counted by the base."""
TRAINER = Trainer(device="cpu", log_every_steps=50, save_every_steps=10_000)


@dataclass(frozen=True)
class Setting:
    """What is compared on.

    Attributes:
        english_bytes: of the base's training text.
        seen_bytes: of Japanese in it; 0 makes a base that never saw the language.
        japanese_bytes: of the text that pieces and models are trained on, other documents.
        pieces: Japanese ones that are learned.
        base_steps: of the base's training, 4,096 tokens each.
        steps: of the training after the extension, 2,048 tokens each.
        seeds: one training of every initialiser for each.
    """

    english_bytes: int = 3_000_000
    seen_bytes: int = 300_000
    japanese_bytes: int = 1_500_000
    pieces: int = 2_000
    base_steps: int = 300
    steps: int = 60
    seeds: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Outcome:
    """One initialiser's figures, in bits per byte of held-out text.

    Attributes:
        initialiser: by its name in the recipe.
        seed: of random rows and of the order of training.
        japanese_before: of the extended model as it is.
        japanese_after: after the training.
        english_after: of the old language.
    """

    initialiser: str
    seed: int
    japanese_before: float
    japanese_after: float
    english_after: float


class Bench:
    """Base, vocabulary and token shards, which all initialisers share."""

    def __init__(self, root: Path, setting: Setting) -> None:
        self.root, self.setting = root, setting
        seen, new = _split(
            real_text.documents("ja", setting.seen_bytes + setting.japanese_bytes),
            setting.seen_bytes,
        )
        english = real_text.documents("en", setting.english_bytes)
        self.old = write_corpus(root / "old", english)
        self.new = write_corpus(root / "new", new)
        self.base = self._make_base(write_corpus(root / "seen", [*english, *seen]))
        encoder = load_encoder(self.base)
        self.japanese = choose_heldout(self.new, encoder, HELDOUT_TOKENS)
        self.english = choose_heldout(self.old, encoder, HELDOUT_TOKENS)
        self.vocabulary = self._merge()

    def outcome(self, initialiser: str, seed: int) -> Outcome:
        """An initialiser's figures."""
        place = self.root / f"{initialiser}-{seed}"
        extend = Extend.model_validate({"initialiser": initialiser, "seed": seed})
        with standalone(place / "extended") as workplace:
            extend_model(self.base, self.vocabulary, workplace, extend=extend)
        before = self.bits(place / "extended", self.japanese)
        trained = self._train(place / "extended", place, seed)
        return Outcome(
            initialiser,
            seed,
            before,
            self.bits(trained, self.japanese),
            self.bits(trained, self.english),
        )

    def bits(self, model: Path, heldout: Heldout) -> float:
        return round(bits_per_byte(load_model(model), load_encoder(model), heldout), 4)

    def _make_base(self, corpus: Path) -> Path:
        scratch = ScratchModel(
            vocabulary_size=3_000,
            hidden_size=96,
            layers=2,
            attention_heads=4,
            steps=self.setting.base_steps,
            batch_tokens=4_096,
        )
        with standalone(self.root / "base") as place:
            make_base(
                corpus,
                place,
                base=Base(scratch=scratch),
                directory=self.root,
                trainer=TRAINER,
                launch=run_job,
            )
        return self.root / "base"

    def _merge(self) -> Path:
        vocabulary = Vocabulary(size=self.setting.pieces, character_coverage=COVERAGE)
        with standalone(self.root / "pieces") as place:
            train_tokenizer(self.new, place, vocabulary=vocabulary)
        with standalone(self.root / "vocabulary") as place:
            merge_vocabulary(
                self.base, self.root / "pieces", self.new, self.old, place, vocabulary=vocabulary
            )
        return self.root / "vocabulary"

    def _train(self, model: Path, place: Path, seed: int) -> Path:
        """The model after the same tokens, all its parameters trained."""
        stage = TrainStage(
            name="adapt", trainable="full", steps=self.setting.steps, batch_tokens=2_048,
            learning_rate=5e-4, warmup_share=0.1, seed=seed,
        )  # fmt: skip
        with standalone(place / "tokens") as workplace:
            tokenise(
                self.vocabulary,
                self.new,
                self.old,
                workplace,
                mixture=Mixture(sequence_length=256, replay_share=0.1, seed=seed),
                engine=LocalEngine(1),
            )
        with standalone(place / "overlay") as workplace:
            train_stage(
                model, (), place / "tokens", workplace,
                stage=stage, trainer=TRAINER, launch=run_job,
            )  # fmt: skip
        trained = place / "trained"
        save_model(apply_overlay(load_model(model), place / "overlay"), trained)
        copy_tokenizer(model, trained)
        return trained


def compare_initialisers(
    root: Path, setting: Setting, initialisers: Sequence[str] = INITIALISERS
) -> tuple[dict[str, float], list[Outcome]]:
    """The base's figures and those of every initialiser and seed.

    Args:
        root: an empty directory.
        setting: text, sizes and steps.
        initialisers: names of the recipe.
    """
    with on_one_core():
        bench = Bench(root, setting)
        base = {
            "japanese_base": bench.bits(bench.base, bench.japanese),
            "english_base": bench.bits(bench.base, bench.english),
        }
        print(f"base: {base}", flush=True)
        outcomes = []
        for seed in setting.seeds:
            for initialiser in initialisers:
                outcomes.append(bench.outcome(initialiser, seed))
                print(outcomes[-1], flush=True)
    return base, outcomes


@contextmanager
def on_one_core() -> Iterator[None]:
    """One core while it lasts: the same sums on every machine.

    With two threads, which wait for each other in layers this small, a busy machine of two cores
    made 2,700 tokens in a second of the processor, with one 19,000.
    """
    cores, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, {max(cores)})
    torch.set_num_threads(1)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(threads)


def write_corpus(directory: Path, texts: Sequence[str]) -> Path:
    """A deduplicated corpus of one shard, every twelfth document held out."""
    fates = ["train" if number % HELDOUT_EVERY else "heldout" for number in range(len(texts))]
    return write_shard(directory, "part-0", texts, fates)


def _split(texts: Sequence[str], size: int) -> tuple[list[str], list[str]]:
    """The first so many bytes, and what is behind them."""
    head = list(real_text.up_to(size, texts))
    return head, list(texts[len(head) :])


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Means over the seeds."""
    yield f"{'initialiser':18}{'ja before':>11}{'ja after':>11}{'en after':>11}"
    for name in dict.fromkeys(one.initialiser for one in outcomes):
        some = [one for one in outcomes if one.initialiser == name]
        figures = zip(
            *((one.japanese_before, one.japanese_after, one.english_after) for one in some),
            strict=True,
        )
        yield f"{name:18}" + "".join(f"{sum(column) / len(some):11.4f}" for column in figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    standard = Setting()
    parser.add_argument("--seen-bytes", type=int, default=standard.seen_bytes)
    parser.add_argument("--base-steps", type=int, default=standard.base_steps)
    parser.add_argument("--steps", type=int, default=standard.steps)
    parser.add_argument("--seeds", type=int, default=1, help="how many trainings of each")
    options = parser.parse_args()
    setting = Setting(
        seen_bytes=options.seen_bytes,
        base_steps=options.base_steps,
        steps=options.steps,
        seeds=tuple(range(1, options.seeds + 1)),
    )
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        base, outcomes = compare_initialisers(Path(directory), setting)
    print("\n".join(table(outcomes)))
    figures = {
        **base,
        **{f"{one.initialiser}_{one.seed}": one.japanese_after for one in outcomes},
        "text": real_text.source("ja"),
        "seconds": round(time.monotonic() - started),
    }
    print(f"setting: {json.dumps(asdict(setting))}")
    print(f"figures: {json.dumps(figures)}")


if __name__ == "__main__":
    main()
