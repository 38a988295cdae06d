"""Text to ids and back with a tokenizer directory, by sentencepiece where it has a model.

sentencepiece cuts 23 MB/s on one core where Hugging Face's tokenizers make 2.9 with the same
pieces, and it never reads text such as ``</s>`` as a control token.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import sentencepiece

from nativize.errors import VocabularyError


class Encoder(Protocol):
    """A tokenizer without its templates: no id is added that the text does not say.

    Attributes:
        size: number of ids, the highest one and one.
        bos: id before a document; None where the vocabulary has none.
        eos: id after a document; None where the vocabulary has none.
    """

    size: int
    bos: int | None
    eos: int | None

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]: ...

    def pieces(self, text: str) -> list[str]: ...


class SentencePieceEncoder:
    """Ids of a sentencepiece model."""

    def __init__(self, model: bytes) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size: int = self._processor.get_piece_size()
        self.bos = _present(self._processor.bos_id())
        self.eos = _present(self._processor.eos_id())

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        encoded: list[list[int]] = self._processor.encode(list(texts), num_threads=1)
        return encoded

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        decoded: list[str] = self._processor.decode([list(one) for one in ids], num_threads=1)
        return decoded

    def pieces(self, text: str) -> list[str]:
        cut: list[str] = self._processor.encode(text, out_type=str)
        return cut


class HuggingFaceEncoder:
    """Ids of a ``tokenizer.json``; control tokens in the text are text."""

    def __init__(self, directory: Path) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.encode_special_tokens = True
        ids = self.tokenizer.get_vocab(with_added_tokens=True).values()
        self.size: int = max(ids, default=-1) + 1  # some bases have holes
        config = read_json(directory / "tokenizer_config.json")
        self.bos = self._id(config.get("bos_token"))
        self.eos = self._id(config.get("eos_token"))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [one.ids for one in encoded]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        batch = [list(one) for one in ids]
        decoded: list[str] = self.tokenizer.decode_batch(batch, skip_special_tokens=False)
        return decoded

    def pieces(self, text: str) -> list[str]:
        cut: list[str] = self.tokenizer.encode(text, add_special_tokens=False).tokens
        return cut

    def _id(self, token: Any) -> int | None:
        content = token["content"] if isinstance(token, dict) else token
        found: int | None = self.tokenizer.token_to_id(content) if content else None
        return found


def load_encoder(directory: Path) -> Encoder:
    """The encoder of a tokenizer or model directory.

    Raises:
        VocabularyError: neither tokenizer.model nor tokenizer.json is there, or it is damaged.
    """
    model = directory / "tokenizer.model"
    try:
        if model.exists():
            return SentencePieceEncoder(model.read_bytes())
        if (directory / "tokenizer.json").exists():
            return HuggingFaceEncoder(directory)
    except Exception as error:  # both libraries raise bare RuntimeError or Exception
        raise VocabularyError(f"{directory}: the tokenizer cannot be read: {error}") from error
    raise VocabularyError(f"{directory}: neither tokenizer.model nor tokenizer.json is there")


def fertility(tokenizer: Path, texts: Sequence[str]) -> float:
    """Tokens per character of texts, the measure of drift; 0.0 of no text."""
    return tokens_per_character(load_encoder(tokenizer), texts)


def tokens_per_character(encoder: Encoder, texts: Sequence[str]) -> float:
    """Tokens per character with a loaded encoder; 0.0 of no text."""
    characters = sum(len(text) for text in texts)
    tokens = sum(len(ids) for ids in encoder.encode(texts))
    return tokens / characters if characters else 0.0


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a file; empty where there is no file."""
    if not path.exists():
        return {}
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def _present(token: int) -> int | None:
    return token if token >= 0 else None
