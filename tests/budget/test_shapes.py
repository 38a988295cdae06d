"""Parameters are counted from a config.json alone, exactly as the models have them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from nativize.budget import read_shapes, shapes_of, trained_by
from nativize.budget.published import PUBLISHED
from nativize.errors import BudgetError
from nativize.recipe import Lora, TrainStage
from nativize.train.trainable import prepare_trainable, trainable_share

SMALL = {
    "vocab_size": 400,
    "hidden_size": 48,
    "intermediate_size": 112,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
}
CONFIGS = {
    "llama": LlamaConfig(**SMALL),
    "grouped": LlamaConfig(**SMALL, num_key_value_heads=2),
    "with biases": LlamaConfig(**SMALL, attention_bias=True, mlp_bias=True),
    "tied": LlamaConfig(**SMALL, tie_word_embeddings=True),
    "wide heads": LlamaConfig(**SMALL, head_dim=16),
    "mistral": MistralConfig(**SMALL, num_key_value_heads=2),
    "qwen2": Qwen2Config(**SMALL, num_key_value_heads=2, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**SMALL, num_key_value_heads=3, head_dim=16),
    "qwen3, tied": Qwen3Config(**SMALL, num_key_value_heads=3, tie_word_embeddings=True),
}
LORA = {"rank": 4, "alpha": 8}
STAGES: dict[str, dict[str, Any]] = {
    "full": {"trainable": "full"},
    "embeddings": {"trainable": "embeddings"},
    "input": {"trainable": "embeddings", "embeddings": "input"},
    "new rows": {"trainable": "embeddings", "embeddings": "new_rows"},
    "lora": {"trainable": "lora", "lora": LORA},
    "adapters alone": {"trainable": "lora", "lora": {**LORA, "embeddings": False}},
    "two targets": {"trainable": "lora", "lora": {**LORA, "targets": ("q_proj", "down_proj")}},
    "last": {"trainable": "freeze", "train_last_layers": 2},
    "first and last": {"trainable": "freeze", "train_first_layers": 1, "train_last_layers": 1},
}


def stage(**settings: Any) -> TrainStage:
    return TrainStage.model_validate({"name": "x", "steps": 1, **settings})


def model(config: Any) -> Any:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_says_how_many_parameters_a_model_has(name: str, tmp_path: Path) -> None:
    CONFIGS[name].save_pretrained(tmp_path)
    shapes = read_shapes(tmp_path)
    assert shapes.total == trainable_share(model(CONFIGS[name])).total
    assert sum(shapes.by_kind().values()) == shapes.total


@pytest.mark.parametrize("settings", STAGES.values(), ids=STAGES)
@pytest.mark.parametrize("name", ["grouped", "tied", "qwen2", "qwen3"])
def test_what_a_stage_trains_is_what_the_trainer_counts(
    name: str, settings: dict[str, Any]
) -> None:
    training = stage(**settings)
    planned = trained_by(shapes_of(CONFIGS[name].to_dict(), name), training, new_rows=60)
    counted = trainable_share(prepare_trainable(model(CONFIGS[name]), training, (340, 400)))
    assert (planned.count, planned.total) == (counted.trainable, counted.total)


@pytest.mark.parametrize(
    ("hub", "parameters"),
    [
        ("TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T", 1_100_048_384),
        ("meta-llama/Llama-2-7b-hf", 6_738_415_616),
        ("meta-llama/Llama-2-13b-hf", 13_015_864_320),
        ("mistralai/Mistral-7B-v0.1", 7_241_732_096),
        ("meta-llama/Llama-3.1-8B", 8_030_261_248),
        ("Qwen/Qwen2.5-0.5B", 494_032_768),
        ("Qwen/Qwen2.5-1.5B", 1_543_714_304),
        ("Qwen/Qwen2.5-7B", 7_615_616_512),
        ("Qwen/Qwen3-0.6B-Base", 596_049_920),
        ("Qwen/Qwen3-1.7B-Base", 1_720_574_976),
        ("Qwen/Qwen3-4B-Base", 4_022_468_096),
        ("Qwen/Qwen3-8B-Base", 8_190_735_360),
    ],
)
def test_published_models_have_their_published_size(hub: str, parameters: int) -> None:
    assert PUBLISHED[hub].total == parameters


@pytest.mark.parametrize(
    ("rows", "settings", "percent"),
    [
        (49_953, {"trainable": "embeddings", "embeddings": "input"}, 2.97),
        (49_953, {"trainable": "lora", "lora": {"rank": 8, "targets": Lora().targets[:4]}}, 6.06),
        (49_954, {"trainable": "lora", "lora": {"rank": 8}}, 6.22),
    ],
    ids=["stage 1", "stage 2", "instructions"],
)
def test_shares_are_those_chinese_llama_published(
    rows: int, settings: dict[str, Any], percent: float
) -> None:
    config = {**LlamaConfig().to_dict(), "vocab_size": rows}
    trained = trained_by(shapes_of(config, "LLaMA-7B"), stage(**settings))
    assert round(100 * trained.share, 2) == percent


def test_an_unknown_model_type_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt_neox"}))
    with pytest.raises(BudgetError, match="'gpt_neox' cannot be reckoned with; known: llama"):
        read_shapes(tmp_path)


def test_more_layers_or_other_projections_than_there_are_are_refused() -> None:
    shapes = shapes_of(CONFIGS["llama"].to_dict(), "test")
    with pytest.raises(BudgetError, match="4 layers to train, but the model has 3"):
        trained_by(shapes, stage(trainable="freeze", train_last_layers=4))
    with pytest.raises(BudgetError, match="'query_key_value' is no projection"):
        trained_by(shapes, stage(trainable="lora", lora={"targets": ("query_key_value",)}))
