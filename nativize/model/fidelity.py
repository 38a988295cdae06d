"""The proof that a merged model is the trained one: its logits, and every number in its files.

Arithmetic is float32 throughout. In bfloat16 the noise of the arithmetic alone moves logits by
0.07 to 0.27 standard deviations (Llamas of 12 and 24 layers), as much as adapters merged at 0.9
of their scale; in float32 rounding the weights moves them by 0.03 to 0.10. So rounding is taken
out of the comparison: adapters merged by peft in float32 must give the logits that they give
unmerged, and the files must hold those very numbers, rounded.

It takes four bytes a parameter, and the adapters: 27 GB at 7B, 52 GB at 13B. One model is in
memory at a time, of the others only logits. Where that does not fit, the system swaps or kills
the process; nothing is published then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nativize.errors import ModelError
from nativize.model.checkpoint import open_checkpoint
from nativize.model.directory import load_model
from nativize.model.overlay import attach_overlay, load_with_overlays
from nativize.model.tables import FLOATS

MERGED_TOLERANCE = 1e-3
"""Largest difference of a logit by merging in float32, in standard deviations of the logits."""

SAVED_TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 2.5e-1}
"""The same between trained and saved model, by the files' dtype: more than rounding was seen to
do, for it grows with depth; what is smaller, the comparison of numbers finds."""

SLACK = 1e-5
"""Part of a tensor's largest number by which two sums in float32 may differ."""

ROUNDED_OTHERWISE = 1e-2
"""Largest part of a tensor whose numbers may be the next ones of the dtype, for they lay about
halfway; adapters merged at 0.9 of their scale round many more of them otherwise."""

PROBES, PROBE_TOKENS = 8, 32


@dataclass(frozen=True)
class Fidelity:
    """How near the saved model is to the trained one.

    Attributes:
        attached_to_merged: largest difference of a logit by merging the last adapter in float32,
            in standard deviations; none where the last training was no adapter.
        trained_to_saved: the same between trained and saved model, with rounding.
        rounded_otherwise: largest part of a tensor that is rounded to the next number.
        same_next_token: share of probes for which both expect the same token.
        dtype: of the saved model.
    """

    attached_to_merged: float
    trained_to_saved: float
    rounded_otherwise: float
    same_next_token: float
    dtype: str


def require_fidelity(
    model: Path, overlays: Sequence[Path], merged: Path, stored: Mapping[str, Sequence[str]]
) -> Fidelity:
    """How near a merged directory is to the model that was trained.

    Args:
        model: the model before its trainings.
        overlays: the trainings, in order.
        merged: the directory to judge.
        stored: for each parameter, by its first name, its names in the files.
    Raises:
        ModelError: not near enough; says by what.
    """
    *before, last = overlays
    loaded = load_with_overlays(model, before)
    attached = attach_overlay(loaded, last)
    trained = probe_logits(attached)
    is_adapter = attached is not loaded
    plain = attached.merge_and_unload() if is_adapter else attached
    by_merging = _difference(probe_logits(plain), trained) if is_adapter else 0.0
    _require(by_merging, MERGED_TOLERANCE, "merged in float32, the adapter is not the trained one")
    rounded_otherwise = _require_numbers(plain, merged, stored)
    del loaded, attached, plain  # one model at a time
    dtype, saved = _saved_logits(merged)
    difference = _difference(saved, trained)
    _require(
        difference, SAVED_TOLERANCE[dtype], f"in {dtype} the saved model is not the trained one"
    )
    same = float((saved.argmax(-1) == trained.argmax(-1)).float().mean())
    name = str(dtype).removeprefix("torch.")
    return Fidelity(by_merging, difference, rounded_otherwise, same, name)


def probe_logits(model: Any) -> torch.Tensor:
    """Logits of probes whose ids are spread over the whole vocabulary, new tokens among them."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    generator = torch.Generator().manual_seed(0)
    count = PROBES * PROBE_TOKENS
    spread = torch.arange(count) * vocabulary // count
    ids = spread[torch.randperm(count, generator=generator)].view(PROBES, PROBE_TOKENS)
    model.eval()
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=ids).logits.float()
    return logits


def _saved_logits(merged: Path) -> tuple[torch.dtype, torch.Tensor]:
    """The coarsest dtype of the files, and logits of what they hold."""
    checkpoint = open_checkpoint(merged)
    dtypes = {
        checkpoint.load(name).dtype
        for name, tensor in checkpoint.tensors.items()
        if tensor.dtype in FLOATS
    }
    coarsest = max(dtypes, key=lambda dtype: torch.finfo(dtype).eps)
    return coarsest, probe_logits(load_model(merged, dtype=torch.float32))


def _require_numbers(plain: Any, merged: Path, stored: Mapping[str, Sequence[str]]) -> float:
    """The largest part of a tensor in the files that is the next number of its dtype."""
    checkpoint = open_checkpoint(merged)
    largest = 0.0
    for parameter, exact in plain.named_parameters():
        for name in stored[parameter]:
            share = _rounded_otherwise(checkpoint.load(name), exact.detach())
            _require(share, ROUNDED_OTHERWISE, f"{name} is not what training made of it")
            largest = max(largest, share)
    return largest


def _rounded_otherwise(saved: torch.Tensor, exact: torch.Tensor) -> float:
    """The share of numbers that are not the exact ones rounded; 1 if one is not even near."""
    finfo = torch.finfo(saved.dtype)
    slack = SLACK * float(exact.abs().max()) + finfo.tiny * finfo.eps  # the smallest number
    error = (saved.float() - exact).abs()
    near = error <= exact.abs() * (finfo.eps / 2) + slack
    if not near.all():
        return 1.0
    equal = (saved.float() - exact.to(saved.dtype).float()).abs() <= slack
    return 1.0 - float(equal.float().mean())


def _difference(logits: torch.Tensor, trained: torch.Tensor) -> float:
    """The largest difference of a logit, in standard deviations of the logits."""
    return float((logits - trained).abs().max() / trained.std())


def _require(figure: float, allowed: float, fault: str) -> None:
    if not figure <= allowed:  # also where it is no number
        raise ModelError(
            f"{fault}: difference {figure:.2g}, allowed {allowed}; nothing was published."
            " Train the last stage again, in float32 if it overflowed"
        )
