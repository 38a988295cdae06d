"""Growing a checkpoint as files: shards, padding, other architectures, and what is refused."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PhiConfig,
    Qwen2Config,
    Qwen3Config,
)

from nativize.artifact import Report, standalone, write_json
from nativize.errors import ModelError
from nativize.model.checkpoint import INDEX, open_checkpoint
from nativize.model.directory import copy_tokenizer, load_model, save_model
from nativize.model.extend import extend_model, old_pieces
from nativize.model.tables import find_tables
from nativize.recipe import Extend
from nativize.vocabulary import Sizes, read_sizes
from tests.model.tiny import Tiny

SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2}
WIDE = {"hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 32, **SMALL}
CONFIGS = {
    "llama": LlamaConfig(**WIDE),
    "llama, tied": LlamaConfig(**WIDE, tie_word_embeddings=True),
    "mistral": MistralConfig(**WIDE, num_key_value_heads=1),
    "qwen2, tied": Qwen2Config(**WIDE, num_key_value_heads=1, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**WIDE, num_key_value_heads=1, head_dim=8),
    "gpt2, tied": GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=32),
    "gpt-neox": GPTNeoXConfig(**WIDE),
    "phi, a head with bias": PhiConfig(**WIDE),
}


def extended(base: Path, vocabulary: Path, out: Path, **settings: Any) -> Report:
    reports = []
    with standalone(out) as place:
        extend = Extend.model_validate(settings)
        reports.append(extend_model(base, vocabulary, place, extend=extend))
    return reports[0]


def base_of(tiny: Tiny, directory: Path, config: Any, *, rows: int) -> Path:
    """A random model of any architecture with the tiny base's tokenizer."""
    config.vocab_size, config.bos_token_id, config.eos_token_id = rows, 1, 2
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    head = model.get_output_embeddings()
    if head.bias is not None:
        torch.nn.init.normal_(head.bias)
    save_model(model, directory)
    copy_tokenizer(tiny.base, directory)
    return directory


def sharded(source: Path, out: Path) -> Path:
    """The same model in three files and an index; embedding and head in different ones."""
    shutil.copytree(source, out)
    tensors = load_file(out / "model.safetensors")
    (out / "model.safetensors").unlink()
    place = {name: 1 if "layers" in name else 0 if "embed" in name else 2 for name in tensors}
    names = [f"model-{number:05}-of-00003.safetensors" for number in (1, 2, 3)]
    for number, name in enumerate(names):
        part = {key: tensor for key, tensor in tensors.items() if place[key] == number}
        save_file(part, out / name, metadata={"format": "pt"})
    size = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": {k: names[place[k]] for k in tensors}}
    write_json(out / INDEX, index)
    return out


@pytest.mark.parametrize(
    "initialiser", ["mean_of_pieces", "frequency_weighted", "eeve", "mean", "random"]
)
def test_a_checkpoint_in_three_files_grows_to_the_same_tensors(
    tiny: Tiny, tmp_path: Path, initialiser: str
) -> None:
    extended(tiny.base, tiny.vocabulary, tmp_path / "whole", initialiser=initialiser)
    base = sharded(tiny.base, tmp_path / "base")
    extended(base, tiny.vocabulary, tmp_path / "parts", initialiser=initialiser)
    whole = load_file(tmp_path / "whole" / "model.safetensors")
    checkpoint = open_checkpoint(tmp_path / "parts")
    assert len(checkpoint.shards) == 3
    assert whole.keys() == checkpoint.tensors.keys()
    assert all(torch.equal(whole[name], checkpoint.load(name)) for name in whole)


def test_the_index_says_what_the_files_hold(tiny: Tiny, tmp_path: Path) -> None:
    base = sharded(tiny.base, tmp_path / "base")
    extended(base, tiny.vocabulary, tmp_path / "out")
    index = json.loads((tmp_path / "out" / INDEX).read_text())
    tensors = load_model(tmp_path / "out").state_dict()
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in tensors.values())
    assert index["weight_map"].keys() == tensors.keys()


def test_a_shard_without_tables_is_the_same_file(tiny: Tiny, tmp_path: Path) -> None:
    base = sharded(tiny.base, tmp_path / "base")
    extended(base, tiny.vocabulary, tmp_path / "out")
    name = "model-00002-of-00003.safetensors"
    assert (tmp_path / "out" / name).samefile(base / name)


def test_the_library_reads_what_is_written_and_its_metadata(tiny: Tiny) -> None:
    with safe_open(tiny.extended / "model.safetensors", framework="pt") as shard:
        assert shard.metadata() == {"format": "pt"}


@pytest.mark.parametrize("name", CONFIGS)
def test_any_architecture_grows_and_says_the_same_about_old_tokens(
    tiny: Tiny, tmp_path: Path, name: str
) -> None:
    base = base_of(tiny, tmp_path / "base", CONFIGS[name], rows=400)
    report = extended(base, tiny.vocabulary, tmp_path / "out")
    ids = torch.arange(3, 30).view(1, -1)
    old, new = load_model(base), load_model(tmp_path / "out")
    with torch.no_grad():
        assert torch.equal(old(input_ids=ids).logits, new(input_ids=ids).logits[..., :400])
    assert report.metrics["parameters"] == sum(one.numel() for one in new.parameters())
    tied = new.get_output_embeddings().weight is new.get_input_embeddings().weight
    assert tied is name.endswith("tied")


@pytest.mark.parametrize("name", CONFIGS)
def test_eeve_starts_a_head_of_its_own_at_the_first_piece(
    tiny: Tiny, tmp_path: Path, name: str
) -> None:
    base = base_of(tiny, tmp_path / "base", CONFIGS[name], rows=400)
    extended(base, tiny.vocabulary, tmp_path / "out", initialiser="eeve")
    sizes = read_sizes(tiny.vocabulary)
    model = load_model(tmp_path / "out")
    pieces = old_pieces(base, tiny.vocabulary, sizes)
    embedding = model.get_input_embeddings().weight
    means = torch.stack([embedding[ids].float().mean(0) for ids in pieces]).to(embedding.dtype)
    assert torch.equal(embedding[sizes.base_size : sizes.size], means)
    head = model.get_output_embeddings()
    if not name.endswith("tied"):
        firsts = [ids[0] for ids in pieces]
        assert torch.equal(head.weight[sizes.base_size : sizes.size], head.weight[firsts])
        if head.bias is not None:
            assert torch.equal(head.bias[sizes.base_size : sizes.size], head.bias[firsts])


def test_a_published_checkpoint_may_leave_the_models_prefix_out(tiny: Tiny, tmp_path: Path) -> None:
    base = base_of(tiny, tmp_path / "base", CONFIGS["gpt2, tied"], rows=400)
    tensors = load_file(base / "model.safetensors")
    short = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    save_file(short, base / "model.safetensors", metadata={"format": "pt"})
    extended(base, tiny.vocabulary, tmp_path / "out")
    table = load_file(tmp_path / "out" / "model.safetensors")["wte.weight"]
    assert len(table) == read_sizes(tiny.vocabulary).padded_size
    assert torch.equal(load_model(tmp_path / "out").get_input_embeddings().weight, table)


def test_new_tokens_take_the_rows_behind_the_bases_ids_even_where_it_is_padded(
    tiny: Tiny, tmp_path: Path
) -> None:
    sizes = read_sizes(tiny.vocabulary)
    rows = sizes.padded_size + 13
    base = base_of(tiny, tmp_path / "base", CONFIGS["qwen2, tied"], rows=rows)
    padded = replace(sizes, padded_size=rows)
    vocabulary = with_sizes(tiny.vocabulary, tmp_path / "vocabulary", padded)
    extended(base, vocabulary, tmp_path / "out")
    old = load_model(base).get_input_embeddings().weight
    new = load_model(tmp_path / "out").get_input_embeddings().weight
    assert old.shape == new.shape
    assert torch.equal(new[: sizes.base_size], old[: sizes.base_size])
    assert torch.equal(new[sizes.size :], old[sizes.size :])
    pieces = old_pieces(base, vocabulary, sizes)
    means = torch.stack([old[ids].float().mean(0) for ids in pieces]).to(old.dtype)
    assert torch.equal(new[sizes.base_size : sizes.size], means)


@pytest.mark.parametrize("rows", [400, 413])
def test_without_new_pieces_the_weights_are_the_bases_file(
    tiny: Tiny, tmp_path: Path, rows: int
) -> None:
    base = base_of(tiny, tmp_path / "base", CONFIGS["llama"], rows=rows)
    vocabulary = with_sizes(tiny.base, tmp_path / "vocabulary", Sizes(400, 400, rows, 0))
    extended(base, vocabulary, tmp_path / "out")
    name = "model.safetensors"
    assert (tmp_path / "out" / name).read_bytes() == (base / name).read_bytes()


def test_without_new_pieces_padding_alone_is_added(tiny: Tiny, tmp_path: Path) -> None:
    base = base_of(tiny, tmp_path / "base", CONFIGS["llama"], rows=413)
    vocabulary = with_sizes(tiny.base, tmp_path / "vocabulary", Sizes(400, 400, 448, 0))
    extended(base, vocabulary, tmp_path / "out")
    old = load_file(base / "model.safetensors")
    new = load_file(tmp_path / "out" / "model.safetensors")
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(new[name][:413], old[name])
        mean = old[name][:400].double().mean(0).bfloat16()
        assert torch.equal(new[name][413:], mean.expand(35, -1))


def test_configs_and_chat_template_come_along(tiny: Tiny, tmp_path: Path) -> None:
    base = shutil.copytree(tiny.base, tmp_path / "base")
    generation = {"bos_token_id": 1, "eos_token_id": [2, 7], "temperature": 0.6, "do_sample": True}
    write_json(base / "generation_config.json", generation)
    config = json.loads((base / "config.json").read_text())
    write_json(base / "config.json", {**config, "rope_theta": 1234.0, "own_key": [1]})
    vocabulary = shutil.copytree(tiny.vocabulary, tmp_path / "vocabulary")
    (vocabulary / "chat_template.jinja").write_text("{{ messages }}")
    extended(base, vocabulary, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "generation_config.json").read_text()) == generation
    made = json.loads((tmp_path / "out" / "config.json").read_text())
    size = read_sizes(vocabulary).padded_size
    assert made == {**config, "rope_theta": 1234.0, "own_key": [1], "vocab_size": size}
    assert (tmp_path / "out" / "chat_template.jinja").read_text() == "{{ messages }}"


def damaged(tiny: Tiny, base: Path, fault: str) -> Path:
    single = base / "model.safetensors"
    if fault == "pickles":
        shutil.copytree(tiny.base, base)
        single.rename(base / "pytorch_model.bin")
        return base
    if fault.startswith("shard"):
        sharded(tiny.base, base)
        second = base / "model-00002-of-00003.safetensors"
        if fault == "shard missing":
            second.unlink()
        elif fault == "shard cut off":
            second.write_bytes(second.read_bytes()[:-1])
        elif fault == "shard without a tensor":
            tensors = load_file(second)
            tensors.pop("model.layers.1.mlp.up_proj.weight")
            save_file(tensors, second)
        else:
            text = (base / INDEX).read_text().replace("model-00002", "../base/model-00002")
            (base / INDEX).write_text(text)
        return base
    shutil.copytree(tiny.base, base)
    tensors = load_file(single)
    if fault == "no head":
        tensors.pop("lm_head.weight")
    elif fault == "few rows":
        tensors["lm_head.weight"] = tensors["lm_head.weight"][:390].contiguous()
    elif fault == "many rows":
        tensors["lm_head.weight"] = torch.zeros(5_000, 32)
    elif fault == "whole numbers":
        tensors["lm_head.weight"] = torch.zeros(400, 32, dtype=torch.int8)
    elif fault == "not finite":
        tensors["lm_head.weight"][5, 7] = torch.nan
    elif fault == "no config":
        (base / "config.json").unlink()
    elif fault == "other config":
        write_json(base / "config.json", {"model_type": "nobody_knows"})
    save_file(tensors, single)
    return base


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("pickles", r"weights are pickles \(pytorch_model.bin\)"),
        ("shard missing", "shard model-00002-of-00003.safetensors is missing.*fetch"),
        ("shard cut off", "model-00002-of-00003.safetensors: damaged.*fetch"),
        ("shard without a tensor", "no tensor model.layers.1.mlp.up_proj.weight.*fetch"),
        ("shard elsewhere", "shard ../base/model-00002.* is missing"),
        ("no head", "no tensor lm_head.weight in its weights"),
        ("few rows", "lm_head.weight has 390 rows, but its tokenizer has 400 ids"),
        ("many rows", "lm_head.weight has 5000 rows.*rows are never taken away"),
        ("whole numbers", "lm_head.weight is I8.*before it was quantised"),
        ("not finite", "lm_head.weight has numbers that are not finite"),
        ("no config", "config.json cannot be read"),
        ("other config", "config.json cannot be read"),
    ],
)
def test_an_unsound_base_is_refused_and_nothing_is_published(
    tiny: Tiny, tmp_path: Path, fault: str, message: str
) -> None:
    base = damaged(tiny, tmp_path / "base", fault)
    with pytest.raises(ModelError, match=message):
        extended(base, tiny.vocabulary, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_old_row_that_changes_is_noticed(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if one byte of the last old row had been written wrongly."""
    from nativize.model.checkpoint import Checkpoint

    def write_damaged(self: Checkpoint, out: Path, *rest: Any) -> None:
        real_write(self, out, *rest)
        stored = open_checkpoint(out).tensors["lm_head.weight"]
        with stored.path.open("r+b") as file:
            file.seek(stored.start + 400 * stored.row_bytes - 1)
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))

    real_write = Checkpoint.write
    monkeypatch.setattr(Checkpoint, "write", write_damaged)
    with pytest.raises(ModelError, match=r"an old row of lm_head.weight changed"):
        extended(tiny.base, tiny.vocabulary, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tables_are_found_by_architecture_not_by_name(tiny: Tiny, tmp_path: Path) -> None:
    found = {}
    for name in ("gpt2, tied", "gpt-neox", "phi, a head with bias"):
        base = base_of(tiny, tmp_path / name, CONFIGS[name], rows=400)
        tables = find_tables(base, open_checkpoint(base))
        found[name] = [(table.name, table.is_head) for table in tables]
    assert found == {
        "gpt2, tied": [("transformer.wte.weight", False)],
        "gpt-neox": [("gpt_neox.embed_in.weight", False), ("embed_out.weight", True)],
        "phi, a head with bias": [
            ("model.embed_tokens.weight", False),
            ("lm_head.weight", True),
            ("lm_head.bias", True),
        ],
    }


def with_sizes(tokenizer: Path, out: Path, sizes: Sizes) -> Path:
    """A merged vocabulary with other sizes."""
    shutil.copytree(tokenizer, out, ignore=shutil.ignore_patterns("report", "*.safetensors"))
    write_json(out / "vocabulary.json", asdict(sizes))
    return out
