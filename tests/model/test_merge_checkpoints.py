"""The merged model is the trained one."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nativize.artifact import Report, standalone
from nativize.errors import ModelError
from nativize.model.adapter import check_adapter
from nativize.model.directory import load_model
from nativize.model.merge import merge_checkpoints
from tests.model.tiny import Tiny, stage, write_variant


def merged(tiny: Tiny, overlays: list[Path], out: Path) -> Report:
    reports = []
    with standalone(out) as place:
        reports.append(merge_checkpoints(tiny.extended, overlays, place))
    return reports[0]


@pytest.fixture(scope="module")
def trained(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Embeddings, then adapters on top of them."""
    root = tmp_path_factory.mktemp("trained")
    first = tiny.train(root / "first", stage("embeddings", learning_rate=1e-2))
    second = tiny.train(root / "second", stage("lora", learning_rate=1e-2), (first,))
    return [first, second]


def test_logits_of_adapter_and_merged_model_agree(
    tiny: Tiny, trained: list[Path], tmp_path: Path
) -> None:
    report = merged(tiny, trained, tmp_path / "out")
    print("logit difference in standard deviations:", report.metrics["merge_logit_difference"])
    assert report.metrics["merge_logit_difference"] < 1e-5
    assert report.metrics["merge_same_next_token"] == 1.0
    changed = load_file(tmp_path / "out" / "model.safetensors")
    before = load_file(tiny.extended / "model.safetensors")
    assert all(not torch.equal(changed[n], before[n]) for n in before if "proj" in n)


@pytest.mark.parametrize("tied", [False, True])
def test_a_half_precision_model_is_rounded_once_and_keeps_its_tying(
    tiny: Tiny, tmp_path: Path, tied: bool
) -> None:
    variant = write_variant(tiny, tmp_path, dtype=torch.bfloat16, tied=tied)
    adapter = variant.train(tmp_path / "lora", stage("lora", learning_rate=1e-2))
    report = merged(variant, [adapter], tmp_path / "out")
    print(f"bfloat16, tied {tied}:", report.metrics["merge_logit_difference"])
    assert report.metrics["dtype"] == "bfloat16"
    model = load_model(tmp_path / "out")
    one_table = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert one_table is tied
    assert not torch.equal(
        model.get_input_embeddings().weight,
        load_model(variant.extended).get_input_embeddings().weight,
    )


def test_a_wrong_merge_is_not_published(
    tiny: Tiny, trained: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the last tensors had been rounded away while they were written."""
    from nativize.model import merge

    def save_damaged(model: torch.nn.Module, out: Path) -> None:
        real_save(model, out)
        tensors = load_file(out / "model.safetensors")
        tensors["model.layers.1.mlp.up_proj.weight"].mul_(1.01)
        save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})

    real_save = merge.save_model
    monkeypatch.setattr(merge, "save_model", save_damaged)
    with pytest.raises(ModelError, match="not the trained one"):
        merged(tiny, trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def damaged(adapter: Path, out: Path, change: str) -> Path:
    tensors = load_file(adapter / "adapter_model.safetensors")
    if change == "no embeddings":
        tensors = {name: tensor for name, tensor in tensors.items() if "embed" not in name}
    elif change == "empty":
        tensors = {}
    elif change == "zero":
        tensors = {n: t * 0 if "lora_B" in n else t for n, t in tensors.items()}
    elif change == "not finite":
        tensors = {name: tensor / 0 for name, tensor in tensors.items()}
    elif change == "rank":
        tensors = {n: t[:2] if "lora_A" in n else t for n, t in tensors.items()}
    out.mkdir()
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, out / "adapter_model.safetensors")
    (out / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes())
    return out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("empty", "adapter is empty"),
        ("no embeddings", "embed_tokens was trained but not saved"),
        ("zero", "changes nothing"),
        ("not finite", "not finite"),
        ("rank", "rank 2, the config says 4"),
    ],
)
def test_an_unsound_adapter_is_refused(
    trained: list[Path], tmp_path: Path, change: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        check_adapter(damaged(trained[1] / "adapter", tmp_path / "adapter", change))


def test_an_adapter_says_nothing_of_where_it_was_made(trained: list[Path]) -> None:
    config = json.loads((trained[1] / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None
    assert {path.name for path in (trained[1] / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_an_overlay_of_another_model_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    save_file({"model.embed_tokens.weight": torch.zeros(3, 32)}, overlay / "trained.safetensors")
    with pytest.raises(ModelError, match=r"embed_tokens.weight \(3, 32\) does not fit"):
        merged(tiny, [overlay], tmp_path / "out")
