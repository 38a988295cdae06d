"""Hugging Face directories as this project keeps them: safetensors, no pickles, no code.

Equal weights give equal bytes: what transformers notes about itself is left out of the files.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

from nativize.artifact import sha256_of, write_json
from nativize.errors import ModelError

TOKENIZER_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
)
CONFIGS = ("config.json", "generation_config.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


transformers.utils.logging.disable_progress_bar()  # a bar for every file, also in logs


def load_model(directory: Path, *, dtype: torch.dtype | None = None) -> Any:
    """The causal language model of a directory, in its own dtype or the given one.

    Raises:
        ModelError: not a model directory, pickled weights, or weights that do not fit its config.
    """
    refuse_pickles(directory)
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            directory,
            dtype=dtype or "auto",
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{directory}: cannot be read as a causal language model: {error}"
        ) from error
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])[:3]
        raise ModelError(f"{directory}: weights are missing, for example {missing}; fetch it again")
    return model.eval()


def save_model(model: Any, out: Path) -> None:
    """The model as config, generation config and one safetensors file."""
    model.save_pretrained(out, max_shard_size="1000GB")
    for name in CONFIGS:
        path = out / name
        if path.exists():
            config = json.loads(path.read_text(encoding="utf-8"))
            config.pop("transformers_version", None)
            write_json(path, config)


def copy_tokenizer(source: Path, out: Path) -> None:
    """The tokenizer's files of one directory in another.

    Raises:
        ModelError: there are none.
    """
    found = [source / name for name in TOKENIZER_FILES if (source / name).is_file()]
    if not found:
        raise ModelError(f"{source}: no tokenizer files; expected one of {TOKENIZER_FILES}")
    for path in found:
        shutil.copyfile(path, out / path.name)


def refuse_pickles(directory: Path) -> None:
    """Nothing, when the weights are safetensors.

    Raises:
        ModelError: only pickled weights, which can run code when they are read.
    """
    if any(directory.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in directory.glob(pattern))
    if pickles:
        raise ModelError(
            f"{directory}: weights are pickles ({pickles[0]}), which can run code when read."
            " Convert them once where you trust them: model.save_pretrained(directory,"
            " safe_serialization=True) writes safetensors."
        )
    raise ModelError(f"{directory}: no *.safetensors; give a Hugging Face model directory")


def weights_digest(directory: Path) -> str:
    """SHA-256 of model.safetensors; of several files: of their lines "name digest"."""
    files = sorted(directory.glob("*.safetensors"))
    if len(files) == 1:
        return sha256_of(files[0])
    lines = "".join(f"{path.name} {sha256_of(path)}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()
