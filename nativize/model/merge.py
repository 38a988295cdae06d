"""The plain model after its trainings, and the proof that it says what adapter and base said.

A merged model worse than its adapter is a common accident elsewhere: here the logits of the
saved files are compared with those of the model that was trained, before anything is published.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from nativize.artifact import Report, Workplace, write_json
from nativize.errors import ModelError
from nativize.model.adapter import attach_adapter
from nativize.model.directory import copy_tokenizer, load_model, save_model
from nativize.model.overlay import ADAPTER, STAGE_FILE, apply_overlay

TOLERANCE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Largest difference of a logit, in standard deviations of the logits, by the files' dtype."""

PROBES, PROBE_TOKENS = 8, 32


def merge_checkpoints(model: Path, overlays: Sequence[Path], place: Workplace) -> Report:
    """The model with every training in it, a plain Hugging Face directory.

    Trainings are added up in float32 and rounded once, to the dtype the model came in. A
    training of dialogues brings its chat template along.

    Raises:
        ModelError: an overlay does not fit or is unsound, or the saved model's logits differ
            from the trained model's by more than `TOLERANCE`.
    """
    dtype = load_model(model).dtype
    merged = load_model(model, dtype=torch.float32)
    trained = _logits(merged)
    for overlay in overlays:
        trained, merged = _apply(merged, overlay)
    save_model(merged.to(dtype), place.out)
    copy_tokenizer(model, place.out)
    _set_chat_template(overlays, place.out)
    saved = _logits(load_model(place.out, dtype=torch.float32))
    difference = float((saved - trained).abs().max() / trained.std())
    if difference > TOLERANCE[dtype]:
        raise ModelError(
            f"the merged model is not the trained one: a logit differs by {difference:.2g} standard"
            f" deviations, allowed are {TOLERANCE[dtype]} in {dtype}; nothing was published"
        )
    return Report(
        {
            "merge_logit_difference": difference,
            "merge_same_next_token": float((saved.argmax(-1) == trained.argmax(-1)).float().mean()),
            "dtype": str(dtype).removeprefix("torch."),
            "parameters": sum(parameter.numel() for parameter in merged.parameters()),
        }
    )


def _apply(model: Any, overlay: Path) -> tuple[torch.Tensor, Any]:
    """Logits of the model as it was trained, then the plain model with the training merged."""
    if (overlay / ADAPTER).is_dir():
        attached = attach_adapter(model, overlay / ADAPTER)
        return _logits(attached), attached.merge_and_unload()
    plain = apply_overlay(model, overlay)
    return _logits(plain), plain


def _logits(model: Any) -> torch.Tensor:
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


def _set_chat_template(overlays: Sequence[Path], out: Path) -> None:
    for overlay in overlays:
        record = json.loads((overlay / STAGE_FILE).read_text(encoding="utf-8"))
        if record["chat_template"]:
            path = out / "tokenizer_config.json"
            config = json.loads(path.read_text(encoding="utf-8"))
            (out / "chat_template.jinja").unlink(missing_ok=True)
            write_json(path, {**config, "chat_template": record["chat_template"]})
