"""LoRA adapters on disk: written without paths or versions, checked before they are used.

The commonest accidents elsewhere: an adapter saved empty (443 bytes), embeddings trained but not
saved, and a merged model worse than its adapter. Each is refused here.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn

from nativize.artifact import write_json
from nativize.errors import ModelError
from nativize.model.changes import (
    CONFIG,
    EMBEDDING_A,
    EMBEDDING_B,
    LORA_A,
    LORA_B,
    PREFIX,
    TOKENS,
    WEIGHTS,
    Kept,
    adapter_changes,
    kept_tensors,
    parameter_names,
    rank_of,
    read_config,
)

SESSION_FIELDS = ("base_model_name_or_path", "peft_version", "revision")


def save_adapter(model: Any, out: Path, trained: Mapping[str, torch.Tensor] | None = None) -> None:
    """A peft model's adapter, with trained embeddings, as config and safetensors.

    Args:
        model: the peft model.
        out: the directory to make.
        trained: its trained parameters by all their names, where the model's own are spread
            over processes.
    """
    out.mkdir()
    state = dict(trained) if trained is not None else None
    tensors = get_peft_model_state_dict(model, state_dict=state, save_embedding_layers=False)
    # cloned: a tied head is the embedding itself, and peft wants both by their names
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    save_file(tensors, out / WEIGHTS, metadata={"format": "pt"})
    config = model.peft_config["default"]
    config.save_pretrained(out)
    fields = json.loads((out / CONFIG).read_text(encoding="utf-8"))
    fields.update({name: None for name in SESSION_FIELDS if name in fields})
    fields.update(inference_mode=True)
    if isinstance(fields["target_modules"], list):  # peft keeps a set; one name stays a string
        fields["target_modules"].sort()
    write_json(out / CONFIG, fields)


def attach_adapter(model: Any, directory: Path) -> Any:
    """The model with an adapter on it, after the adapter was found sound.

    Raises:
        ModelError: see `check_adapter`.
    """
    check_adapter(directory, model)
    return PeftModel.from_pretrained(model, str(directory)).eval()


def check_adapter(directory: Path, model: nn.Module | None = None) -> None:
    """Nothing, when an adapter holds what its config says.

    Args:
        directory: peft's config and weights.
        model: the plain model that it is for, with or without numbers; then shapes too are
            compared, rows of embeddings and ids of tokens with its vocabulary among them.
    Raises:
        ModelError: no tensors, one that is empty, not finite or all zero, low-rank factors of
            another rank, no B factor with a number in it, embeddings or tokens that were to be
            saved and are not, a kind of adapter that cannot be merged, or another model's.
    """
    config = read_config(directory)
    kept = kept_tensors(directory / WEIGHTS)
    wanted = (TOKENS,) if config["peft_type"] == "TRAINABLE_TOKENS" else (LORA_A, EMBEDDING_A)
    if not any(name.endswith(wanted) for name in kept):
        raise ModelError(f"{directory}: the adapter is empty; train the stage again")
    norms = {name: _norm(directory, tensor) for name, tensor in kept.items()}
    steps = [norm for name, norm in norms.items() if name.endswith((LORA_B, EMBEDDING_B))]
    if steps and not any(steps):
        raise ModelError(f"{directory}: the adapter changes nothing (all B factors are zero)")
    for name, norm in norms.items():
        if norm == 0 and not name.endswith((LORA_B, EMBEDDING_B, ".bias")):
            raise ModelError(f"{directory}: {name} is all zero; train the stage again")
    _require_ranks(directory, config, kept)
    _require_saved(directory, config.get("modules_to_save") or (), kept)
    if config.get("trainable_token_indices") and not any(name.endswith(TOKENS) for name in kept):
        raise ModelError(f"{directory}: tokens were trained but not saved; train the stage again")
    if model is not None:
        changed = adapter_changes(directory, model)
        names = [name for names in parameter_names(model) if names[0] in changed for name in names]
        _require_saved(directory, _token_modules(config), names)


def _norm(directory: Path, kept: Kept) -> float:
    tensor = kept.load()
    norm = float(tensor.norm()) if tensor.numel() else math.nan
    if not math.isfinite(norm):
        raise ModelError(f"{directory}: {kept.name} is empty or not finite; train the stage again")
    return norm


def _require_ranks(directory: Path, config: Mapping[str, Any], kept: Mapping[str, Kept]) -> None:
    for name, tensor in kept.items():
        for ending, side in ((LORA_A, 0), (LORA_B, 1), (EMBEDDING_A, 0), (EMBEDDING_B, 1)):
            if name.endswith(ending):
                rank = rank_of(config, name.removeprefix(PREFIX).removesuffix(ending))
                if tensor.shape[side] != rank:
                    raise ModelError(
                        f"{directory}: {name} has rank {tensor.shape[side]}, the config says {rank}"
                    )


def _require_saved(directory: Path, modules: Iterable[str], names: Iterable[str]) -> None:
    present = [f".{name}." for name in names]
    for module in modules:
        if not any(f".{module}." in name for name in present):
            raise ModelError(f"{directory}: {module} was trained but not saved; train again")


def _token_modules(config: Mapping[str, Any]) -> list[str]:
    """Modules with trained tokens, where the config names them."""
    if config["peft_type"] == "TRAINABLE_TOKENS":
        targets = config["target_modules"]
        return targets if isinstance(targets, list) else []
    rows = config.get("trainable_token_indices")
    return list(rows) if isinstance(rows, dict) else []
