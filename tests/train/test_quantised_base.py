"""Adapters on a base of 8 or 4 bits, on the CPU, which bitsandbytes knows too."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nativize.errors import TrainingError
from nativize.model.directory import load_model
from nativize.model.overlay import load_with_overlays
from nativize.recipe import Trainer
from nativize.train.metrics import read_metrics
from nativize.train.quantise import quantise_base
from nativize.train.run import run_job
from nativize.train.trainable import prepare_trainable, trainable_share
from tests.model.tiny import Tiny, stage
from tests.train.test_run_job import written_job

installed = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed: pip install nativize[gpu]",
)
KINDS = {"nf4": torch.uint8, "int8": torch.int8}
ADAPTER = "adapter/adapter_model.safetensors"
CPU = torch.device("cpu")


def quantised(tiny: Tiny, kind: str, precision: torch.dtype = torch.float32) -> Any:
    model = load_model(tiny.extended, dtype=torch.float32)
    return quantise_base(model, stage("lora", quantised_base=kind), Trainer(), precision, CPU)


class Headless(nn.Module):
    """One layer, and no head to spare."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def get_output_embeddings(self) -> None:
        return None


@installed
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_projections_are_quantised_and_nothing_else(tiny: Tiny, kind: str) -> None:
    plain = dict(load_model(tiny.extended, dtype=torch.float32).named_parameters())
    for name, parameter in quantised(tiny, kind).named_parameters():
        if "_proj" in name:
            assert parameter.dtype == KINDS[kind]
            assert parameter.numel() == plain[name].numel() // (2 if kind == "nf4" else 1)
        else:
            assert torch.equal(parameter, plain[name])


@installed
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("kind", "error"), [("nf4", 0.11), ("int8", 0.011)])
def test_a_quantised_layer_multiplies_almost_as_before(
    tiny: Tiny, kind: str, precision: torch.dtype, error: float
) -> None:
    """Of random normal weights: 16 levels leave 9 % of them as noise, 255 levels 0.8 %."""
    torch.manual_seed(1)
    layer, states = nn.Linear(256, 64), torch.randn(100, 256, dtype=precision)
    nn.init.normal_(layer.weight)
    whole = Headless(layer)
    expected = layer(states.float())
    quantise_base(whole, stage("lora", quantised_base=kind), Trainer(), precision, CPU)
    found = whole.layer(states)
    assert found.dtype == precision
    difference = ((found.float() - expected).norm() / expected.norm()).item()
    assert 0 < difference < error


@installed
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_adapters_learn_on_it(tiny: Tiny, kind: str) -> None:
    training = stage("lora", quantised_base=kind, lora={"embeddings": False})
    model = prepare_trainable(quantised(tiny, kind), training)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learning
    assert all(".lora_" in name for name in learning)
    of_bitsandbytes = {type(module).__name__ for module in model.modules()}
    assert ("Linear4bit" if kind == "nf4" else "Linear8bitLt") in of_bitsandbytes


@installed
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_training_on_it_learns_goes_on_where_it_was_and_merges_on_the_plain_model(
    tiny: Tiny, tmp_path: Path, kind: str
) -> None:
    class Killed(Exception):
        pass

    def kill(step: int) -> None:
        if step == 5:
            raise Killed

    training = stage("lora", steps=12, learning_rate=1e-2, quantised_base=kind)
    out = run_job(written_job(tiny, tmp_path / "whole", training))
    with pytest.raises(Killed):
        run_job(written_job(tiny, tmp_path / "again", training), on_step=kill)
    again = run_job(written_job(tiny, tmp_path / "again", training))
    assert (again / ADAPTER).read_bytes() == (out / ADAPTER).read_bytes()
    about = json.loads((out / "stage.json").read_text())
    plain = prepare_trainable(load_model(tiny.extended), training)
    assert about["parameters"] == trainable_share(plain).total
    losses = [line["loss"] for line in read_metrics(out / "metrics.jsonl")]
    assert losses[-1] < losses[0] - 0.5
    base, merged = (load_with_overlays(tiny.extended, outs) for outs in ((), (out,)))
    name = "model.layers.0.self_attn.q_proj.weight"
    before, after = (model.get_parameter(name) for model in (base, merged))
    assert after.dtype == torch.float32
    assert not torch.equal(before, after)


@installed
def test_zero_3_is_refused_where_it_would_spread_nothing(tiny: Tiny) -> None:
    model = load_model(tiny.extended, dtype=torch.float32)
    training = stage("lora", quantised_base="int8")
    with pytest.raises(TrainingError, match="take 'nf4', whose weights are spread"):
        quantise_base(model, training, Trainer(zero_stage=3), torch.float32, CPU)


def test_without_bitsandbytes_the_error_says_what_to_install(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(TrainingError, match=r"pip install nativize\[gpu\]"):
        quantised(tiny, "nf4")
