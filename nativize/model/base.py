"""The base model: a pinned hub revision, a local directory, or trained here from scratch."""

import os
import shutil
from pathlib import Path
from typing import Any

from nativize.artifact import Report, Workplace
from nativize.errors import ModelError
from nativize.model.directory import (
    CONFIGS,
    TOKENIZER_FILES,
    load_model,
    refuse_pickles,
    weights_digest,
)
from nativize.model.scratch import train_scratch
from nativize.recipe import Base, Trainer
from nativize.train import run_here
from nativize.train.launch import Launch
from nativize.vocabulary.hugging_face import save_hugging_face
from nativize.vocabulary.piece_model import read_model
from nativize.vocabulary.train import TOKENIZER_MODEL

WEIGHTS = ("*.safetensors", "model.safetensors.index.json")


def make_base(
    replay: Path | None,
    place: Workplace,
    *,
    base: Base,
    directory: Path,
    trainer: Trainer,
    launch: Launch = run_here,
) -> Report:
    """The base model as a Hugging Face directory of safetensors.

    Args:
        replay: corpus of the old language, which a scratch base is trained on alone; else None.
        place: where the value grows.
        base: exactly one of hub, path, scratch.
        directory: where the recipe lies; a local path is relative to it.
        trainer: how a scratch base is trained.
        launch: runs its training.
    Raises:
        ModelError: not there, only pickles, weights missing, or another digest than the recipe's.
    """
    if base.scratch:
        if replay is None:
            raise ModelError("a base from scratch is trained on the replay corpus; none was given")
        return train_scratch(replay, place, scratch=base.scratch, trainer=trainer, launch=launch)
    source = _fetch(base.hub, base.revision, place) if base.hub else _local(base, directory)
    refuse_pickles(source)
    for path in sorted({path for pattern in _wanted() for path in source.glob(pattern)}):
        shutil.copyfile(path, place.out / path.name)  # a link would change with the original
    _complete_tokenizer(place.out)
    digest = weights_digest(place.out)
    if base.sha256 and digest != base.sha256:
        raise ModelError(
            f"{source}: the weights have SHA-256 {digest}, the recipe expects {base.sha256};"
            " fetch the model again, or set base.sha256 if the change is meant"
        )
    return Report({**_figures(place.out), "weights_sha256": digest})


def _fetch(hub: str, revision: str | None, place: Workplace) -> Path:
    """The pinned revision from the hub: a download step, the only one that uses the network."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                hub,
                revision=revision,
                allow_patterns=list(_wanted()),
                local_dir=place.scratch / "hub",
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{hub} at {revision} cannot be fetched: {error}. Check id, revision and"
            " network; a model fetched by other means is named by base.path"
        ) from error


def _local(base: Base, directory: Path) -> Path:
    source = directory / str(base.path)
    if not source.is_dir():
        raise ModelError(f"{source}: no such directory; base.path is relative to the recipe")
    return source


def _complete_tokenizer(out: Path) -> None:
    """Published LLaMA directories often have tokenizer.model alone; tokenizer.json joins it."""
    if (out / TOKENIZER_MODEL).exists() and not (out / "tokenizer.json").exists():
        save_hugging_face(read_model(out / TOKENIZER_MODEL), out, out)


def _wanted() -> tuple[str, ...]:
    return (*WEIGHTS, *CONFIGS, *TOKENIZER_FILES)


def _figures(directory: Path) -> dict[str, Any]:
    model = load_model(directory)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "vocabulary_size": int(model.get_input_embeddings().weight.shape[0]),
        "dtype": str(model.dtype).removeprefix("torch."),
    }
