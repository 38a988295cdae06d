"""What a training left, laid over the model it started from.

An overlay is a directory with `trained.safetensors` (tensors by their full names in the plain
model) or `adapter/` (peft). Everything is added up in float32.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from nativize.errors import ModelError
from nativize.model.adapter import attach_adapter
from nativize.model.directory import load_model

TRAINED = "trained.safetensors"
ADAPTER = "adapter"
STAGE_FILE = "stage.json"


def load_with_overlays(model: Path, overlays: Sequence[Path]) -> Any:
    """The plain model in float32 with the overlays applied in order."""
    loaded = load_model(model, dtype=torch.float32)
    for overlay in overlays:
        loaded = apply_overlay(loaded, overlay)
    return loaded


def apply_overlay(model: Any, overlay: Path) -> Any:
    """The model after one training.

    Raises:
        ModelError: the overlay is none, or does not fit the model.
    """
    if (overlay / ADAPTER).is_dir():
        return attach_adapter(model, overlay / ADAPTER).merge_and_unload()
    if (overlay / TRAINED).is_file():
        apply_trained(model, overlay / TRAINED)
        return model
    raise ModelError(f"{overlay}: neither {TRAINED} nor {ADAPTER}/; materialise the stage again")


def apply_trained(model: Any, path: Path) -> None:
    """Trained tensors put into the model in place.

    Raises:
        ModelError: a name that the model does not have, or another shape.
    """
    state = model.state_dict()
    tensors = load_file(path)
    if not tensors:
        raise ModelError(f"{path}: holds no tensors; train the stage again")
    for name, tensor in tensors.items():
        if name not in state or state[name].shape != tensor.shape:
            has = tuple(state[name].shape) if name in state else "no such tensor"
            raise ModelError(f"{path}: {name} {tuple(tensor.shape)} does not fit; model has: {has}")
    model.load_state_dict(tensors, strict=False)
