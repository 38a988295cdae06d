"""Which parameters a stage trains.

Four sets: embeddings (input embedding, with the head, or the new rows of both alone), lora
(adapters on the projections, with the embeddings if asked), freeze (the first and last layers,
everything else fixed) and full.
"""

from dataclasses import dataclass
from typing import Any

from peft import LoraConfig, PeftConfig, TrainableTokensConfig, get_peft_model
from torch import nn

from nativize.errors import TrainingError
from nativize.recipe import Lora, TrainStage


@dataclass(frozen=True)
class TrainableShare:
    """How much of a model is trained."""

    trainable: int
    total: int

    @property
    def share(self) -> float:
        return self.trainable / self.total


def is_adapter(stage: TrainStage) -> bool:
    """Whether a stage leaves an adapter, not tensors of the plain model."""
    new_rows = stage.trainable == "embeddings" and stage.embeddings == "new_rows"
    return stage.trainable == "lora" or new_rows


def prepare_trainable(
    model: Any, stage: TrainStage, new_rows: tuple[int, int] | None = None
) -> Any:
    """The model with exactly the stage's parameters trainable; a peft model for adapters.

    Args:
        model: the plain model.
        stage: what is trained.
        new_rows: first id of the new tokens, and the one behind their last.
    Raises:
        TrainingError: a target names no module, there are fewer layers, or no new rows.
    """
    if is_adapter(stage):
        return get_peft_model(model, _adapter_config(model, stage, new_rows))
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
        use_rslora=lora.rank_stabilised,
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


def trainable_share(model: nn.Module) -> TrainableShare:
    """Counted parameters of the model and its adapters; tied ones count once.

    peft keeps the frozen original beside each module it trains in full; that copy is no
    parameter of the model.
    """
    parameters = [
        parameter for name, parameter in model.named_parameters() if ".original_module." not in name
    ]
    trainable = sum(_count(parameter) for parameter in parameters if parameter.requires_grad)
    return TrainableShare(trainable, sum(map(_count, parameters)))


def _count(parameter: nn.Parameter) -> int:
    """Its numbers: all of them where ZeRO-3 has spread them, or bitsandbytes laid two in a byte."""
    quantised = getattr(parameter, "quant_state", None)
    if quantised is not None:
        return int(quantised.shape.numel())
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def _adapter_config(model: Any, stage: TrainStage, new_rows: tuple[int, int] | None) -> PeftConfig:
    if stage.trainable == "lora":
        return lora_config(model, stage.lora)
    first, end = new_rows or (0, 0)
    if first >= end:
        raise TrainingError(
            f"stage {stage.name}: embeddings = 'new_rows', but the vocabulary has no new tokens;"
            " use input_and_head, or a vocabulary.mode that adds some"
        )
    names = embedding_module_names(model)[: 1 if is_tied(model) else None]
    return TrainableTokensConfig(
        token_indices=list(range(first, end)), target_modules=names, task_type="CAUSAL_LM"
    )


def _chosen_parameters(model: Any, stage: TrainStage) -> list[nn.Parameter]:
    if stage.trainable == "full":
        return list(model.parameters())
    if stage.trainable == "embeddings":
        modules = [model.get_input_embeddings()]
        if stage.embeddings == "input_and_head":
            modules.append(model.get_output_embeddings())
        return [p for module in modules if module is not None for p in module.parameters()]
    layers = _layers(model)
    asked = max(stage.train_first_layers, stage.train_last_layers)
    if asked > len(layers):
        raise TrainingError(
            f"stage {stage.name}: {asked} layers to train, but the model has {len(layers)}"
        )
    chosen = {
        *range(stage.train_first_layers),
        *range(len(layers) - stage.train_last_layers, len(layers)),
    }
    return [parameter for number in sorted(chosen) for parameter in layers[number].parameters()]


def _layers(model: Any) -> nn.ModuleList:
    """The stack of transformer layers: the longest list of modules."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise TrainingError("this model has no list of layers to freeze by; use full or lora")
    return max(lists, key=len)
