"""The plain model after its trainings, written file by file and proven to be the trained one.

A merged model worse than its adapter is a common accident elsewhere: nothing is published before
`nativize.model.fidelity` found the saved files equal to the model that was trained.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from nativize.artifact import Report, Workplace, write_json
from nativize.errors import ModelError
from nativize.model.changes import Change, parameter_names
from nativize.model.checkpoint import Checkpoint, open_checkpoint
from nativize.model.directory import CONFIGS, copy_tokenizer
from nativize.model.fidelity import require_fidelity
from nativize.model.overlay import STAGE_FILE, overlay_changes
from nativize.model.tables import FLOATS, count_parameters, model_on_meta, stored_names


def merge_checkpoints(model: Path, overlays: Sequence[Path], place: Workplace) -> Report:
    """The model with every training in it, a plain Hugging Face directory in the same files.

    Writing needs the memory of one tensor in float32 and what is added to it; the check needs
    more, see `nativize.model.fidelity`. A training of dialogues brings its chat template along.

    Raises:
        ModelError: an overlay does not fit or is unsound, or the saved model is not the
            trained one.
    """
    stored = write_merged(model, overlays, place.out, place.link)
    for name in CONFIGS:
        if (model / name).exists():
            place.link(model / name, place.out / name)
    copy_tokenizer(model, place.out)
    _set_chat_template(overlays, place.out)
    fidelity = require_fidelity(model, overlays, place.out, stored)
    return Report(
        {
            "merge_logit_difference": fidelity.trained_to_saved,
            "merge_logit_difference_in_float32": fidelity.attached_to_merged,
            "merge_rounded_otherwise": fidelity.rounded_otherwise,
            "merge_same_next_token": fidelity.same_next_token,
            "dtype": fidelity.dtype,
            "parameters": count_parameters(place.out),
        }
    )


def write_merged(
    model: Path, overlays: Sequence[Path], out: Path, link: Callable[[Path, Path], object]
) -> dict[str, list[str]]:
    """The weights with the trainings in them, tensor by tensor, in the same files at ``out``.

    Every training of a tensor is added up in float32, in order; then it is rounded once, to the
    file's dtype. Files without a trained tensor are linked.

    Returns:
        for each parameter of the plain model, by its first name, its names in the files.
    Raises:
        ModelError: an overlay does not fit or is unsound.
    """
    checkpoint = open_checkpoint(model)
    plain = model_on_meta(model)
    stored = {names[0]: stored_names(names, plain, checkpoint) for names in parameter_names(plain)}
    changes: dict[str, list[Change]] = {}
    for overlay in overlays:
        for parameter, change in overlay_changes(overlay, plain).items():
            for name in _in_files(checkpoint, parameter, stored[parameter]):
                changes.setdefault(name, []).append(change)
    checkpoint.rewrite(out, {name: partial(_apply, own) for name, own in changes.items()}, link)
    return stored


def _in_files(checkpoint: Checkpoint, parameter: str, names: list[str]) -> list[str]:
    if not names:
        raise ModelError(
            f"{checkpoint.directory}: {parameter} was trained, but its files keep it in other"
            " pieces, for example one an expert; such a model cannot be merged file by file"
        )
    for name in names:
        found = checkpoint.tensors[name]
        if found.dtype not in FLOATS:
            raise ModelError(
                f"{found.path}: {name} is {found.dtype}, and trainings can be merged into"
                f" {', '.join(FLOATS)} only. Extend the model before it is quantised"
            )
    return names


def _apply(changes: Sequence[Change], old: torch.Tensor) -> torch.Tensor:
    merged = old.to(torch.float32, copy=True)  # the old one is the file itself
    for change in changes:
        merged = change.apply(merged)
    return merged


def _set_chat_template(overlays: Sequence[Path], out: Path) -> None:
    for overlay in overlays:
        record = json.loads((overlay / STAGE_FILE).read_text(encoding="utf-8"))
        if record["chat_template"]:
            path = out / "tokenizer_config.json"
            config = json.loads(path.read_text(encoding="utf-8"))
            (out / "chat_template.jinja").unlink(missing_ok=True)
            write_json(path, {**config, "chat_template": record["chat_template"]})
