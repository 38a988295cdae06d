"""Where a base comes from, and what is refused."""

import shutil
from pathlib import Path

import pytest
import torch

from nativize.artifact import Report, sha256_of, standalone
from nativize.errors import ModelError
from nativize.model.base import make_base
from nativize.model.directory import load_model
from nativize.recipe import Base, ScratchModel
from nativize.train.run import run_job
from nativize.vocabulary import load_encoder
from tests.model.tiny import TRAINER, Tiny


def made(base: Base, directory: Path, out: Path, replay: Path | None = None) -> Report:
    reports = []
    with standalone(out) as place:
        reports.append(
            make_base(
                replay, place, base=base, directory=directory, trainer=TRAINER, launch=run_job
            )
        )
    return reports[0]


def test_a_local_directory_is_taken_as_it_is(tiny: Tiny, tmp_path: Path) -> None:
    base = Base(path="base", sha256=sha256_of(tiny.base / "model.safetensors"))
    report = made(base, tiny.root, tmp_path / "out")
    assert report.metrics["vocabulary_size"] == 400
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.model", "tokenizer.json"} <= names


def test_a_directory_with_tokenizer_model_alone_gets_its_other_form(
    tiny: Tiny, tmp_path: Path
) -> None:
    shutil.copytree(tiny.base, tmp_path / "base")
    (tmp_path / "base" / "tokenizer.json").unlink()
    made(Base(path="base"), tmp_path, tmp_path / "out")
    expected = (tiny.base / "tokenizer.json").read_bytes()
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == expected
    assert not (tmp_path / "base" / "tokenizer.json").exists()


def test_other_weights_than_the_recipe_names_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the recipe expects 00"):
        made(Base(path="base", sha256="0" * 64), tiny.root, tmp_path / "out")


def test_pickled_weights_are_refused_with_a_way_out(tiny: Tiny, tmp_path: Path) -> None:
    source = tmp_path / "base"
    source.mkdir()
    shutil.copyfile(tiny.base / "config.json", source / "config.json")
    torch.save({}, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pickles \(pytorch_model.bin\).*save_pretrained"):
        made(Base(path="base"), tmp_path, tmp_path / "out")


def test_missing_weights_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny.base, tmp_path / "base")
    weights = tmp_path / "base" / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.norm.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"missing, for example \['model.norm.weight'\]"):
        made(Base(path="base"), tmp_path, tmp_path / "out")


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: no such directory"):
        made(Base(path="nowhere"), tmp_path, tmp_path / "out")


def test_a_base_from_scratch_learns_the_old_language(tiny: Tiny, tmp_path: Path) -> None:
    scratch = ScratchModel(
        vocabulary_size=400,
        hidden_size=32,
        layers=2,
        attention_heads=2,
        steps=8,
        batch_tokens=1024,
        learning_rate=1e-2,
    )
    out = tmp_path / "out"
    report = made(Base(scratch=scratch), tmp_path, out, tiny.old)
    assert report.metrics["final_loss"] < 5.6  # ln 400 = 5.99 is knowing nothing
    assert report.metrics["trainable_share"] == 1.0
    assert load_model(out).config.vocab_size == load_encoder(out).size == 400


def test_a_base_from_scratch_needs_text(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="replay corpus"):
        made(Base(scratch=ScratchModel()), tmp_path, tmp_path / "out")
