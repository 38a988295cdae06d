"""The merged model is the trained one, in the files of the model that was trained."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftConfig
from safetensors.torch import load_file, save_file

from nativize.artifact import Report, standalone
from nativize.errors import ModelError
from nativize.model.changes import LowRank
from nativize.model.checkpoint import INDEX, Checkpoint, open_checkpoint
from nativize.model.directory import load_model
from nativize.model.merge import merge_checkpoints
from nativize.model.overlay import load_with_overlays
from tests.model.adapters import (
    ATTENTION,
    FIRST_NEW,
    NEW,
    ROWS,
    WIDE,
    lora,
    lora_with_embeddings,
    new_rows,
    write_adapter,
    write_llama,
    write_trained,
)

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
ALL_LINEAR = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]

ADAPTERS: dict[str, Callable[[bool], PeftConfig]] = {
    "lora": lambda tied: lora(),
    "rank stabilised": lambda tied: lora(r=9, use_rslora=True, target_modules=ALL_LINEAR),
    "patterns": lambda tied: lora(
        rank_pattern={"q_proj": 2, r"layers\.1\.self_attn\.o_proj": 6}, alpha_pattern={"k_proj": 3}
    ),
    "with embeddings": lambda tied: lora_with_embeddings(tied=tied),
    "with new rows": lambda tied: lora(trainable_token_indices=NEW),
    "with new rows of both": lambda tied: lora(
        trainable_token_indices={"embed_tokens": NEW, "lm_head": NEW if tied else NEW[7:]}
    ),
    "new rows": lambda tied: new_rows(tied=tied),
}


def merged(model: Path, overlays: list[Path], out: Path) -> Report:
    reports = []
    with standalone(out) as place:
        reports.append(merge_checkpoints(model, overlays, place))
    return reports[0]


def bytes_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def by_hand(model: Path, overlays: list[Path], name: str, dtype: torch.dtype) -> torch.Tensor:
    """What peft makes of a tensor in float32, rounded once."""
    exact: torch.Tensor = load_with_overlays(model, overlays).state_dict()[name]
    return exact.to(dtype)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("kind", ADAPTERS)
def test_every_kind_of_adapter_is_merged(tmp_path: Path, kind: str, tied: bool) -> None:
    model = write_llama(tmp_path / "model", tied=tied)
    overlay = write_adapter(tmp_path / "overlay", model, ADAPTERS[kind](tied))
    report = merged(model, [overlay], tmp_path / "out")
    print(kind, report.metrics)
    assert report.metrics["merge_logit_difference"] < 1e-5
    assert report.metrics["merge_same_next_token"] == 1.0
    after = load_model(tmp_path / "out")
    assert (after.lm_head.weight is after.model.embed_tokens.weight) is tied
    difference = probe(after) - probe(load_model(model))
    assert float(difference.abs().max()) > 1e-3, "the training must show"


def probe(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(torch.arange(0, ROWS, 10)[None]).logits
    return logits


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_trainings_are_added_up_in_float32_and_rounded_once(
    tmp_path: Path, dtype: torch.dtype, tied: bool
) -> None:
    model = write_llama(tmp_path / "model", dtype=dtype, tied=tied)
    overlays = [write_trained(tmp_path / "1", model, lambda name: name in (EMBEDDING, HEAD))]
    for number, config in enumerate((new_rows(tied=tied), lora_with_embeddings(tied=tied), lora())):
        out = tmp_path / f"{number + 2}"
        overlays.append(write_adapter(out, model, config, overlays, seed=number))
    report = merged(model, overlays, tmp_path / "out")
    print(dtype, f"tied {tied}:", report.metrics)
    assert report.metrics["dtype"] == str(dtype).removeprefix("torch.")
    written = open_checkpoint(tmp_path / "out")
    assert written.tensors.keys() == open_checkpoint(model).tensors.keys()
    for name in written.tensors:
        expected = by_hand(model, overlays, name, dtype)
        assert written.load(name).dtype == dtype
        torch.testing.assert_close(written.load(name), expected, rtol=1e-3, atol=1e-7)


def test_files_headers_and_index_stay_and_untrained_files_are_the_same_file(
    tmp_path: Path,
) -> None:
    model = write_llama(tmp_path / "model", files="40KB")
    overlay = write_adapter(tmp_path / "overlay", model, lora(layers_to_transform=[1]))
    merged(model, [overlay], tmp_path / "out")
    before, after = open_checkpoint(model), open_checkpoint(tmp_path / "out")
    assert len(before.shards) > 3
    linked = changed = 0
    for name, tensors in before.shards.items():
        same = (model / name).samefile(tmp_path / "out" / name)
        linked, changed = linked + same, changed + (not same)
        assert [
            (key, one.dtype, one.shape, one.start, one.stop) for key, one in tensors.items()
        ] == [
            (key, one.dtype, one.shape, one.start, one.stop)
            for key, one in after.shards[name].items()
        ]
        for key in tensors:
            trained = "layers.1.self_attn" in key and "proj" in key
            assert torch.equal(before.load(key), after.load(key)) is not trained
    assert linked > 0
    assert changed > 0
    assert (model / INDEX).read_bytes() == (tmp_path / "out" / INDEX).read_bytes()


def test_equal_trainings_give_equal_bytes(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "model", dtype=torch.bfloat16)
    overlay = write_adapter(tmp_path / "overlay", model, lora_with_embeddings(tied=False))
    threads = torch.get_num_threads()
    for number in (1, 2):
        torch.set_num_threads(number)
        merged(model, [overlay], tmp_path / f"out{number}")
    torch.set_num_threads(threads)
    assert bytes_of(tmp_path / "out1") == bytes_of(tmp_path / "out2")


def test_new_rows_alone_leave_every_old_row_as_it_was(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "model", dtype=torch.bfloat16)
    overlay = write_adapter(tmp_path / "overlay", model, new_rows(tied=False))
    merged(model, [overlay], tmp_path / "out")
    before, after = open_checkpoint(model), open_checkpoint(tmp_path / "out")
    for name in before.tensors:
        equal = (before.load(name) == after.load(name)).view(before.tensors[name].shape[0], -1)
        trained = torch.zeros(len(equal), dtype=torch.bool)
        if name in (EMBEDDING, HEAD):
            trained[FIRST_NEW:] = True
        assert torch.equal(equal.all(1), ~trained), name


def test_files_that_leave_the_prefix_out_are_found(tmp_path: Path) -> None:
    """As published ones do: what memory calls transformer.wte, the file calls wte."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    config = GPT2Config(vocab_size=ROWS, n_embd=WIDE, n_layer=1, n_head=2, n_positions=64)
    model = tmp_path / "model"
    GPT2LMHeadModel(config).save_pretrained(model)
    (model / "tokenizer_config.json").write_text("{}")
    tensors = load_file(model / "model.safetensors")
    save_file(
        {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()},
        model / "model.safetensors",
        metadata={"format": "pt"},
    )
    overlay = write_adapter(
        tmp_path / "overlay", model, lora(target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)
    )
    merged(model, [overlay], tmp_path / "out")
    after = open_checkpoint(tmp_path / "out").load("h.0.attn.c_attn.weight")
    assert not torch.equal(after, tensors["transformer.h.0.attn.c_attn.weight"])


Damage = Callable[[str, torch.Tensor], torch.Tensor]


def corrupt(monkeypatch: pytest.MonkeyPatch, damage: Damage) -> None:
    """As if numbers were damaged while they were written."""
    real = Checkpoint.rewrite

    def rewrite(self: Checkpoint, out: Path, changes: Any, link: Any) -> None:
        def broken(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
            return lambda old: damage(name, changes[name](old))

        real(self, out, {name: broken(name) for name in changes}, link)

    monkeypatch.setattr(Checkpoint, "rewrite", rewrite)


def one_number(name: str, new: torch.Tensor) -> torch.Tensor:
    if name == EMBEDDING:
        new[FIRST_NEW + 1, 3] *= 1.05
    return new


def one_tensor(name: str, new: torch.Tensor) -> torch.Tensor:
    return new * 1.01 if name == "model.layers.1.self_attn.v_proj.weight" else new


def no_number(name: str, new: torch.Tensor) -> torch.Tensor:
    return new / 0 if name == HEAD else new


@pytest.mark.parametrize("damage", [one_number, one_tensor, no_number])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_damaged_tensor_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, damage: Damage
) -> None:
    model = write_llama(tmp_path / "model", dtype=dtype)
    overlay = write_adapter(tmp_path / "overlay", model, lora_with_embeddings(tied=False))
    corrupt(monkeypatch, damage)
    with pytest.raises(ModelError, match="nothing was published"):
        merged(model, [overlay], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("factor", [0.9, 1.1, -1.0, 0.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_adapters_merged_at_another_scale_are_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, factor: float
) -> None:
    """In bfloat16 a tenth of the scale is far less than rounding does to the logits."""
    model = write_llama(tmp_path / "model", dtype=dtype)
    overlay = write_adapter(tmp_path / "overlay", model, lora())

    def apply(change: LowRank, old: torch.Tensor) -> torch.Tensor:
        return old.addmm_(change.b.load(), change.a.load(), alpha=factor * change.scale)

    monkeypatch.setattr(LowRank, "apply", apply)
    with pytest.raises(ModelError, match=r"q_proj.weight is not what training made of it"):
        merged(model, [overlay], tmp_path / "out")


def test_numbers_too_large_for_the_dtype_are_not_published(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "model", dtype=torch.float16)
    overlay = write_trained(tmp_path / "overlay", model, lambda name: name == HEAD)
    tensors = load_file(overlay / "trained.safetensors")
    save_file({HEAD: tensors[HEAD] * 1e7}, overlay / "trained.safetensors")
    with pytest.raises(ModelError, match="in float32 if it overflowed"):
        merged(model, [overlay], tmp_path / "out")


def test_a_directory_that_is_read_as_another_model_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every number is right; the config is not."""
    from nativize.model import merge

    def copy_and_break(source: Path, out: Path) -> None:
        real(source, out)
        config = json.loads((out / "config.json").read_text())
        (out / "config.json").unlink()
        (out / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}))

    real = merge.copy_tokenizer
    monkeypatch.setattr(merge, "copy_tokenizer", copy_and_break)
    model = write_llama(tmp_path / "model")
    overlay = write_adapter(tmp_path / "overlay", model, lora())
    with pytest.raises(ModelError, match="saved model is not the trained one"):
        merged(model, [overlay], tmp_path / "out")


@pytest.mark.parametrize(
    "config",
    [
        lora(modules_to_save=["embed_tokens"]),
        lora(modules_to_save=["embed_tokens", "lm_head"]),
        lora(trainable_token_indices={"lm_head": NEW}),
        lora(trainable_token_indices={"embed_tokens": NEW, "lm_head": NEW[1:]}),
    ],
    ids=["embedding", "both", "rows of head", "other rows"],
)
def test_a_tied_table_that_was_trained_as_two_is_refused(
    tmp_path: Path, config: PeftConfig
) -> None:
    model = write_llama(tmp_path / "model", tied=True)
    overlay = write_adapter(tmp_path / "overlay", model, config)
    with pytest.raises(ModelError, match="were trained apart"):
        merged(model, [overlay], tmp_path / "out")


def test_factors_on_embedding_and_head_are_merged_where_they_are_two_tensors(
    tmp_path: Path,
) -> None:
    targets = ["q_proj", "embed_tokens", "lm_head"]
    untied = write_llama(tmp_path / "untied")
    overlay = write_adapter(tmp_path / "1", untied, lora(target_modules=targets))
    report = merged(untied, [overlay], tmp_path / "out")
    assert report.metrics["merge_logit_difference"] < 1e-5
    tied = write_llama(tmp_path / "tied", tied=True)
    config = lora(target_modules=targets[:2], ensure_weight_tying=True)
    overlay = write_adapter(tmp_path / "2", tied, config)
    with pytest.raises(ModelError, match="low-rank factors twice"):
        merged(tied, [overlay], tmp_path / "out2")


def test_an_overlay_of_another_model_is_refused(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "model")
    overlay = write_trained(tmp_path / "overlay", model, lambda name: name == EMBEDDING)
    save_file({EMBEDDING: torch.zeros(3, WIDE)}, overlay / "trained.safetensors")
    with pytest.raises(ModelError, match=r"embed_tokens.weight \(3, 32\) does not fit"):
        merged(model, [overlay], tmp_path / "out")


def test_the_last_chat_template_comes_along(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "model")
    overlay = write_adapter(tmp_path / "overlay", model, lora())
    (overlay / "stage.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    merged(model, [overlay], tmp_path / "out")
    written = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert written == {"model_max_length": 64, "chat_template": "{{ messages }}"}
