"""The sentencepiece model as a protobuf: reading, checking, appending, padding.

Only sentencepiece's own generated module is imported: transformers' copy registers the same
messages a second time and breaks both.
"""

from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from sentencepiece import sentencepiece_model_pb2

from nativize.errors import VocabularyError
from nativize.vocabulary.encoder import SentencePieceEncoder, read_json

Model = Any
"""A ``sentencepiece_model_pb2.ModelProto``; the generated module carries no types."""

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
SPACE = "▁"
BPE = 2


def read_model(path: Path) -> Model:
    """The model in a ``tokenizer.model`` file.

    Raises:
        VocabularyError: it is missing or no sentencepiece model.
    """
    model = sentencepiece_model_pb2.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise VocabularyError(f"{path}: no sentencepiece model: {error}") from error
    if not model.pieces:
        raise VocabularyError(f"{path}: a sentencepiece model without pieces")
    return model


def copy_model(model: Model) -> Model:
    """A copy that may be changed."""
    copy = sentencepiece_model_pb2.ModelProto()
    copy.CopyFrom(model)
    return copy


def encoder_of(model: Model) -> SentencePieceEncoder:
    """The encoder that a model is."""
    return SentencePieceEncoder(model.SerializeToString())


def append_piece(model: Model, piece: str, score: float, kind: int = NORMAL) -> None:
    """One more piece with the next id."""
    added = model.pieces.add()
    added.piece = piece
    added.score = score
    if kind != NORMAL:
        added.type = kind


def append_added_tokens(model: Model, base: Path) -> None:
    """Tokens that the base's ``tokenizer.json`` has beyond its model, with their own ids.

    Raises:
        VocabularyError: their ids leave a gap, so that a new piece would take one of them.
    """
    for token in sorted(
        read_json(base / "tokenizer.json").get("added_tokens", []), key=lambda token: token["id"]
    ):
        if token["id"] < len(model.pieces):
            continue
        if token["id"] > len(model.pieces):
            raise VocabularyError(
                f"{base / 'tokenizer.json'}: added token {token['content']!r} has id"
                f" {token['id']}, but the next free one is {len(model.pieces)}; such a base can"
                ' only be used with vocabulary.mode = "none"'
            )
        kind = CONTROL if token["special"] else USER_DEFINED
        append_piece(model, token["content"], 0.0, kind)


def pad(model: Model, size: int) -> None:
    """Named filler pieces up to ``size`` ids, which no text can produce.

    UNUSED pieces: sentencepiece splits them again, the Hugging Face form has no merge that makes
    one, llama.cpp finds no pair of pieces that add up to one.
    """
    for number in range(size - len(model.pieces)):
        append_piece(model, f"<filler_{number}>", 0.0, UNUSED)


def require_mergeable(model: Model, path: Path) -> None:
    """Nothing, when pieces can be merged into this base.

    Raises:
        VocabularyError: it is no BPE or normalises text; says what is supported.
    """
    if model.trainer_spec.model_type != BPE:
        raise VocabularyError(
            f"{path}: a Unigram sentencepiece model. Pieces can be merged into sentencepiece BPE"
            ' models (LLaMA, Mistral, TinyLlama) today; use vocabulary.mode = "none" to keep the'
            " base's vocabulary"
        )
    normalizer = model.normalizer_spec
    if normalizer.precompiled_charsmap or normalizer.remove_extra_whitespaces:
        raise VocabularyError(
            f"{path}: the model normalises text ({normalizer.name or 'unnamed'}); only identity"
            ' normalisation can be merged today; use vocabulary.mode = "none"'
        )


def surface(piece: str) -> str:
    """The text that a piece stands for."""
    return piece.replace(SPACE, " ")


def unreachable_pieces(model: Model, first: int) -> list[str]:
    """Normal pieces from id ``first`` on that their own text does not produce.

    The probe is "\\n" and the text, so that no space is put before it; the last id must be it.
    """
    probes = [
        (token, entry.piece)
        for token, entry in enumerate(model.pieces)
        if token >= first and entry.type == NORMAL
    ]
    encoded = encoder_of(model).encode(["\n" + surface(piece) for _, piece in probes])
    return [piece for (token, piece), ids in zip(probes, encoded, strict=True) if ids[-1] != token]
