"""A base of Llama 3's or Qwen's kind walks the whole road in the graph, from the crawl to GGUF."""

import json
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

from nativize.vocabulary import load_encoder, read_sizes
from tests.traveller import Traveller, built
from tests.vocabulary.byte_level_base import write_byte_level_base

CONFIGS = {"llama3": LlamaConfig, "qwen2": Qwen2Config}
ROWS = {"llama3": 402, "qwen2": 600}
"""Of the embedding; Qwen's is padded beyond its tokenizer's 402 ids."""
ROAD = """
[base]
path = "bases/{kind}"

[[stage]]
name = "full"
trainable = "full"
steps = 2
batch_tokens = 512
"""


def write_base(directory: Path, kind: str) -> None:
    """A byte-level tokenizer learned from English, and a model of random weights."""
    write_byte_level_base(directory, kind)
    torch.manual_seed(1)
    config = CONFIGS[kind](
        vocab_size=ROWS[kind],
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        tie_word_embeddings=kind == "qwen2",
        bos_token_id=None,
        eos_token_id=400,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)


def on_base(recipe: str, kind: str) -> str:
    """The recipe with this base, one training of two steps, and no chat."""
    sections = re.split(r"(?m)^(?=\[)", recipe)
    own = re.compile(r"\[\[?(base|stage|chat)\b")
    return "".join(one for one in sections if not own.match(one)) + ROAD.format(kind=kind)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_byte_level_base_walks_the_whole_road(traveller: Traveller, kind: str) -> None:
    write_base(traveller.home / "bases" / kind, kind)
    recipe = on_base(traveller.recipe_path.read_text("utf-8"), kind)
    traveller.recipe_path.write_text(recipe, "utf-8")
    outcome = traveller.walk()
    assert {"merged_vocabulary", "token_shards", "pretrained_model", "gguf_export"} <= built(
        outcome
    )
    made = {name: traveller.store.current(name) for name in outcome}
    figures = made["merged_vocabulary"].metrics
    for broken in ("old_lines_changed", "round_trip_failures", "own_disagreements", "unreachable"):
        assert figures[broken] == 0
    assert figures["new_tokens_per_character_after"] < figures["new_tokens_per_character_before"]

    sizes = read_sizes(made["merged_vocabulary"].path)
    assert (sizes.base_size, sizes.padded_size % 64) == (402, 0)
    assert sizes.new_pieces == made["vocabulary_report"].metrics["new_pieces"] > 100
    for name in ("extended_model", "pretrained_model"):
        config = json.loads((made[name].path / "config.json").read_text("utf-8"))
        assert config["vocab_size"] == sizes.padded_size
        assert load_encoder(made[name].path).size == sizes.padded_size
    parity = json.loads((made["gguf_export"].path / "parity.json").read_text("utf-8"))
    assert all(one["texts"] > 0 for one in parity.values())
    told = made["evaluation_report"].metrics
    print({name: value for name, value in told.items() if "bits_per_byte" in name})

    assert built(traveller.walk()) == set()
