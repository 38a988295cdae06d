"""Kernels that a machine may have: flash attention, Liger's norms and rotations, torch.compile."""

import importlib.util
import logging
from typing import Any

import torch

from nativize.recipe import Trainer

log = logging.getLogger(__name__)


def fast_kernels(model: Any, trainer: Trainer, device: torch.device) -> Any:
    """The same model with the fastest kernels that this machine has; plain ones elsewhere.

    Args:
        model: the plain model, before adapters.
        trainer: ``kernels`` auto or plain, and ``compile``.
        device: where it will be trained.
    """
    found = []
    if trainer.kernels == "auto" and device.type == "cuda":
        if _has("flash_attn"):
            # cuts documents by their positions, without a mask of tokens x tokens
            model.set_attn_implementation("flash_attention_2")
            found.append("flash attention")
        if _has("liger_kernel"):
            from liger_kernel.transformers import _apply_liger_kernel_to_instance

            # the loss has its own: see nativize.train.loss
            _apply_liger_kernel_to_instance(
                model=model, fused_linear_cross_entropy=False, cross_entropy=False
            )
            found.append("Liger's")
    if trainer.compile:
        getattr(model, model.base_model_prefix).compile()
        found.append("compiled")
    log.info("kernels: %s", ", ".join(found) or "PyTorch's own")
    return model


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
