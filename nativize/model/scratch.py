"""A small Llama-architecture base, trained by the graph itself on the old language alone."""

import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from nativize.artifact import Report, Workplace, write_json
from nativize.engine import LocalEngine
from nativize.model.directory import copy_tokenizer, load_model, save_model
from nativize.model.overlay import TRAINED, apply_trained
from nativize.model.training import run_training
from nativize.recipe import Mixture, ScratchModel, Trainer, TrainStage
from nativize.tokens import TokenShards, tokenise
from nativize.train import Job
from nativize.train.launch import Launch
from nativize.vocabulary import Sizes, read_texts, train_base_tokenizer
from nativize.vocabulary.hugging_face import save_hugging_face
from nativize.vocabulary.piece_model import read_model
from nativize.vocabulary.train import TOKENIZER_MODEL

CONTEXT = 256
"""Tokens in a sample of the base's training; enough for a model this small."""

ENDLESS = 1e9
"""Epochs: a base for a demo may go through its little text as often as it takes."""

WIDTH_OF_FEED_FORWARD = 8 / 3
"""Times the hidden size: SwiGLU with as many parameters as a plain feed-forward of 4 (LLaMA)."""


def train_scratch(
    replay: Path, place: Workplace, *, scratch: ScratchModel, trainer: Trainer, launch: Launch
) -> Report:
    """A trained base in ``place.out``: tokenizer, random weights, one training on replay text."""
    vocabulary = _make_tokenizer(replay, place.scratch / "vocabulary", scratch)
    tokens = place.step("tokens")
    mixture = Mixture(
        sequence_length=CONTEXT, replay_share=0.0, maximum_epochs=ENDLESS, seed=scratch.seed
    )
    tokenise(vocabulary, replay, replay, tokens, mixture=mixture, engine=LocalEngine())
    start = _make_random(place.scratch / "random", scratch)
    trained = place.scratch / "trained"
    shutil.rmtree(trained, ignore_errors=True)  # its last checkpoint brings it back at once
    job = Job(
        kind="tokens",
        model=start,
        data=tokens.out,
        data_digest=TokenShards(tokens.out).digest(),
        stage=_as_stage(scratch),
        sequence_length=CONTEXT,
        batch_samples=max(1, scratch.batch_tokens // CONTEXT),
        trainer=trainer,
        work_dir=place.scratch / "training",
        output_dir=trained,
    )
    report = run_training(job, place, launch)
    model = load_model(start)
    apply_trained(model, trained / TRAINED)
    save_model(model, place.out)
    copy_tokenizer(vocabulary, place.out)
    return Report({**report.metrics, "vocabulary_size": scratch.vocabulary_size})


def _make_tokenizer(replay: Path, out: Path, scratch: ScratchModel) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    train_base_tokenizer(
        read_texts(replay, "train"), out / TOKENIZER_MODEL, size=scratch.vocabulary_size
    )
    save_hugging_face(read_model(out / TOKENIZER_MODEL), out, out)
    size = scratch.vocabulary_size
    write_json(out / "vocabulary.json", asdict(Sizes(size, size, size, 0)))
    return out


def _make_random(out: Path, scratch: ScratchModel) -> Path:
    """An untrained Llama of the recipe's sizes in float32; embedding and head apart, as LLaMA."""
    config = LlamaConfig(
        vocab_size=scratch.vocabulary_size,
        hidden_size=scratch.hidden_size,
        intermediate_size=_round_to(scratch.hidden_size * WIDTH_OF_FEED_FORWARD, 32),
        num_hidden_layers=scratch.layers,
        num_attention_heads=scratch.attention_heads,
        num_key_value_heads=scratch.attention_heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
        dtype="float32",
    )
    torch.manual_seed(scratch.seed)
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2)
    save_model(model, out)
    return out


def _as_stage(scratch: ScratchModel) -> TrainStage:
    return TrainStage(
        name="base",
        trainable="full",
        steps=scratch.steps,
        batch_tokens=scratch.batch_tokens,
        learning_rate=scratch.learning_rate,
        warmup_share=0.05,
        weight_decay=0.1,
        seed=scratch.seed,
    )


def _round_to(size: float, multiple: int) -> int:
    return round(size / multiple) * multiple
