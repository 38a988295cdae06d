"""The planned memory is what the trainer's own engine needs, measured tensor by tensor.

Measured on the CPU, where nothing but tensors counts: what CUDA adds is a constant and a share.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

from nativize.budget import memory
from nativize.budget.memory import Setup, memory_of
from nativize.budget.shapes import shapes_of
from nativize.recipe import Trainer, TrainStage
from nativize.train import deepspeed_engine, loss
from nativize.train.engine import TorchEngine, resolve_precision
from nativize.train.loss import LanguageModelLoss, install_loss_head
from nativize.train.trainable import prepare_trainable
from nativize.train.world import World
from tests.budget.live import LiveBytes

SEQUENCE = 128
LLAMA = {
    "vocab_size": 2_000,
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": SEQUENCE,
}
CONFIGS = {
    "llama": LlamaConfig(**LLAMA),
    "qwen3": Qwen3Config(**LLAMA, head_dim=48, tie_word_embeddings=True),
}
LORA = {"rank": 16, "alpha": 32}


def stage(trainable: str, precision: str, **settings: Any) -> TrainStage:
    fields = {"name": "x", "trainable": trainable, "steps": 1, "lora": LORA, **settings}
    return TrainStage.model_validate({**fields, "precision": precision})


def batch(samples: int, *, parted: bool) -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 2_000, (samples, SEQUENCE))
    positions = torch.arange(SEQUENCE) % (SEQUENCE // 2 if parted else SEQUENCE)
    positions = positions.expand(samples, -1).clone()
    return {"input_ids": ids, "labels": ids, "position_ids": positions}


def measure(setup: Setup, config: Any) -> int:
    """Bytes at the peak of the second step: the first one makes Adam's moments."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    install_loss_head(model)
    if setup.trainer.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    rows = (config.vocab_size - setup.new_rows, config.vocab_size)
    model = prepare_trainable(model, setup.stage, rows).train()
    cpu = torch.device("cpu")
    precision = resolve_precision(setup.stage.precision, cpu)
    engine = TorchEngine(LanguageModelLoss(model), setup.stage, World(0, 1, cpu), precision)
    batches = [batch(setup.samples, parted=setup.parts_documents) for _ in range(setup.passes)]
    _step(engine, batches)
    with LiveBytes(_tensors(engine, batches)) as live:
        _step(engine, batches)
    return live.peak


def _step(engine: TorchEngine, batches: list[dict[str, torch.Tensor]]) -> None:
    for number, each in enumerate(batches, 1):
        engine.backward(each, 1 / SEQUENCE, last=number == len(batches))
    engine.step(1.0)


def _tensors(engine: TorchEngine, batches: Any) -> Iterator[torch.Tensor]:
    yield from engine.loss.parameters()
    for state in engine.optimiser.state.values():
        yield from (value for value in state.values() if isinstance(value, torch.Tensor))


NO_EMBEDDINGS = {"lora": {**LORA, "embeddings": False}}
QV = {"lora": {**LORA, "embeddings": False, "targets": ("q_proj", "v_proj")}}


@pytest.mark.parametrize(
    ("trainable", "precision", "passes", "checkpointing", "settings"),
    [
        ("full", "fp32", 1, False, {}),
        ("full", "bf16", 1, True, {}),
        ("full", "bf16", 2, False, {}),
        ("full", "fp32", 2, True, {}),
        ("lora", "bf16", 1, False, {}),
        ("lora", "fp32", 1, True, {}),
        ("lora", "bf16", 2, True, {}),
        ("lora", "bf16", 1, False, NO_EMBEDDINGS),
        ("lora", "fp32", 1, False, QV),
        ("lora", "bf16", 1, True, QV),
        ("embeddings", "bf16", 1, False, {}),
        ("embeddings", "fp32", 2, True, {}),
        ("embeddings", "bf16", 1, True, {"embeddings": "input"}),
        ("embeddings", "bf16", 1, False, {"embeddings": "new_rows"}),
        ("freeze", "bf16", 1, False, {}),
        ("freeze", "fp32", 1, True, {}),
    ],
)
def test_a_step_needs_what_was_planned(
    trainable: str, precision: str, passes: int, checkpointing: bool, settings: dict[str, Any]
) -> None:
    trainer = Trainer(micro_batch_samples=4, gradient_checkpointing=checkpointing)
    training = stage(trainable, precision, **settings)
    agrees(planned_setup("llama", training, trainer, batch_samples=4 * passes))


@pytest.mark.parametrize("name", CONFIGS)
def test_text_in_one_piece_needs_no_mask(name: str) -> None:
    trainer = Trainer(micro_batch_samples=4)
    parted, whole = (
        planned_setup(name, stage("full", "bf16"), trainer, batch_samples=4, parts_documents=parts)
        for parts in (True, False)
    )
    agrees(parted, name)
    agrees(whole, name)
    assert memory_of(whole).total < memory_of(parted).total


def planned_setup(name: str, training: TrainStage, trainer: Trainer, **settings: Any) -> Setup:
    shapes = shapes_of(CONFIGS[name].to_dict(), "test")
    fields = {"sequence_length": SEQUENCE, "new_rows": 500, "device": "cpu", **settings}
    return Setup(shapes, training, trainer, **fields)


def agrees(setup: Setup, name: str = "llama") -> None:
    planned, measured = memory_of(setup), measure(setup, CONFIGS[name])
    print(f"planned {planned.total / 1e6:.1f} MB, measured {measured / 1e6:.1f} MB")
    assert planned.total == pytest.approx(measured, rel=0.1), planned


def test_the_trainers_constants_are_the_plans() -> None:
    assert loss.chunk_rows is memory.chunk_rows
    assert deepspeed_engine.BUCKET == memory.BUCKET


def test_zero_spreads_what_it_says_it_spreads() -> None:
    def of(**settings: Any) -> Any:
        trainer = Trainer(micro_batch_samples=1, **settings)
        cuda = {"batch_samples": 64, "device": "cuda"}
        return memory_of(planned_setup("llama", stage("full", "bf16"), trainer, **cuda))

    one, two, three = (of(zero_stage=stage, processes=8) for stage in (1, 2, 3))
    alone = of(zero_stage=1)
    assert one.terms["Adam's moments, fp32"] * 8 == alone.terms["Adam's moments, fp32"]
    assert two.terms["gradients, bf16"] * 8 == one.terms["gradients, bf16"]
    assert three.terms["trained weights, bf16"] * 8 == two.terms["trained weights, bf16"]
    moved = of(zero_stage=2, processes=8, offload="optimizer")
    assert "Adam's moments, fp32" not in moved.terms
    assert moved.host == 16 * shapes_of(CONFIGS["llama"].to_dict(), "test").total
