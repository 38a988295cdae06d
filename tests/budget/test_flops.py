"""FLOPs are what PyTorch counts when the same model is trained."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig

from nativize.budget import flops_per_token, peak_flops, shapes_of
from nativize.budget.published import PUBLISHED
from nativize.recipe import TrainStage
from nativize.train.trainable import prepare_trainable

SEQUENCE = 64
CONFIG = LlamaConfig(
    vocab_size=500, hidden_size=64, intermediate_size=160, num_hidden_layers=3,
    num_attention_heads=4, num_key_value_heads=2, attn_implementation="eager",
)  # fmt: skip


def stage(trainable: str, **settings: Any) -> TrainStage:
    lora = {"rank": 4, **settings.pop("lora", {})}
    fields = {"name": "x", "trainable": trainable, "steps": 1, "lora": lora, **settings}
    return TrainStage.model_validate(fields)


def counted(training: TrainStage) -> float:
    """FLOPs a token; PyTorch multiplies whole squares of scores, so half of attention goes."""
    model = prepare_trainable(AutoModelForCausalLM.from_config(CONFIG), training)
    ids = torch.zeros(1, SEQUENCE, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, labels=ids).loss.backward()
    by_operation = counter.get_flop_counts()["Global"]
    attention = by_operation[torch.ops.aten.bmm]
    return (sum(by_operation.values()) - attention / 2) / SEQUENCE


@pytest.mark.parametrize(
    "training",
    [
        stage("full"),
        stage("lora"),
        stage("lora", lora={"embeddings": False}),
        stage("embeddings"),
        stage("embeddings", embeddings="input"),
        stage("freeze", train_last_layers=1),
    ],
    ids=["full", "lora", "adapters", "embeddings", "input", "freeze"],
)
def test_frozen_weights_cost_no_gradient_of_their_own(training: TrainStage) -> None:
    planned = flops_per_token(shapes_of(CONFIG.to_dict(), "test"), training, SEQUENCE)
    # the lowest trained layer passes no gradient on, which is not reckoned
    assert planned == pytest.approx(counted(training), rel=0.07)


def test_full_training_costs_six_a_weight_and_half_of_palms_attention() -> None:
    shapes = PUBLISHED["meta-llama/Llama-2-7b-hf"]
    multiplied = shapes.total - shapes.table - 32 * 2 * 4096 - 4096
    attention = 12 * 32 * 4096 * 2048 / 2
    assert flops_per_token(shapes, stage("full"), 2048) == 6 * multiplied + attention


@pytest.mark.parametrize(
    ("device", "teraflops"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA GeForce RTX 3090", 71),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100-PCIE-40GB", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H100 NVL", 835),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
        ("NVIDIA RTX A6000", 154.8),
        ("AMD Instinct MI300X", 1307.4),
        ("RTX 5090", 209.5),
    ],
)
def test_devices_are_known_by_torchs_name_and_the_recipes(device: str, teraflops: float) -> None:
    assert peak_flops(device, "bf16") == pytest.approx(teraflops * 1e12)


@pytest.mark.parametrize("device", ["NVIDIA L40", "NVIDIA H200 NVL", "Tesla T4", "cpu", ""])
def test_no_peak_is_invented(device: str) -> None:
    assert peak_flops(device, "bf16") is None
