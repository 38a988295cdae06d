"""The architecture's part of a GGUF file: Llama, Qwen2 and Qwen3.

Source: the GGUF specification (ggml, docs/gguf.md) and llama.cpp's conversion of
``LlamaForCausalLM``, ``Qwen2ForCausalLM`` and ``Qwen3ForCausalLM``. The keys are the same; Llama's
query and key are rotated by pairs side by side, Qwen's by halves apart as in transformers.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy

from nativize.errors import ExportError
from nativize.export.weights import Array
from nativize.vocabulary.encoder import read_json

Config = Mapping[str, Any]

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
}
"""``model_type`` of config.json → llama.cpp's, of the same names."""


def read_config(model: Path) -> dict[str, Any]:
    """The model's configuration.

    Raises:
        ExportError: it is of an architecture that is not written here.
    """
    path = model / "config.json"
    config = read_json(path)
    if config.get("model_type") not in ARCHITECTURES:
        raise ExportError(
            f"{path}: model_type is {config.get('model_type')!r}; GGUF is written for"
            f" {', '.join(ARCHITECTURES)} (the Llama architecture and its kin) today. llama.cpp's"
            " convert_hf_to_gguf.py knows the others"
        )
    if config.get("use_sliding_window") or config.get("hidden_act", "silu") != "silu":
        raise ExportError(
            f"{path}: use_sliding_window {config.get('use_sliding_window')!r} and hidden_act"
            f" {config.get('hidden_act')!r}; llama.cpp computes this architecture over the whole"
            " context and with 'silu'"
        )
    return config


def add_architecture(writer: gguf.GGUFWriter, config: Config, model: Path) -> None:
    """All keys of the architecture.

    Raises:
        ExportError: the rotary scaling has no counterpart.
    """
    heads = config["num_attention_heads"]
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(_head_size(config))
    writer.add_value_length(_head_size(config))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(_head_size(config))
    _add_rope(writer, config, model)


def rope_factors(config: Config) -> Array | None:
    """What llama.cpp divides each rotary frequency by; None where it is 1.

    Source: Llama 3.1's scaling, as in transformers' ``_compute_llama3_parameters``: wavelengths
    that the original context held often stay, those that it never held are stretched by the
    factor, those between go over smoothly.
    """
    rope = _rope(config)
    if _rope_kind(rope) != "llama3":
        return None
    size = _head_size(config)
    frequencies = _rope_base(config) ** -(numpy.arange(0, size, 2, dtype=numpy.float64) / size)
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    kept = numpy.clip((turns - low) / (high - low), 0.0, 1.0)
    factors: Array = 1 / ((1 - kept) / rope["factor"] + kept)
    return factors.astype(numpy.float32)


def rotated(name: str, tensor: Array, config: Config) -> Array:
    """Query and key rows in the order in which llama.cpp rotates them."""
    heads = config["num_attention_heads"]
    if config["model_type"] != "llama":
        return tensor
    if ".q_proj." in name:
        groups = heads
    elif ".k_proj." in name:
        groups = config.get("num_key_value_heads") or heads
    else:
        return tensor
    paired = tensor.reshape(groups, 2, tensor.shape[0] // groups // 2, *tensor.shape[1:])
    return numpy.ascontiguousarray(paired.swapaxes(1, 2).reshape(tensor.shape))


def _head_size(config: Config) -> int:
    size: int = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return size


def _add_rope(writer: gguf.GGUFWriter, config: Config, model: Path) -> None:
    rope = _rope(config)
    kind = _rope_kind(rope)
    writer.add_rope_freq_base(_rope_base(config))
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    elif kind != "default" and not (kind == "llama3" and config["model_type"] == "llama"):
        raise ExportError(
            f"{model / 'config.json'}: rotary scaling {kind!r} of {config['model_type']} cannot be"
            " exported today, only 'default', 'linear' and, of Llama, 'llama3'"
        )


def _rope(config: Config) -> Config:
    """Base and scaling; transformers 5 writes rope_parameters, earlier ones two other keys."""
    rope: Config = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return rope


def _rope_kind(rope: Config) -> str:
    kind: str = rope.get("rope_type") or rope.get("type") or "default"
    return kind


def _rope_base(config: Config) -> float:
    return _rope(config).get("rope_theta") or config.get("rope_theta") or 10_000.0
