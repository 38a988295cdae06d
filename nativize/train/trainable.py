"""Which parameters a stage trains.

Four sets: embeddings (input embedding and head), lora (adapters on the projections, with the
embeddings if asked), freeze (the last layers, everything else fixed) and full.
"""

from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from nativize.errors import TrainingError
from nativize.recipe import Lora, TrainStage


@dataclass(frozen=True)
class Share:
    """How much of a model is trained."""

    trainable: int
    total: int

    @property
    def share(self) -> float:
        return self.trainable / self.total


def prepare_trainable(model: Any, stage: TrainStage) -> Any:
    """The model with exactly the stage's parameters trainable; a peft model for lora."""
    if stage.trainable == "lora":
        return get_peft_model(model, lora_config(model, stage.lora))
    chosen = {id(parameter) for parameter in _chosen_parameters(model, stage)}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in chosen)
    return model


def lora_config(model: Any, lora: Lora) -> LoraConfig:
    """The adapters of a recipe for this model's module names and tying.

    Raises:
        TrainingError: a target names no module of the model.
    """
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    missing = sorted(set(lora.targets) - names)
    if missing:
        raise TrainingError(f"lora.targets {missing} name no module of this model; it has {names}")
    tied = is_tied(model)
    embeddings = embedding_module_names(model)[: 1 if tied else None]
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=sorted(lora.targets),
        modules_to_save=embeddings if lora.embeddings else None,
        ensure_weight_tying=tied and lora.embeddings,
        task_type="CAUSAL_LM",
    )


def embedding_module_names(model: Any) -> list[str]:
    """Last name parts of input embedding and head: embed_tokens and lm_head in a Llama."""
    wanted = [id(model.get_input_embeddings()), id(model.get_output_embeddings())]
    names = {id(module): name.rsplit(".", 1)[-1] for name, module in model.named_modules()}
    return [names[module] for module in wanted if module in names]


def is_tied(model: Any) -> bool:
    """Whether the head is the input embedding itself."""
    head = model.get_output_embeddings()
    return head is not None and head.weight is model.get_input_embeddings().weight


def trainable_share(model: nn.Module) -> Share:
    """Counted parameters of the model and its adapters; tied ones count once.

    peft keeps the frozen original beside each module it trains in full; that copy is no
    parameter of the model.
    """
    parameters = [
        parameter for name, parameter in model.named_parameters() if ".original_module." not in name
    ]
    trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return Share(trainable, sum(parameter.numel() for parameter in parameters))


def trained_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """The trained parameters by their full names, contiguous on the CPU."""
    return {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def _chosen_parameters(model: Any, stage: TrainStage) -> list[nn.Parameter]:
    if stage.trainable == "full":
        return list(model.parameters())
    if stage.trainable == "embeddings":
        modules = [model.get_input_embeddings(), model.get_output_embeddings()]
        return [p for module in modules if module is not None for p in module.parameters()]
    layers = _layers(model)
    if stage.train_last_layers > len(layers):
        raise TrainingError(
            f"train_last_layers = {stage.train_last_layers}, but the model has {len(layers)} layers"
        )
    return [p for layer in layers[-stage.train_last_layers :] for p in layer.parameters()]


def _layers(model: Any) -> nn.ModuleList:
    """The stack of transformer layers: the longest list of modules."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise TrainingError("this model has no list of layers to freeze by; use full or lora")
    return max(lists, key=len)
