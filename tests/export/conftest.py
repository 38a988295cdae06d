"""A tiny random Llama model with a merged vocabulary, once a session."""

import json
import shutil
from pathlib import Path

import pytest

from nativize.vocabulary import read_sizes
from tests.vocabulary.composed import (
    write_workshop,
)


@pytest.fixture(scope="session")
def atelier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with new, old, merged and model."""
    root = tmp_path_factory.mktemp("export")
    write_workshop(root)
    write_model(root / "merged", root / "model")
    return root


def write_model(vocabulary: Path, out: Path, **settings: object) -> Path:
    """A random model whose weights are large enough that wrong tensors change its choices."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **{
            "vocab_size": read_sizes(vocabulary).padded_size,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "initializer_range": 0.2,
            "tie_word_embeddings": False,
            **settings,
        }
    )
    torch.manual_seed(1)
    LlamaForCausalLM(config).save_pretrained(out)
    for path in sorted(vocabulary.glob("tokenizer*")):
        shutil.copy(path, out)
    settings_file = out / "tokenizer_config.json"
    tokenizer = json.loads(settings_file.read_text(encoding="utf-8"))
    tokenizer["chat_template"] = "{% for m in messages %}{{ m.content }}{% endfor %}"
    settings_file.write_text(json.dumps(tokenizer), encoding="utf-8")
    return out
