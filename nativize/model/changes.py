"""What a training does to each tensor of the plain model, as data; read when it is applied.

Names and arithmetic are those of peft 0.21: low-rank factors A and B add scale x B x A, modules
trained in full replace, trained tokens replace their rows. What else an adapter may do is
refused by its config, because a merge that leaves it out would be another model.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, TrainableTokensConfig
from peft.utils.other import get_pattern_key
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers.pytorch_utils import Conv1D

from nativize.errors import ModelError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."
LORA_A, LORA_B = ".lora_A.weight", ".lora_B.weight"
EMBEDDING_A, EMBEDDING_B = ".lora_embedding_A", ".lora_embedding_B"
TOKENS = ".trainable_tokens_delta"
WRAPPED_TOKENS = ".token_adapter" + TOKENS
KINDS = {"LORA": LoraConfig, "TRAINABLE_TOKENS": TrainableTokensConfig}
FREE = frozenset(
    {
        *("auto_mapping", "base_model_name_or_path", "inference_mode", "peft_type"),
        *("peft_version", "revision", "task_type"),
        *("alpha_pattern", "exclude_modules", "fan_in_fan_out", "init_lora_weights"),
        *("layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout", "r"),
        *("modules_to_save", "rank_pattern", "target_modules", "use_rslora"),
        *("ensure_weight_tying", "init_weights", "token_indices", "trainable_token_indices"),
    }
)
"""Settings of a config that may have any value; the others must be peft's defaults."""
INITIALISERS = (True, False, "gaussian", "orthogonal")
"""Of the factors; the other ones (PiSSA, OLoRA, LoftQ, ...) change the weights under them."""


@dataclass(frozen=True)
class Kept:
    """A tensor in a safetensors file."""

    path: Path
    name: str
    shape: tuple[int, ...]

    def load(self) -> torch.Tensor:
        """Its numbers in float32."""
        with safe_open(self.path, framework="pt") as file:
            tensor: torch.Tensor = file.get_tensor(self.name)
        return tensor.float()


@dataclass(frozen=True)
class Replaced:
    """Other numbers in the place of all."""

    new: Kept

    def apply(self, old: torch.Tensor) -> torch.Tensor:
        return self.new.load()

    def parts(self) -> tuple[torch.Tensor, ...]:
        return (self.new.load(),)

    def fits(self, shape: tuple[int, ...]) -> bool:
        return self.new.shape == shape


@dataclass(frozen=True)
class LowRank:
    """A product of two factors added: scale x B x A.

    Attributes:
        a: rank x inputs.
        b: outputs x rank.
        scale: alpha / rank, or alpha / sqrt(rank).
        inputs_first: the weight is inputs x outputs, as embeddings and GPT-2's Conv1D are.
    """

    a: Kept
    b: Kept
    scale: float
    inputs_first: bool

    def apply(self, old: torch.Tensor) -> torch.Tensor:
        left, right = self._factors()
        return old.addmm_(left, right, alpha=self.scale)

    def parts(self) -> tuple[torch.Tensor, ...]:
        return (*self._factors(), torch.tensor(self.scale))

    def fits(self, shape: tuple[int, ...]) -> bool:
        if len(self.a.shape) != 2 or len(self.b.shape) != 2 or self.a.shape[0] != self.b.shape[1]:
            return False
        sides = (self.b.shape[0], self.a.shape[1])
        return shape == (sides[::-1] if self.inputs_first else sides)

    def _factors(self) -> tuple[torch.Tensor, torch.Tensor]:
        a, b = self.a.load(), self.b.load()
        return (a.T, b.T) if self.inputs_first else (b, a)


@dataclass(frozen=True)
class NewRows:
    """Other numbers in some rows."""

    rows: tuple[int, ...]
    new: Kept

    def apply(self, old: torch.Tensor) -> torch.Tensor:
        return old.index_copy_(0, torch.tensor(self.rows), self.new.load())

    def parts(self) -> tuple[torch.Tensor, ...]:
        return (torch.tensor(self.rows), self.new.load())

    def fits(self, shape: tuple[int, ...]) -> bool:
        known = all(0 <= row < shape[0] for row in self.rows)
        distinct = len(set(self.rows)) == len(self.rows)
        return known and distinct and self.new.shape == (len(self.rows), *shape[1:])


Change = Replaced | LowRank | NewRows


def kept_tensors(path: Path) -> dict[str, Kept]:
    """The tensors of a training's file by their names.

    Raises:
        ModelError: there is no such file, or it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = sorted(file.keys())
            return {
                name: Kept(path, name, tuple(file.get_slice(name).get_shape())) for name in names
            }
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); train the stage again") from error


def trained_changes(path: Path, model: nn.Module) -> dict[str, Change]:
    """What a file of trained tensors does, by the first name of each parameter.

    Args:
        path: safetensors by names in the plain model.
        model: the plain model, with or without numbers.
    Raises:
        ModelError: no tensors, a name that the model does not have, or another shape.
    """
    kept = kept_tensors(path)
    if not kept:
        raise ModelError(f"{path}: holds no tensors; train the stage again")
    changes: dict[str, Change] = {name: Replaced(tensor) for name, tensor in kept.items()}
    _require_fit(path, changes, kept, model)
    return _one_a_parameter(path, changes, model, adapter=False)


def adapter_changes(directory: Path, model: nn.Module) -> dict[str, Change]:
    """What an adapter does, by the first name of each parameter of the plain model.

    Args:
        directory: peft's config and weights.
        model: the plain model, with or without numbers.
    Raises:
        ModelError: it does what cannot be merged, does not fit the model, or changes an
            embedding and not the head that is tied to it.
    """
    config = read_config(directory)
    kept = {
        name.removeprefix(PREFIX): tensor
        for name, tensor in kept_tensors(directory / WEIGHTS).items()
    }
    changes: dict[str, Change] = {}
    for name, tensor in kept.items():
        if name.endswith((LORA_B, EMBEDDING_B)):
            continue
        parameter, change = _change(directory, config, kept, name, tensor, model)
        if parameter in changes:
            raise ModelError(f"{directory}: {parameter} is changed in two ways; train again")
        changes[parameter] = change
    _require_fit(directory, changes, kept, model)
    return _one_a_parameter(directory, changes, model, adapter=True)


def read_config(directory: Path) -> dict[str, Any]:
    """An adapter's config, all of whose settings can be merged.

    Raises:
        ModelError: not a kind of adapter that is known here, or a setting that is not.
    """
    config: dict[str, Any] = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    kind = config.get("peft_type")
    if kind not in KINDS:
        raise ModelError(f"{directory}: an adapter of kind {kind}; merged are {', '.join(KINDS)}")
    defaults = KINDS[kind]().to_dict()
    for name, value in config.items():
        if name not in FREE and value != defaults.get(name):
            raise ModelError(f"{directory}: adapters with {name} = {value!r} cannot be merged")
    if config.get("init_lora_weights", True) not in INITIALISERS:
        raise ModelError(
            f"{directory}: adapters with init_lora_weights = {config['init_lora_weights']!r}"
            " are trained on changed weights and cannot be merged with the ones before"
        )
    return config


def rank_of(config: Mapping[str, Any], module: str) -> int:
    """The rank of a module's factors by the config."""
    pattern = config.get("rank_pattern") or {}
    return int(pattern.get(get_pattern_key(pattern, module), config["r"]))


def _scale(config: Mapping[str, Any], module: str) -> float:
    pattern = config.get("alpha_pattern") or {}
    alpha = float(pattern.get(get_pattern_key(pattern, module), config["lora_alpha"]))
    rank = rank_of(config, module)
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _change(
    directory: Path,
    config: Mapping[str, Any],
    kept: Mapping[str, Kept],
    name: str,
    tensor: Kept,
    model: nn.Module,
) -> tuple[str, Change]:
    """The parameter that a tensor of an adapter is about, and what is done to it."""
    for ending, other in ((LORA_A, LORA_B), (EMBEDDING_A, EMBEDDING_B)):
        module = name.removesuffix(ending)
        if name.endswith(ending):
            if module + other not in kept:
                raise ModelError(f"{directory}: {name} has no second factor; train the stage again")
            turned = ending == EMBEDDING_A or isinstance(_module(directory, model, module), Conv1D)
            factors = (tensor, kept[module + other])
            return f"{module}.weight", LowRank(*factors, _scale(config, module), turned)
    if name.endswith(TOKENS):
        module = name.removesuffix(WRAPPED_TOKENS).removesuffix(TOKENS)
        rows = token_rows(config, module, is_embedding=_is_embedding(directory, model, module))
        return f"{module}.weight", NewRows(rows, tensor)
    saved = config.get("modules_to_save") or ()
    same = next((names for names in parameter_names(model) if name in names), [name])
    if not any(f".{module}." in f".{one}" for module in saved for one in same):
        raise ModelError(f"{directory}: {tensor.name} is of no kind that can be merged")
    return name, Replaced(tensor)


def token_rows(config: Mapping[str, Any], module: str, *, is_embedding: bool) -> tuple[int, ...]:
    """The ids of a module's trained tokens by the config; none where it names none."""
    rows = config.get("token_indices") or config.get("trainable_token_indices") or ()
    if isinstance(rows, dict):
        named = (rows[key] for key in rows if f".{module}".endswith(f".{key}"))
        rows = next(named, ())
    elif config.get("trainable_token_indices") and not is_embedding:
        rows = ()
    return tuple(rows)


def _is_embedding(directory: Path, model: Any, module: str) -> bool:
    return _module(directory, model, module) is model.get_input_embeddings()


def _module(directory: Path, model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise ModelError(f"{directory}: the model has no module {name}; train it again") from error


def _require_fit(
    source: Path, changes: Mapping[str, Change], kept: Mapping[str, Kept], model: nn.Module
) -> None:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name, change in changes.items():
        shape = tuple(parameters[name].shape) if name in parameters else None
        if shape is None or not change.fits(shape):
            module = name.removesuffix("weight")
            tensors = [f"{n} {kept[n].shape}" for n in kept if n == name or n.startswith(module)]
            raise ModelError(
                f"{source}: {' and '.join(tensors)} does not fit; the model's {name} is:"
                f" {shape or 'no such tensor'}"
            )


def _one_a_parameter(
    source: Path, changes: Mapping[str, Change], model: Any, *, adapter: bool
) -> dict[str, Change]:
    """The changes by first names; those of a tensor with two names must be one.

    peft lets a tied head follow trained tokens of the embedding without a word about it; what
    else an adapter changes under one name alone was trained apart from the other.
    """
    merged: dict[str, Change] = {}
    for names in parameter_names(model):
        own = [changes[name] for name in names if name in changes]
        if not own:
            continue
        if isinstance(own[0], LowRank) and len(names) > 1:
            raise ModelError(
                f"{source}: {' and '.join(names)} are one tensor, to which peft would add its"
                " low-rank factors twice; train such tables in full (lora.embeddings)"
            )
        follows = not adapter or (isinstance(own[0], NewRows) and names[0] in changes)
        if (len(own) < len(names) and not follows) or not all(_same(own[0], one) for one in own):
            raise ModelError(
                f"{source}: {' and '.join(names)} are one tensor and were trained apart; merged,"
                " they would be no longer tied. Train again with ensure_weight_tying"
            )
        merged[names[0]] = own[0]
    return merged


def parameter_names(model: nn.Module) -> list[list[str]]:
    """All names of each parameter; a tied one has several."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return list(names.values())


def _same(one: Change, other: Change) -> bool:
    if one is other:
        return True
    pairs = zip(one.parts(), other.parts(), strict=False)
    same_kind = type(one) is type(other)
    return same_kind and all(torch.equal(left, right) for left, right in pairs)
