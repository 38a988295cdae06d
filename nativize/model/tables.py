"""The tensors of a model that have a row for every token, whatever its architecture calls them.

transformers says which they are: the model is built on the meta device, where no number is
allocated, once as it is and once with more tokens. What changes its shape is such a tensor.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from nativize.errors import ModelError
from nativize.model.checkpoint import Checkpoint

FLOATS = ("F64", "F32", "F16", "BF16")
MORE = 64
"""Tokens that the second model has more; any number does."""


@dataclass(frozen=True)
class Table:
    """A tensor with a row for every token.

    Attributes:
        name: its name in the checkpoint.
        is_head: it makes logits and is not the input embedding too; its bias also is one.
    """

    name: str
    is_head: bool


def find_tables(directory: Path, checkpoint: Checkpoint) -> list[Table]:
    """Input embedding, then head and its bias where they are tensors of their own.

    Raises:
        ModelError: no causal language model, a table that is missing or quantised, or a tensor
            that grows with the vocabulary and is none of them.
    """
    config = _config(directory)
    model = _on_meta(directory, config)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    heads = [] if head is None else list(head.parameters(recurse=False))
    tables = []
    for tensor in (embedding, *(tensor for tensor in heads if tensor is not embedding)):
        names = [name for name, parameter in parameters.items() if parameter is tensor]
        stored = stored_names(names, model, checkpoint)
        if not stored:
            raise ModelError(f"{directory}: no tensor {names[0]} in its weights; fetch it again")
        tables += [Table(name, is_head=tensor is not embedding) for name in stored]
    _require_known(directory, config, parameters, [embedding, *heads])
    _require_floats(checkpoint, tables)
    return tables


def model_on_meta(directory: Path) -> Any:
    """The causal language model of a directory: its modules, names and shapes, and no numbers.

    Raises:
        ModelError: no causal language model by its config.
    """
    return _on_meta(directory, _config(directory))


def stored_names(names: list[str], model: Any, checkpoint: Checkpoint) -> list[str]:
    """What a checkpoint calls a parameter; nothing where it is kept in other pieces.

    Args:
        names: all its names in the model; a tied one has several.
        model: see `model_on_meta`.
        checkpoint: of the same directory.
    """
    stored = list(_stored(names, model.base_model_prefix, checkpoint))
    if stored:
        return stored
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return _of_shape(parameters[names[0]].shape, list(parameters), model, checkpoint)


def count_parameters(directory: Path) -> int:
    """The parameters of a model directory by its config, a tied table once."""
    return sum(parameter.numel() for parameter in model_on_meta(directory).parameters())


def _config(directory: Path) -> Any:
    try:
        return AutoConfig.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{directory}: config.json cannot be read: {error}") from error


def _on_meta(directory: Path, config: Any) -> Any:
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except (ValueError, ImportError) as error:
        raise ModelError(f"{directory}: no causal language model by its config: {error}") from error


def _stored(names: list[str], prefix: str, checkpoint: Checkpoint) -> Iterator[str]:
    """Names as the checkpoint has them; published ones often leave the model's prefix out."""
    tensors = checkpoint.tensors
    for name in names:
        for candidate in (name, name.removeprefix(f"{prefix}."), f"{prefix}.{name}"):
            if candidate in tensors:
                yield candidate
                break


def _of_shape(
    shape: torch.Size, parameters: list[str], model: Any, checkpoint: Checkpoint
) -> list[str]:
    """The one tensor of a shape that is no other parameter; some are renamed when they are read.

    GPT-NeoX's head is ``lm_head`` in memory and ``embed_out`` in files.
    """
    others = set(_stored(parameters, model.base_model_prefix, checkpoint))
    found = [
        name
        for name, stored in checkpoint.tensors.items()
        if stored.shape == tuple(shape) and name not in others
    ]
    return found if len(found) == 1 else []


def _require_known(
    directory: Path, config: Any, parameters: dict[str, Any], known: list[Any]
) -> None:
    larger = copy.deepcopy(config)
    larger.get_text_config().vocab_size += MORE
    after = dict(_on_meta(directory, larger).named_parameters(remove_duplicate=False))
    for name, tensor in parameters.items():
        if after[name].shape != tensor.shape and not any(tensor is one for one in known):
            raise ModelError(
                f"{directory}: {name} grows with the vocabulary, but is neither embedding nor head;"
                ' this architecture can only be used with vocabulary.mode = "none"'
            )


def _require_floats(checkpoint: Checkpoint, tables: list[Table]) -> None:
    for table in tables:
        stored = checkpoint.tensors[table.name]
        if stored.dtype not in FLOATS:
            raise ModelError(
                f"{stored.path}: {table.name} is {stored.dtype}; new rows can be made in"
                f" {', '.join(FLOATS)} only. Start from the model before it was quantised"
            )
