"""A byte-level base goes the whole way: merged vocabulary, extended model, equal GGUF."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

from nativize.artifact import standalone
from nativize.export.export import export_gguf
from nativize.model.extend import extend_model
from nativize.recipe import Export, Extend, Vocabulary
from nativize.vocabulary import load_encoder, merge_vocabulary, read_sizes
from tests.vocabulary.byte_level_base import write_byte_level_base
from tests.vocabulary.composed import ENGLISH, JAPANESE, write_corpus

SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": None,
    "eos_token_id": 400,
}
CONFIGS = {"gpt2": LlamaConfig, "llama3": LlamaConfig, "qwen2": Qwen2Config}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Pieces, new and old language."""
    from nativize.vocabulary import train_tokenizer

    root = tmp_path_factory.mktemp("corpora")
    new, old = write_corpus(root / "new", JAPANESE), write_corpus(root / "old", ENGLISH)
    with standalone(root / "pieces") as place:
        train_tokenizer(new, place, vocabulary=Vocabulary(size=160))
    return root / "pieces", new, old


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("rows", [402, 600])
def test_a_byte_level_base_becomes_a_gguf_that_is_the_model(
    corpora: tuple[Path, Path, Path], tmp_path: Path, kind: str, rows: int
) -> None:
    pieces, new, old = corpora
    base = write_byte_level_base(tmp_path / "base", kind)
    torch.manual_seed(1)
    config = CONFIGS[kind](vocab_size=rows, tie_word_embeddings=kind == "qwen2", **SHAPE)
    AutoModelForCausalLM.from_config(config).save_pretrained(base)
    with standalone(tmp_path / "merged") as place:
        merge_vocabulary(base, pieces, new, old, place, vocabulary=Vocabulary())
    with standalone(tmp_path / "extended") as place:
        extend_model(base, tmp_path / "merged", place, extend=Extend())
    sizes = read_sizes(tmp_path / "merged")
    written = json.loads((tmp_path / "extended" / "config.json").read_text())
    assert written["vocab_size"] == sizes.padded_size
    assert load_encoder(tmp_path / "extended").size == sizes.padded_size
    with standalone(tmp_path / "gguf") as place:
        export_gguf(
            tmp_path / "extended",
            new,
            old,
            place,
            name="tiny",
            export=Export(quantisations=("f32",)),
        )
    parity = json.loads((tmp_path / "gguf" / "parity.json").read_text())
    assert parity["f32"]["bytes"] > 0
