"""An adapter that does not hold what its config says, or is another model's, is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftConfig
from safetensors.torch import load_file, save_file

from nativize.errors import ModelError
from nativize.model.adapter import check_adapter
from nativize.model.changes import CONFIG, WEIGHTS
from nativize.model.tables import model_on_meta
from tests.model.adapters import (
    NEW,
    ROWS,
    WIDE,
    lora,
    lora_with_embeddings,
    new_rows,
    write_adapter,
    write_llama,
)

Tensors = dict[str, torch.Tensor]
Q_PROJ = "base_model.model.model.layers.0.self_attn.q_proj"
CONFIGS: dict[str, PeftConfig] = {
    "embeddings": lora_with_embeddings(tied=False),
    "rows": new_rows(tied=False),
    "lora and rows": lora(trainable_token_indices={"embed_tokens": NEW, "lm_head": NEW}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    model = write_llama(root / "model")
    for name, config in CONFIGS.items():
        write_adapter(root / name, model, config)
    return root


def without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: t for name, t in tensors.items() if part not in name}


def each(part: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {n: change(t) if part in n else t for n, t in tensors.items()}


def damaged(source: Path, out: Path, change: Callable[[Tensors], Tensors]) -> Path:
    tensors = change(load_file(source / WEIGHTS))
    out.mkdir()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out / WEIGHTS)
    (out / CONFIG).write_bytes((source / CONFIG).read_bytes())
    return out


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_sound_adapter_passes(made: Path, kind: str) -> None:
    check_adapter(made / kind / "adapter")
    check_adapter(made / kind / "adapter", model_on_meta(made / "model"))


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("embeddings", lambda tensors: {}, "adapter is empty"),
        ("embeddings", without("lora_"), "adapter is empty"),
        ("rows", lambda tensors: {}, "adapter is empty"),
        ("embeddings", without("embed_tokens"), "embed_tokens was trained but not saved"),
        ("embeddings", without("lm_head"), "lm_head was trained but not saved"),
        ("lora and rows", without("tokens_delta"), "tokens were trained but not saved"),
        ("embeddings", each("lora_B", lambda t: t * 0), "changes nothing"),
        ("embeddings", each("lora_A", lambda t: t * 0), "is all zero"),
        ("embeddings", each("lm_head", lambda t: t * 0), "lm_head.weight is all zero"),
        ("rows", each("lm_head", lambda t: t * 0), "lm_head.trainable_tokens_delta is all zero"),
        ("embeddings", each("v_proj", lambda t: t / 0), "not finite"),
        ("embeddings", each("v_proj.lora_A", lambda t: t[:0]), "is empty"),
        ("embeddings", each("lora_A", lambda t: t[:2]), "rank 2, the config says 4"),
    ],
)
def test_what_is_not_whole_is_refused(
    made: Path, tmp_path: Path, kind: str, change: Callable[[Tensors], Tensors], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        check_adapter(damaged(made / kind / "adapter", tmp_path / "adapter", change))


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("embeddings", each("0.self_attn.q_proj.lora_A", lambda t: t[:, :-1]), "q_proj.lora_A"),
        ("embeddings", each("0.self_attn.q_proj.lora_B", lambda t: t[:-1]), "q_proj.lora_B"),
        ("embeddings", each("embed_tokens", lambda t: t[:-1]), rf"\({ROWS - 1}, {WIDE}\) does not"),
        ("rows", each("embed_tokens", lambda t: t[:-1]), "does not fit"),
        ("rows", without("lm_head"), "lm_head was trained but not saved"),
        ("lora and rows", without("lm_head"), "lm_head was trained but not saved"),
        ("embeddings", without("0.self_attn.q_proj.lora_B"), "no second factor"),
        (
            "embeddings",
            lambda tensors: tensors | {f"{Q_PROJ}.lora_magnitude_vector": torch.ones(WIDE)},
            "of no kind that can be merged",
        ),
        (
            "embeddings",
            lambda tensors: {n.replace("q_proj", "query"): t for n, t in tensors.items()},
            "no such tensor|no module",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    made: Path, tmp_path: Path, kind: str, change: Callable[[Tensors], Tensors], message: str
) -> None:
    adapter = damaged(made / kind / "adapter", tmp_path / "adapter", change)
    with pytest.raises(ModelError, match=message):
        check_adapter(adapter, model_on_meta(made / "model"))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("embeddings", {"use_dora": True}, "use_dora = True cannot be merged"),
        ("embeddings", {"lora_bias": True}, "lora_bias = True cannot be merged"),
        ("embeddings", {"bias": "all"}, "bias = 'all' cannot be merged"),
        ("embeddings", {"init_lora_weights": "pissa"}, "trained on changed weights"),
        ("embeddings", {"peft_type": "IA3"}, "kind IA3"),
        ("rows", {"token_indices": [*NEW[:-1], ROWS]}, "does not fit"),
        ("rows", {"token_indices": [*NEW[:-1], NEW[0]]}, "does not fit"),
    ],
)
def test_settings_that_would_merge_into_another_model_are_refused(
    made: Path, tmp_path: Path, kind: str, settings: dict[str, Any], message: str
) -> None:
    adapter = damaged(made / kind / "adapter", tmp_path / "adapter", lambda tensors: tensors)
    config = json.loads((adapter / CONFIG).read_text())
    (adapter / CONFIG).write_text(json.dumps({**config, **settings}))
    with pytest.raises(ModelError, match=message):
        check_adapter(adapter, model_on_meta(made / "model"))


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_adapter_says_nothing_of_where_it_was_made(made: Path, kind: str) -> None:
    config = json.loads((made / kind / "adapter" / CONFIG).read_text())
    assert config["base_model_name_or_path"] is None
    assert {path.name for path in (made / kind / "adapter").iterdir()} == {CONFIG, WEIGHTS}
