"""Writing a model as one GGUF file, tensor by tensor.

Matrices take the file's type, vectors stay float32.
"""

from pathlib import Path
from typing import Any, Literal

import gguf
import numpy

from nativize.artifact import write_atomically
from nativize.errors import ExportError
from nativize.export.architecture import (
    ARCHITECTURES,
    Config,
    add_architecture,
    read_config,
    rope_factors,
    rotated,
)
from nativize.export.tokenizer import add_tokenizer
from nativize.export.weights import Array, Weights

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
ROWS_OF_VOCABULARY = ("model.embed_tokens.weight", "lm_head.weight")
ROPE_FACTORS = "rope_freqs.weight"


def write_gguf(model: Path, out: Path, *, name: str, quantisation: Quantisation) -> None:
    """The model as a GGUF file at ``out``, the same bytes every time.

    Args:
        model: Hugging Face directory: config.json, safetensors, tokenizer.model or, of a
            byte-level tokenizer, tokenizer.json.
        out: file to write.
        name: shown by programs that load it.
        quantisation: type of the matrices.
    Raises:
        ExportError: llama.cpp has no counterpart of the architecture or the tokenizer, or sizes
            disagree.
    """
    config = read_config(model)
    weights = Weights(model)
    _require_equal_rows(weights, config, model)

    def write(temporary: Path) -> None:
        writer = gguf.GGUFWriter(temporary, config["model_type"])
        writer.add_name(name)
        writer.add_file_type(FILE_TYPES[quantisation])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        add_architecture(writer, config, model)
        add_tokenizer(writer, model, rows=config["vocab_size"])
        _write_tensors(writer, weights, config, model, quantisation)
        writer.close()

    write_atomically(out, write)


def _require_equal_rows(weights: Weights, config: Config, model: Path) -> None:
    for name in ROWS_OF_VOCABULARY:
        rows = weights.shapes.get(name, (config["vocab_size"],))[0]
        if rows != config["vocab_size"]:
            raise ExportError(
                f"{model}: {name} has {rows} rows, but config.json says vocab_size"
                f" {config['vocab_size']}; extend the model to its vocabulary again"
            )


def _write_tensors(
    writer: gguf.GGUFWriter,
    weights: Weights,
    config: Config,
    model: Path,
    quantisation: Quantisation,
) -> None:
    """All infos first, then the data in the same order: one tensor in memory at a time."""
    plan = _plan(weights, config, model, quantisation)
    factors = rope_factors(config)
    if factors is not None:
        _add_info(writer, ROPE_FACTORS, factors.shape, TENSOR_TYPES["f32"])
    for name, target, kind in plan:
        _add_info(writer, target, weights.shapes[name], kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if factors is not None:
        writer.write_tensor_data(factors)
    for name, _, kind in plan:
        tensor = rotated(name, weights.read(name), config)
        _require_finite(tensor, name, kind, model)
        writer.write_tensor_data(gguf.quants.quantize(tensor, kind))


def _plan(
    weights: Weights, config: Config, model: Path, quantisation: Quantisation
) -> list[tuple[str, str, Any]]:
    """Of each tensor that is written its name, llama.cpp's name, and its type."""
    kind = ARCHITECTURES[config["model_type"]]
    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    plan = []
    for name, shape in weights.shapes.items():
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ExportError(
                f"{model}: llama.cpp's architecture {config['model_type']} has no tensor {name!r}"
            )
        plan.append((name, target, _tensor_type(shape, quantisation)))
    return plan


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


def _require_finite(tensor: Array, name: str, kind: Any, model: Path) -> None:
    limit = numpy.inf if kind == TENSOR_TYPES["f32"] else LARGEST_FLOAT16
    largest = float(numpy.abs(tensor).max(initial=0.0))
    if not largest < limit:  # also false for NaN
        raise ExportError(
            f"{model}: {name} holds {largest}, which {kind.name} cannot; the training diverged,"
            " or export f32"
        )
