"""What a training left, laid over the model it started from.

An overlay is a directory with `trained.safetensors` (tensors by their full names in the plain
model) or `adapter/` (peft). Everything is added up in float32.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from nativize.errors import ModelError
from nativize.model.adapter import attach_adapter, check_adapter
from nativize.model.changes import Change, adapter_changes, trained_changes
from nativize.model.directory import load_model

TRAINED = "trained.safetensors"
ADAPTER = "adapter"
STAGE_FILE = "stage.json"


def load_with_overlays(
    model: Path, overlays: Sequence[Path], dtype: torch.dtype = torch.float32
) -> Any:
    """The plain model with the overlays applied in order.

    Args:
        model: a model directory.
        overlays: trainings of it, each on top of those before.
        dtype: the model's, and what the overlays are added up in.
    """
    loaded = load_model(model, dtype=dtype)
    for overlay in overlays:
        loaded = apply_overlay(loaded, overlay)
    return loaded


def apply_overlay(model: Any, overlay: Path) -> Any:
    """The model after one training, merged by peft where it is an adapter.

    Raises:
        ModelError: the overlay is none, is unsound, or does not fit the model.
    """
    if _has_adapter(overlay):
        return attach_adapter(model, overlay / ADAPTER).merge_and_unload()
    apply_trained(model, overlay / TRAINED)
    return model


def attach_overlay(model: Any, overlay: Path) -> Any:
    """The model as it was trained: an adapter stays on top of it, unmerged.

    Raises:
        ModelError: see `apply_overlay`.
    """
    if _has_adapter(overlay):
        return attach_adapter(model, overlay / ADAPTER)
    return apply_overlay(model, overlay)


def apply_trained(model: Any, path: Path) -> None:
    """Trained tensors put into the model in place.

    Raises:
        ModelError: a name that the model does not have, or another shape.
    """
    trained_changes(path, model)
    model.load_state_dict(load_file(path), strict=False)


def overlay_changes(overlay: Path, model: nn.Module) -> dict[str, Change]:
    """What an overlay does to the plain model's parameters, by the first name of each.

    Raises:
        ModelError: see `apply_overlay`.
    """
    if _has_adapter(overlay):
        check_adapter(overlay / ADAPTER, model)
        return adapter_changes(overlay / ADAPTER, model)
    return trained_changes(overlay / TRAINED, model)


def _has_adapter(overlay: Path) -> bool:
    if (overlay / ADAPTER).is_dir():
        return True
    if (overlay / TRAINED).is_file():
        return False
    raise ModelError(f"{overlay}: neither {TRAINED} nor {ADAPTER}/; materialise the stage again")
