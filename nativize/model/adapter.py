"""LoRA adapters on disk: written without paths or versions, checked before they are used.

The commonest accidents elsewhere: an adapter saved empty (443 bytes), embeddings trained but not
saved, and a merged model worse than its adapter. Each is refused here.
"""

import json
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from nativize.artifact import write_json
from nativize.errors import ModelError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
SESSION_FIELDS = ("base_model_name_or_path", "peft_version", "revision")


def save_adapter(model: Any, out: Path) -> None:
    """A peft model's adapter, with trained embeddings, as config and safetensors."""
    out.mkdir()
    tensors = get_peft_model_state_dict(model, save_embedding_layers=False)
    # cloned: a tied head is the embedding itself, and peft wants both by their names
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    save_file(tensors, out / WEIGHTS, metadata={"format": "pt"})
    config = model.peft_config["default"]
    config.save_pretrained(out)
    fields = json.loads((out / CONFIG).read_text(encoding="utf-8"))
    fields.update({name: None for name in SESSION_FIELDS if name in fields})
    fields.update(inference_mode=True, target_modules=sorted(fields["target_modules"]))
    write_json(out / CONFIG, fields)


def attach_adapter(model: Any, directory: Path) -> Any:
    """The model with an adapter on it, after the adapter was found sound.

    Raises:
        ModelError: see `check_adapter`.
    """
    check_adapter(directory)
    return PeftModel.from_pretrained(model, str(directory)).eval()


def check_adapter(directory: Path) -> None:
    """Nothing, when an adapter holds what its config says.

    Raises:
        ModelError: no tensors, an empty or non-finite one, low-rank factors of another rank or
            all zero, or embeddings that were to be saved and are not.
    """
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    tensors = load_file(directory / WEIGHTS)
    factors = {name: tensor for name, tensor in tensors.items() if ".lora_" in name}
    if not factors:
        raise ModelError(f"{directory}: the adapter is empty; train the stage again")
    for name, tensor in tensors.items():
        if tensor.numel() == 0 or not torch.isfinite(tensor).all():
            raise ModelError(f"{directory}: {name} is empty or not finite; train the stage again")
    for name, tensor in factors.items():
        rank = tensor.shape[0] if ".lora_A" in name else tensor.shape[1]
        if rank != config["r"]:
            raise ModelError(f"{directory}: {name} has rank {rank}, the config says {config['r']}")
    if not any(tensor.norm() > 0 for name, tensor in factors.items() if ".lora_B" in name):
        raise ModelError(f"{directory}: the adapter changes nothing (all B factors are zero)")
    for module in config.get("modules_to_save") or ():
        if not any(f".{module}." in name for name in tensors):
            raise ModelError(f"{directory}: {module} was trained but not saved; train again")
