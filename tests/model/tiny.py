"""A tiny real road to train on: corpora, base, merged vocabulary, extended model, tokens."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from nativize.artifact import Workplace, standalone
from nativize.engine import LocalEngine
from nativize.model.directory import copy_tokenizer, save_model
from nativize.model.extend import extend_model
from nativize.model.training import train_stage
from nativize.recipe import Extend, Mixture, Trainer, TrainStage
from nativize.tokens import tokenise
from nativize.train.run import run_job
from nativize.vocabulary.hugging_face import save_hugging_face
from nativize.vocabulary.piece_model import read_model
from tests.vocabulary.composed import (
    ENGLISH,
    JAPANESE,
    write_base,
    write_corpus,
    write_vocabulary,
)

TRAINER = Trainer(device="cpu", save_every_steps=2, log_every_steps=1, micro_batch_samples=2)


@dataclass(frozen=True)
class Tiny:
    """Directories of the road's first values."""

    root: Path

    @property
    def new(self) -> Path:
        return self.root / "new"

    @property
    def old(self) -> Path:
        return self.root / "old"

    @property
    def base(self) -> Path:
        return self.root / "base"

    @property
    def vocabulary(self) -> Path:
        return self.root / "merged"

    @property
    def tokens(self) -> Path:
        return self.root / "tokens"

    @property
    def extended(self) -> Path:
        return self.root / "extended"

    def train(self, out: Path, stage: TrainStage, overlays: tuple[Path, ...] = ()) -> Path:
        """A training of the extended model, in this process."""
        with standalone(out) as place:
            self.train_in(place, stage, overlays)
        return out

    def train_in(
        self, place: Workplace, stage: TrainStage, overlays: tuple[Path, ...] = ()
    ) -> None:
        train_stage(
            self.extended,
            overlays,
            self.tokens,
            place,
            stage=stage,
            trainer=TRAINER,
            launch=run_job,
        )


def make_tiny(root: Path) -> Tiny:
    tiny = Tiny(root)
    write_corpus(tiny.new, JAPANESE)
    write_corpus(tiny.old, ENGLISH)
    write_base(tiny.base)
    save_hugging_face(read_model(tiny.base / "tokenizer.model"), tiny.base, tiny.base)
    write_model(tiny.base, vocabulary=400)
    write_vocabulary(root, tiny.base, tiny.new, tiny.old)
    with standalone(tiny.tokens) as place:
        tokenise(
            tiny.vocabulary,
            tiny.new,
            tiny.old,
            place,
            mixture=Mixture(sequence_length=32, replay_share=0.25),
            engine=LocalEngine(1),
        )
    with standalone(tiny.extended) as place:
        extend_model(tiny.base, tiny.vocabulary, place, extend=Extend())
    return tiny


def write_model(
    directory: Path, *, vocabulary: int, dtype: torch.dtype = torch.float32, tied: bool = False
) -> Path:
    """A random Llama as this project keeps it."""
    save_model(random_llama(vocabulary, dtype=dtype, tied=tied), directory)
    return directory


def random_llama(vocabulary: int, *, dtype: torch.dtype, tied: bool) -> LlamaForCausalLM:
    """Two layers of 32."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(1)
    return LlamaForCausalLM(config).to(dtype)


def write_variant(tiny: Tiny, root: Path, *, dtype: torch.dtype, tied: bool) -> Tiny:
    """The same road with an extended model of another dtype or tying."""
    variant = Tiny(root)
    for name in ("new", "old", "merged", "tokens"):
        (root / name).symlink_to(tiny.root / name)
    write_model(variant.base, vocabulary=400, dtype=dtype, tied=tied)
    copy_tokenizer(tiny.base, variant.base)
    with standalone(variant.extended) as place:
        extend_model(variant.base, variant.vocabulary, place, extend=Extend())
    return variant


def stage(trainable: str, **settings: object) -> TrainStage:
    """A training of a few steps; batches of four samples."""
    defaults = {"steps": 4, "batch_tokens": 128, "learning_rate": 1e-3, "warmup_share": 0.0}
    lora = {"rank": 4, "alpha": 8, "dropout": 0.1}
    fields = {"name": trainable, "trainable": trainable, "lora": lora, **defaults, **settings}
    return TrainStage.model_validate(fields)
