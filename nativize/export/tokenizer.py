"""The tokenizer's part of a GGUF file, of sentencepiece BPE and of byte-level BPE."""

from pathlib import Path

import gguf

from nativize.errors import ExportError
from nativize.export.byte_level import ByteLevel, read_byte_level
from nativize.vocabulary.encoder import read_json
from nativize.vocabulary.piece_model import UNUSED, Model, read_model


def add_tokenizer(writer: gguf.GGUFWriter, model: Path, rows: int) -> None:
    """All keys of the tokenizer of a model directory, a token for each row of the model.

    Raises:
        ExportError: there is no tokenizer that llama.cpp can copy, or it has too many ids.
    """
    if (model / "tokenizer.model").exists():
        _add_sentencepiece(writer, model, rows)
    elif (model / "tokenizer.json").exists():
        add_byte_level(writer, read_byte_level(model, rows))
    else:
        raise ExportError(f"{model}: neither tokenizer.model nor tokenizer.json is there")
    if template := _chat_template(model):
        writer.add_chat_template(template)


def add_byte_level(writer: gguf.GGUFWriter, tokenizer: ByteLevel) -> None:
    """All keys of a byte-level tokenizer but the chat template."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(tokenizer.pre)
    writer.add_token_list([token.encode("utf-8") for token in tokenizer.tokens])
    writer.add_token_types(tokenizer.kinds)
    if tokenizer.merges:  # the format has no empty arrays
        writer.add_token_merges([merge.encode("utf-8") for merge in tokenizer.merges])
    adders = {
        "bos": writer.add_bos_token_id,
        "eos": writer.add_eos_token_id,
        "unk": writer.add_unk_token_id,
        "pad": writer.add_pad_token_id,
    }
    for name, number in tokenizer.named.items():
        adders[name](number)
    writer.add_add_bos_token(tokenizer.adds_bos)
    writer.add_add_eos_token(tokenizer.adds_eos)


def _add_sentencepiece(writer: gguf.GGUFWriter, model: Path, rows: int) -> None:
    pieces = read_model(model / "tokenizer.model")
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
    _add_special_pieces(writer, pieces)


def _add_special_pieces(writer: gguf.GGUFWriter, pieces: Model) -> None:
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
