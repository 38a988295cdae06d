"""Writing a Llama-architecture model as one GGUF file, tensor by tensor.

Source: the GGUF specification (ggml, docs/gguf.md) and llama.cpp's conversion of
``LlamaForCausalLM``. Matrices take the file's type, vectors stay float32.
"""

from pathlib import Path
from typing import Any, Literal

import gguf
import numpy

from nativize.artifact import write_atomically
from nativize.errors import ExportError
from nativize.export.weights import Array, Weights
from nativize.vocabulary.encoder import read_json
from nativize.vocabulary.piece_model import UNUSED, Model, read_model

Quantisation = Literal["f32", "f16", "q8_0"]

FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
TENSOR_TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}
LARGEST_FLOAT16 = 65_504.0


def write_gguf(model: Path, out: Path, *, name: str, quantisation: Quantisation) -> None:
    """The model as a GGUF file at ``out``, the same bytes every time.

    Args:
        model: Hugging Face directory: config.json, safetensors, tokenizer.model.
        out: file to write.
        name: shown by programs that load it.
        quantisation: type of the matrices.
    Raises:
        ExportError: not of the Llama architecture, or without a sentencepiece tokenizer.
    """
    config = _read_config(model)
    weights = Weights(model)

    def write(temporary: Path) -> None:
        writer = gguf.GGUFWriter(temporary, "llama")
        writer.add_name(name)
        writer.add_file_type(FILE_TYPES[quantisation])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _add_architecture(writer, config, model)
        _add_tokenizer(writer, model, rows=config["vocab_size"])
        _write_tensors(writer, weights, config, model, quantisation)
        writer.close()

    write_atomically(out, write)


def _read_config(model: Path) -> dict[str, Any]:
    config = read_json(model / "config.json")
    if config.get("model_type") != "llama":
        raise ExportError(
            f"{model / 'config.json'}: model_type is {config.get('model_type')!r}; GGUF is"
            " written for the Llama architecture today. llama.cpp's convert_hf_to_gguf.py knows"
            " the others"
        )
    return config


def _add_architecture(writer: gguf.GGUFWriter, config: dict[str, Any], model: Path) -> None:
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(head_size)
    _add_rope(writer, config, model)


def _add_rope(writer: gguf.GGUFWriter, config: dict[str, Any], model: Path) -> None:
    """Base and scaling; transformers 5 writes rope_parameters, earlier ones two other keys."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    base = rope.get("rope_theta") or config.get("rope_theta") or 10_000.0
    writer.add_rope_freq_base(base)
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    elif kind != "default":
        raise ExportError(
            f"{model / 'config.json'}: rotary scaling {kind!r} cannot be exported today, only"
            " 'default' and 'linear'"
        )


def _add_tokenizer(writer: gguf.GGUFWriter, model: Path, rows: int) -> None:
    path = model / "tokenizer.model"
    if not path.exists():
        raise ExportError(
            f"{model}: no tokenizer.model; GGUF is written with sentencepiece tokenizers today"
        )
    pieces = read_model(path)
    spare = rows - len(pieces.pieces)
    if spare < 0:
        raise ExportError(
            f"{model}: the tokenizer has {len(pieces.pieces)} ids but the model {rows} rows"
        )
    entries = [(entry.piece, entry.score, entry.type) for entry in pieces.pieces]
    # rows without a token need a name all the same; as UNUSED none is ever produced
    entries += [(f"<row_{number}>", 0.0, UNUSED) for number in range(rows - spare, rows)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.encode("utf-8") for piece, _, _ in entries])
    writer.add_token_scores([score for _, score, _ in entries])
    writer.add_token_types([kind for _, _, kind in entries])
    _add_special_tokens(writer, pieces)
    if template := _chat_template(model):
        writer.add_chat_template(template)


def _add_special_tokens(writer: gguf.GGUFWriter, pieces: Model) -> None:
    spec = pieces.trainer_spec
    has_bos = spec.bos_id >= 0
    if has_bos:
        writer.add_bos_token_id(spec.bos_id)
    if spec.eos_id >= 0:
        writer.add_eos_token_id(spec.eos_id)
    writer.add_unk_token_id(spec.unk_id)
    writer.add_add_bos_token(has_bos)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(pieces.normalizer_spec.add_dummy_prefix)


def _chat_template(model: Path) -> str | None:
    path = model / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    template = read_json(model / "tokenizer_config.json").get("chat_template")
    return template if isinstance(template, str) else None


def _write_tensors(
    writer: gguf.GGUFWriter,
    weights: Weights,
    config: dict[str, Any],
    model: Path,
    quantisation: Quantisation,
) -> None:
    """All infos first, then the data in the same order: one tensor in memory at a time."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    plan = []
    for name, shape in weights.shapes.items():
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ExportError(f"{model}: llama.cpp's Llama architecture has no tensor {name!r}")
        kind = _tensor_type(shape, quantisation)
        plan.append((name, kind))
        _add_info(writer, target, shape, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, kind in plan:
        tensor = _rotate(name, weights.read(name), config)
        _require_finite(tensor, name, kind, model)
        writer.write_tensor_data(gguf.quants.quantize(tensor, kind))


def _tensor_type(shape: tuple[int, ...], quantisation: Quantisation) -> Any:
    if len(shape) < 2:
        return TENSOR_TYPES["f32"]
    if quantisation == "q8_0" and shape[-1] % gguf.GGML_QUANT_SIZES[TENSOR_TYPES["q8_0"]][0]:
        return TENSOR_TYPES["f16"]
    return TENSOR_TYPES[quantisation]


def _add_info(writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], kind: Any) -> None:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    count = int(numpy.prod(shape))
    writer.add_tensor_info(
        name, shape, numpy.dtype(numpy.float32), count // block * size, raw_dtype=kind
    )


def _rotate(name: str, tensor: Array, config: dict[str, Any]) -> Array:
    """Query and key rows as llama.cpp rotates them: pairs side by side, not halves apart."""
    heads = config["num_attention_heads"]
    if ".q_proj." in name:
        groups = heads
    elif ".k_proj." in name:
        groups = config.get("num_key_value_heads") or heads
    else:
        return tensor
    paired = tensor.reshape(groups, 2, tensor.shape[0] // groups // 2, *tensor.shape[1:])
    return numpy.ascontiguousarray(paired.swapaxes(1, 2).reshape(tensor.shape))


def _require_finite(tensor: Array, name: str, kind: Any, model: Path) -> None:
    limit = numpy.inf if kind == TENSOR_TYPES["f32"] else LARGEST_FLOAT16
    largest = float(numpy.abs(tensor).max(initial=0.0))
    if not largest < limit:  # also false for NaN
        raise ExportError(
            f"{model}: {name} holds {largest}, which {kind.name} cannot; the training diverged,"
            " or export f32"
        )
