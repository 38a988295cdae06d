"""The loss of a causal language model without its logits.

A batch's logits are tokens x vocabulary x 4 bytes, three times over: 10 GB for 16,384 tokens of
a 51,520 vocabulary, the largest tensor of a training by far. Loss and gradients are computed
chunk by chunk of tokens instead and only the gradients are kept (Hsu et al. 2024, Liger Kernel;
here in plain PyTorch, which runs on every device).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from nativize.tokens.packing import IGNORED
from nativize.train.sizes import chunk_rows

PLAIN_HEADS = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Model types whose logits are the head's output and nothing more (no scale, no cap)."""


class LossHead(nn.Linear):
    """A head that, given the tokens to predict, answers with the sum of their losses."""

    def forward(self, input: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (…, vocabulary), or with targets the summed cross entropy as a scalar.

        Args:
            input: hidden states, (…, hidden).
            targets: ids of the tokens predicted, (…); `IGNORED` ones count nothing.
        """
        if targets is None:
            return super().forward(input)
        hidden, targets = input.reshape(-1, input.shape[-1]), targets.reshape(-1)
        wanted = targets != IGNORED
        return summed_loss(hidden[wanted], self.weight, self.bias, targets[wanted])


class LanguageModelLoss(nn.Module):
    """A model, plain or with adapters, whose forward pass is the summed loss of a batch."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, labels: torch.Tensor, position_ids: torch.Tensor
    ) -> torch.Tensor:
        """Sum of the cross entropies of all labels but each row's first; a scalar, float32.

        Args:
            input_ids, labels, position_ids: (samples, tokens). Positions that start again part
                documents: attention does not cross them.
        """
        causal = self.model.get_base_model() if hasattr(self.model, "peft_config") else self.model
        decoder = getattr(causal, causal.base_model_prefix)
        head = causal.get_output_embeddings()
        targets = labels[:, 1:]
        if has_loss_head(head):
            states = decoder(input_ids=input_ids, position_ids=position_ids, use_cache=False)
            loss: torch.Tensor = head(states.last_hidden_state[:, :-1], targets=targets)
            return loss
        logits = causal(input_ids=input_ids, position_ids=position_ids, use_cache=False).logits
        return functional.cross_entropy(
            logits[:, :-1].float().reshape(-1, logits.shape[-1]),
            targets.reshape(-1),
            reduction="sum",
            ignore_index=IGNORED,
        )


def install_loss_head(model: Any) -> None:
    """Give a plain model the head that knows its loss, where its logits are the head's alone."""
    head = model.get_output_embeddings()
    if type(head) is nn.Linear and model.config.model_type in PLAIN_HEADS:
        head.__class__ = LossHead


def has_loss_head(head: Any) -> bool:
    """Whether a head, or the copy of it that peft trains, answers with losses."""
    copies = getattr(head, "modules_to_save", None)
    return isinstance(head, LossHead) or (
        copies is not None and all(isinstance(copy, LossHead) for copy in copies.values())
    )


class _LinearCrossEntropy(torch.autograd.Function):
    """sum(cross_entropy(hidden @ weight.T + bias, targets)), gradients made on the way."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        kind = hidden.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        ctx.dtypes = hidden.dtype, weight.dtype
        with torch.autocast(kind, enabled=False):
            loss, *gradients = _by_chunks(
                hidden.to(dtype), weight.to(dtype), bias, targets, ctx.needs_input_grad[:3]
            )
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx: Any, *of_loss: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (scale,) = of_loss
        of_hidden, of_weight, of_bias = ctx.saved_tensors
        hidden_dtype, weight_dtype = ctx.dtypes
        return (
            None if of_hidden is None else (of_hidden * scale).to(hidden_dtype),
            None if of_weight is None else (of_weight * scale).to(weight_dtype),
            None if of_bias is None else of_bias * scale,
            None,
        )


summed_loss: Callable[..., torch.Tensor] = _LinearCrossEntropy.apply


def _by_chunks(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    wanted: tuple[bool, ...],
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
    """Loss, and its gradients by hidden states, weight and bias where they are wanted."""
    of_hidden = torch.empty_like(hidden) if wanted[0] else None
    of_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted[1] else None
    of_bias = (
        torch.zeros_like(bias, dtype=torch.float32) if bias is not None and wanted[2] else None
    )
    loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
    rows = chunk_rows(hidden.device.type, weight.shape[0])
    for start in range(0, len(hidden), rows):
        chunk = slice(start, start + rows)
        logits = functional.linear(hidden[chunk], weight).float()
        if bias is not None:
            logits += bias
        right = targets[chunk, None]
        # one pass of each row for greatest, sum and quotient: half the time of doing them apart
        log_shares = functional.log_softmax(logits, -1)
        del logits
        loss -= log_shares.gather(1, right).sum()
        if not any(wanted):
            continue
        slope = log_shares.exp_()  # softmax, in the same memory
        slope.scatter_add_(1, right, torch.full_like(right, -1, dtype=slope.dtype))
        if of_bias is not None:
            of_bias += slope.sum(0)
        slope = slope.to(hidden.dtype)
        if of_hidden is not None:
            torch.mm(slope, weight, out=of_hidden[chunk])
        if of_weight is not None:
            if hidden.dtype == torch.float32:
                of_weight.addmm_(slope.T, hidden[chunk])
            else:
                of_weight += slope.T @ hidden[chunk]
    return loss, of_hidden, of_weight, of_bias
