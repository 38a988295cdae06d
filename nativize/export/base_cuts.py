"""What llama.cpp made otherwise of the base's own tokenizer already, before any merge.

The base is what the tokenizer holds up to its highest added token: merges put new pieces behind
all ids of the base, and never add a token. Where the base has ids behind its added tokens this
is less than the base, and so excuses less.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gguf
import numpy

from nativize.artifact import write_json
from nativize.export.byte_level import ByteLevel, read_byte_level
from nativize.export.llama_server import LlamaServer
from nativize.export.tokenizer import add_byte_level
from nativize.vocabulary.encoder import HuggingFaceEncoder, read_json

SETTINGS = "tokenizer_config.json"
WIDTH = 32
"""Of the model that only lends llama.cpp its tokenizer."""


def cut_differently_by_base(model: Path, texts: Sequence[str]) -> list[str]:
    """Of the texts, those of which llama.cpp and Hugging Face make other ids with the base too.

    Args:
        model: directory with a byte-level ``tokenizer.json`` that the export has taken.
        texts: to be cut.
    """
    described = read_json(model / "tokenizer.json")
    added = [token["id"] for token in described.get("added_tokens", [])]
    size = max(added, default=-1) + 1
    base = _up_to(described, size)
    # with special tokens first and nothing behind, there is no base to ask
    if not texts or not base["model"]["merges"]:
        return []
    with TemporaryDirectory() as place:
        directory = Path(place)
        write_json(directory / "tokenizer.json", base)
        write_json(directory / SETTINGS, read_json(model / SETTINGS))
        _write_bare_model(read_byte_level(directory, size), directory / "base.gguf")
        ours = HuggingFaceEncoder(directory).encode(texts)
        with LlamaServer(directory / "base.gguf") as server:
            theirs = [server.tokenise(text) for text in texts]
    return [text for text, a, b in zip(texts, ours, theirs, strict=True) if a != b]


def _up_to(described: dict[str, Any], size: int) -> dict[str, Any]:
    """The tokenizer without ids from ``size`` on and without the merges that make them."""
    model = described["model"]
    vocab = {token: number for token, number in model["vocab"].items() if number < size}
    merges = [
        pair
        for pair in model["merges"]
        if (pair.replace(" ", "", 1) if isinstance(pair, str) else "".join(pair)) in vocab
    ]
    return {**described, "model": {**model, "vocab": vocab, "merges": merges}}


def _write_bare_model(tokenizer: ByteLevel, out: Path) -> None:
    """A Llama model of one layer of zeros: llama.cpp cuts no text without a model."""
    rows = len(tokenizer.tokens)
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(WIDTH)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    add_byte_level(writer, tokenizer)
    square = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes: dict[str, tuple[int, ...]] = {f"blk.0.{name}": (WIDTH, WIDTH) for name in square}
    shapes |= {name: (WIDTH,) for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm")}
    for name, shape in {**shapes, "token_embd": (rows, WIDTH)}.items():
        writer.add_tensor(f"{name}.weight", numpy.zeros(shape, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
