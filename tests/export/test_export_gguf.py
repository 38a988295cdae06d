import json
import shutil
from pathlib import Path

import gguf
import numpy
import pytest
from safetensors.numpy import load_file, save_file

from nativize.artifact import standalone
from nativize.errors import ExportError
from nativize.export import LlamaServer, export_gguf, generate
from nativize.export.gguf_file import write_gguf
from nativize.export.parity import Reference, compare
from nativize.recipe import Export
from nativize.vocabulary import load_encoder, read_sizes
from tests.export.conftest import write_model

TEXTS = [
    "東京では、春になると桜が咲きます。",
    "The old library near the river opens",
    " 👍 two  spaces",
]
ALL = ("f32", "f16", "q8_0")


def export(atelier: Path, model: Path, out: Path, *quantisations: str) -> dict:
    recipe = Export.model_validate({"quantisations": quantisations or ALL})
    with standalone(out) as place:
        report = export_gguf(
            model, atelier / "new", atelier / "old", place, name="tiny", export=recipe
        )
    return dict(report.metrics)


def damaged_copy(model: Path, out: Path, name: str) -> Path:
    """The model with the rows of one tensor turned round."""
    shutil.copytree(model, out)
    tensors = load_file(out / "model.safetensors")
    tensors[name] = numpy.ascontiguousarray(tensors[name][::-1])
    save_file(tensors, out / "model.safetensors")
    return out


@pytest.mark.parametrize("tied", [False, True])
def test_the_export_equals_the_model(atelier: Path, tmp_path: Path, tied: bool) -> None:
    model = write_model(atelier / "merged", tmp_path / "model", tie_word_embeddings=tied)
    metrics = export(atelier, model, tmp_path / "out")
    print(metrics)
    for quantisation in ALL:
        assert metrics[f"{quantisation}_texts_cut_differently"] == 0
    for quantisation in ("f32", "f16"):
        assert metrics[f"{quantisation}_tokens_greedy"] == metrics[f"{quantisation}_tokens"] > 20
    assert metrics["q8_0_bytes"] < metrics["f16_bytes"] < metrics["f32_bytes"]


def test_a_bfloat16_model_with_its_own_head_size_is_equal_too(
    atelier: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import LlamaForCausalLM

    write_model(atelier / "merged", tmp_path / "wide", head_dim=32, rope_theta=500_000.0)
    model = LlamaForCausalLM.from_pretrained(tmp_path / "wide", dtype=torch.bfloat16)
    model.save_pretrained(tmp_path / "wide", max_shard_size="100KB")
    (tmp_path / "wide" / "model.safetensors").unlink(missing_ok=True)
    assert export(atelier, tmp_path / "wide", tmp_path / "out", "f32")["f32_gap"] < 0.01


@pytest.mark.parametrize(
    "name",
    ["model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight"],
)
def test_one_wrong_tensor_is_found(atelier: Path, tmp_path: Path, name: str) -> None:
    other = damaged_copy(atelier / "model", tmp_path / "other", name)
    write_gguf(other, tmp_path / "m.gguf", name="tiny", quantisation="f32")
    parity = compare(tmp_path / "m.gguf", Reference(atelier / "model"), TEXTS, prompts=2)
    with pytest.raises(ExportError, match="continues otherwise than the model"):
        parity.require(tmp_path / "m.gguf", "f32")


def test_a_foreign_tokenizer_is_found(atelier: Path, tmp_path: Path) -> None:
    shutil.copytree(atelier / "model", tmp_path / "other")
    shutil.copy(atelier / "base" / "tokenizer.model", tmp_path / "other")
    write_gguf(tmp_path / "other", tmp_path / "m.gguf", name="tiny", quantisation="f32")
    parity = compare(tmp_path / "m.gguf", Reference(atelier / "model"), TEXTS, prompts=1)
    with pytest.raises(ExportError, match="東京"):
        parity.require(tmp_path / "m.gguf", "f32")


def test_the_same_model_makes_the_same_bytes(atelier: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        write_gguf(atelier / "model", tmp_path / f"{number}", name="tiny", quantisation="q8_0")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_the_file_says_what_the_tokenizer_says(atelier: Path, tmp_path: Path) -> None:
    write_gguf(atelier / "model", tmp_path / "m.gguf", name="tiny", quantisation="f16")
    fields = gguf.GGUFReader(tmp_path / "m.gguf").fields
    said = {name.removeprefix("tokenizer."): field.contents() for name, field in fields.items()}
    sizes = read_sizes(atelier / "merged")
    assert (said["ggml.bos_token_id"], said["ggml.eos_token_id"]) == (1, 2)
    assert said["ggml.add_bos_token"] is True and said["ggml.add_space_prefix"] is True
    assert len(said["ggml.tokens"]) == sizes.padded_size
    assert set(said["ggml.token_type"][sizes.size :]) <= {int(gguf.TokenType.UNUSED)}
    assert said["chat_template"].startswith("{% for m in messages")


def test_norms_stay_in_full_precision(atelier: Path, tmp_path: Path) -> None:
    write_gguf(atelier / "model", tmp_path / "m.gguf", name="tiny", quantisation="q8_0")
    for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors:
        expected = "F32" if "norm" in tensor.name else "Q8_0"
        assert tensor.tensor_type.name == expected


def test_parity_is_written_beside_the_files(atelier: Path, tmp_path: Path) -> None:
    export(atelier, atelier / "model", tmp_path / "out", "f16")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "parity.json",
        "tiny-f16.gguf",
    ]
    parity = json.loads((tmp_path / "out" / "parity.json").read_text(encoding="utf-8"))
    assert parity["f16"]["texts_cut_differently"] == 0


def test_llama_cpp_continues_a_prompt_the_same_way_twice(atelier: Path, tmp_path: Path) -> None:
    write_gguf(atelier / "model", tmp_path / "m.gguf", name="tiny", quantisation="f16")
    first, second = (generate(tmp_path / "m.gguf", "東京では", tokens=8) for _ in range(2))
    assert first == second != ""


def test_control_tokens_in_text_stay_text(atelier: Path, tmp_path: Path) -> None:
    write_gguf(atelier / "model", tmp_path / "m.gguf", name="tiny", quantisation="f16")
    with LlamaServer(tmp_path / "m.gguf") as server:
        ids = server.tokenise("</s> <filler_0>")
    assert ids == load_encoder(atelier / "merged").encode(["</s> <filler_0>"])[0]
    assert 2 not in ids


def test_a_file_llama_cpp_cannot_load_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF but no more")
    with pytest.raises(ExportError, match=r"broken\.gguf"):
        LlamaServer(tmp_path / "broken.gguf")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model_type": "gpt2"}, "Llama architecture"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "yarn"),
        ({"vocab_size": 10}, "rows"),
    ],
)
def test_what_cannot_be_exported_says_why(
    atelier: Path, tmp_path: Path, change: dict, complaint: str
) -> None:
    shutil.copytree(atelier / "model", tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ExportError, match=complaint):
        write_gguf(tmp_path / "model", tmp_path / "m.gguf", name="tiny", quantisation="f16")
    assert not (tmp_path / "m.gguf").exists()


def test_a_diverged_training_is_not_exported(atelier: Path, tmp_path: Path) -> None:
    shutil.copytree(atelier / "model", tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    tensors["lm_head.weight"][0, 0] = numpy.nan
    save_file(tensors, tmp_path / "model" / "model.safetensors")
    with pytest.raises(ExportError, match=r"lm_head\.weight holds nan"):
        write_gguf(tmp_path / "model", tmp_path / "m.gguf", name="tiny", quantisation="f16")


def test_stages_are_known_without_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, nativize.export, nativize.vocabulary, nativize.tokens;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'xllamacpp')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_server_closed_at_once_ends(atelier: Path, tmp_path: Path) -> None:
    write_gguf(atelier / "model", tmp_path / "m.gguf", name="tiny", quantisation="f16")
    for _ in range(10):
        with LlamaServer(tmp_path / "m.gguf"):
            pass
