"""Published shares of trainable parameters, on LLaMA-7B's shapes without its weights.

Source: Chinese-LLaMA-Alpaca's training notes: 2.97 % (stage 1, the input embedding of 49,953
tokens), 6.06 % (LoRA r=8 on attention with embedding and head), 6.22 % (SFT with 49,954 tokens on
all seven projections).
"""

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from nativize.errors import TrainingError
from nativize.recipe import Lora
from nativize.train.trainable import prepare_trainable, trainable_share
from tests.model.tiny import stage

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


def llama_7b(vocabulary: int, **settings: Any) -> LlamaForCausalLM:
    shapes = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32}
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **(shapes | settings)))


@pytest.mark.parametrize(
    ("vocabulary", "targets", "percent"),
    [(49_953, ATTENTION, 6.06), (49_954, Lora().targets, 6.22)],
)
def test_lora_with_embeddings_trains_the_published_share(
    vocabulary: int, targets: tuple[str, ...], percent: float
) -> None:
    training = stage("lora", lora={"rank": 8, "alpha": 32, "targets": targets})
    share = trainable_share(prepare_trainable(llama_7b(vocabulary), training))
    assert round(100 * share.share, 2) == percent


@pytest.mark.parametrize(("part", "percent"), [("input", 2.97), ("input_and_head", 5.94)])
def test_the_input_embedding_is_the_published_share_and_the_head_as_much_again(
    part: str, percent: float
) -> None:
    share = trainable_share(
        prepare_trainable(llama_7b(49_953), stage("embeddings", embeddings=part))
    )
    assert round(100 * share.share, 2) == percent


def test_adapters_of_tinyllama_count_as_published() -> None:
    shapes = {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22}
    model = llama_7b(32_000, **shapes, num_attention_heads=32, num_key_value_heads=4)
    assert trainable_share(model).total == 1_100_048_384
    training = stage("lora", lora={"rank": 256, "alpha": 512, "embeddings": False})
    assert trainable_share(prepare_trainable(model, training)).trainable == 201_850_880


def test_an_unknown_target_is_named() -> None:
    tiny = llama_7b(100, hidden_size=32, intermediate_size=64, num_hidden_layers=1)
    with pytest.raises(TrainingError, match="query_key_value"):
        prepare_trainable(tiny, stage("lora", lora={"targets": ("query_key_value",)}))
