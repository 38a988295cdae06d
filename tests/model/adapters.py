"""Trainings made by hand: adapters of peft with random numbers, and trained tensors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, TrainableTokensConfig, get_peft_model
from safetensors.torch import save_file

from nativize.artifact import write_json
from nativize.model.adapter import save_adapter
from nativize.model.overlay import ADAPTER, STAGE_FILE, TRAINED, load_with_overlays
from tests.model.tiny import random_llama

ROWS, WIDE, FIRST_NEW = 500, 32, 400
NEW = list(range(FIRST_NEW, ROWS))
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
STEP = 0.02
"""Standard deviation of what a training moves a number by."""


def write_llama(
    directory: Path, *, dtype: torch.dtype = torch.float32, tied: bool = False, files: str = "100KB"
) -> Path:
    """A random Llama of two layers in files of that size, with something as its tokenizer."""
    random_llama(ROWS, dtype=dtype, tied=tied).save_pretrained(directory, max_shard_size=files)
    write_json(directory / "tokenizer_config.json", {"model_max_length": 64})
    return directory


def write_adapter(
    out: Path, model: Path, config: PeftConfig, before: Sequence[Path] = (), *, seed: int = 2
) -> Path:
    """An adapter as if it had been trained on a model and earlier trainings."""
    adapted = get_peft_model(load_with_overlays(model, before), config)
    torch.manual_seed(seed)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += STEP * torch.randn_like(parameter)
    out.mkdir()
    save_adapter(adapted, out / ADAPTER)
    return _as_stage(out)


def write_trained(
    out: Path, model: Path, wanted: Callable[[str], bool], before: Sequence[Path] = ()
) -> Path:
    """Tensors as if they had been trained."""
    torch.manual_seed(3)
    tensors = {
        name: (parameter + STEP * torch.randn_like(parameter)).detach()
        for name, parameter in load_with_overlays(model, before).named_parameters()
        if wanted(name)
    }
    out.mkdir()
    save_file(tensors, out / TRAINED)
    return _as_stage(out)


def lora(**settings: Any) -> LoraConfig:
    return LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": ATTENTION, **settings})


def lora_with_embeddings(*, tied: bool) -> LoraConfig:
    """As the trainer makes them: a tied head is trained under the embedding's name."""
    saved = ["embed_tokens"] if tied else ["embed_tokens", "lm_head"]
    return lora(modules_to_save=saved, ensure_weight_tying=tied)


def new_rows(*, tied: bool) -> TrainableTokensConfig:
    names = ["embed_tokens"] if tied else ["embed_tokens", "lm_head"]
    return TrainableTokensConfig(token_indices=NEW, target_modules=names)


def _as_stage(out: Path) -> Path:
    write_json(out / STAGE_FILE, {"chat_template": None})
    return out
