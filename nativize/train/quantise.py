"""A base in 4 or 8 bits under adapters: half a byte or one for each frozen weight, not two.

Only the projections are quantised. Embeddings, norms and the head stay as they are: the first
and the last are trained with the adapters, and what is predicted hangs on the head.
"""

from types import ModuleType
from typing import Any

import torch
from torch import nn

from nativize.errors import TrainingError
from nativize.recipe import Trainer, TrainStage

OUTLIER = 6.0
"""Columns with activations beyond it are multiplied in 16 bits (Dettmers et al. 2022, LLM.int8)."""


def quantise_base(
    model: Any, stage: TrainStage, trainer: Trainer, precision: torch.dtype, device: torch.device
) -> Any:
    """The model with its linear layers in the stage's format, in place, and marked for peft.

    Args:
        model: the plain model, before adapters; on the CPU.
        stage: ``quantised_base`` none, int8, or nf4 (with its scales quantised once more).
        trainer: ``zero_stage`` 3 is refused with int8, whose layers keep their weights twice.
        precision: what the layers compute in.
        device: where the quantised weights lie from now on; each layer moves alone.
    Raises:
        TrainingError: bitsandbytes is not installed, or ZeRO-3 is asked for with int8.
    Source: Dettmers et al. 2023, QLoRA.
    """
    if stage.quantised_base == "none":
        return model
    if stage.quantised_base == "int8" and trainer.zero_stage == 3:
        raise TrainingError(
            f"stage {stage.name}: quantised_base = 'int8' with zero_stage = 3 would hold all"
            " weights in every process; take 'nf4', whose weights are spread, or zero_stage = 2"
        )
    library = _bitsandbytes(stage)
    head = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear and layer is not head:
                make = _nf4 if stage.quantised_base == "nf4" else _int8
                setattr(parent, name, make(library, layer, precision, device))
    # what transformers' quantisers set and peft looks at to choose its layers
    model.is_loaded_in_4bit = stage.quantised_base == "nf4"
    model.is_loaded_in_8bit = stage.quantised_base == "int8"
    return model


def _nf4(
    library: ModuleType, layer: nn.Linear, precision: torch.dtype, device: torch.device
) -> Any:
    new = library.nn.Linear4bit(
        layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta",
        compute_dtype=precision, compress_statistics=True, quant_type="nf4",
    )  # fmt: skip
    # or evaluating on a CPU with AVX-512 would pack the weights anew, for inference alone
    new.support_avx512bf16_for_cpu = False
    # dequantised into the dtype that it was quantised from
    new.weight = library.nn.Params4bit(
        layer.weight.data.to(precision),
        requires_grad=False,
        compress_statistics=True,
        quant_type="nf4",
        module=new,
    ).to(device)
    return _with_bias_of(layer, new)


def _int8(
    library: ModuleType, layer: nn.Linear, precision: torch.dtype, device: torch.device
) -> Any:
    new = library.nn.Linear8bitLt(
        layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta",
        has_fp16_weights=False, threshold=OUTLIER,
    )  # fmt: skip
    new.weight = library.nn.Int8Params(
        layer.weight.data, requires_grad=False, has_fp16_weights=False
    ).to(device)
    return _with_bias_of(layer, new)


def _with_bias_of(layer: nn.Linear, new: Any) -> Any:
    if layer.bias is not None:
        new.bias = layer.bias
    return new


def _bitsandbytes(stage: TrainStage) -> ModuleType:
    try:
        import bitsandbytes
    except ImportError as error:
        raise TrainingError(
            f"stage {stage.name}: quantised_base = '{stage.quantised_base}' needs bitsandbytes:"
            " pip install nativize[gpu]"
        ) from error
    return bitsandbytes
