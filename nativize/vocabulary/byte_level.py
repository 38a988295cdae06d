"""Byte-level BPE bases (GPT-2, Llama 3, Qwen): new merges behind the base's own.

New pieces are learned from the new language as the base cuts it, after its own normaliser and
pre-tokeniser: each joins two tokens that exist. A BPE encoder applies the base's merges first,
because they rank first, so old text is cut as before, and only then looks for new pairs. Old text
changes only where two of its tokens add up to a new piece; so every piece must hold something that
the old language does not write. New ids follow the highest old one, wherever the base's added
tokens lie; nothing that exists moves.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models

from nativize.errors import VocabularyError
from nativize.vocabulary.bpe import learn
from nativize.vocabulary.encoder import HuggingFaceEncoder, read_json
from nativize.vocabulary.segments import CODE_POINTS, OTHER, segments_of

FIRST_POINT = 0x10000
"""The learner reads code points; token n is the n-th one of the planes without surrogates."""
BREAK_POINT = ord("\n")
BATCH_TEXTS = 256
LEARN_SHARES = (1.0, 1.25, 1.5, 2.0, 3.0)
"""How many pieces are learned, by how many are wanted: some belong to the old language, because
the new language's text quotes it."""
CONTEXT = "\n"
"""Stands before a probe, so that the text does not begin with it."""


@dataclass(frozen=True)
class Grown:
    """A byte-level tokenizer with new pieces and what was left out of it.

    Attributes:
        content: of its ``tokenizer.json``.
        base_size: highest id of the base and one.
        pieces: new ones in the order of their ids, in the base's letters for bytes.
        known: learned pieces that the base has, but its merges do not make of this text.
        of_old_alphabet: learned pieces that old text could contain.
        dropped_unreachable: learned pieces that the base's merges never let come up.
    """

    content: dict[str, Any]
    base_size: int
    pieces: list[str]
    known: int
    of_old_alphabet: int
    dropped_unreachable: int


def read_byte_level(base: Path) -> dict[str, Any]:
    """The ``tokenizer.json`` of a byte-level BPE base.

    Raises:
        VocabularyError: there is none, or it is of another kind; says what can be done.
    """
    path = base / "tokenizer.json"
    content = read_json(path)
    if not content:
        raise VocabularyError(f"{base}: neither tokenizer.model nor tokenizer.json is there")
    kind = content["model"].get("type", "unknown")
    if kind != "BPE" or not _is_byte_level(content.get("pre_tokenizer")):
        name = kind if kind != "BPE" else "BPE that is not byte-level"
        raise VocabularyError(
            f"{path}: a tokenizer of the kind {name}. Pieces can be merged into byte-level BPE"
            " (GPT-2, Llama 3, Qwen) and into sentencepiece BPE with its tokenizer.model (LLaMA,"
            ' Mistral, TinyLlama); use vocabulary.mode = "none" to keep the base\'s vocabulary'
        )
    return content


def grow_byte_level(
    base: Path, texts: Sequence[str], count: int, alphabet: frozenset[str]
) -> Grown:
    """The base's tokenizer with at most so many pieces learned from texts of the new language.

    Raises:
        VocabularyError: not one piece is left.
    """
    content = read_byte_level(base)
    encoder = HuggingFaceEncoder(base)
    known = set(content["model"]["vocab"])
    learned, of_old = _learn(content, encoder, texts, count, alphabet)
    pieces = [piece for piece in learned if piece not in known]
    candidates = len(pieces)
    grown = _with_pieces(content, encoder.size, pieces)
    while unreachable := set(unreachable_byte_pieces(grown, encoder.size, pieces)):
        pieces = [piece for piece in pieces if piece not in unreachable]
        grown = _with_pieces(content, encoder.size, pieces)
    if not pieces:
        raise VocabularyError(
            f"{base / 'tokenizer.json'}: {len(texts)} documents of the new language hold no piece"
            ' that the base lacks; give more text, or use vocabulary.mode = "none"'
        )
    return Grown(
        grown,
        encoder.size,
        pieces,
        known=len(learned) - candidates,
        of_old_alphabet=of_old,
        dropped_unreachable=candidates - len(pieces),
    )


def unreachable_byte_pieces(
    content: dict[str, Any], first: int, pieces: Sequence[str]
) -> list[str]:
    """Pieces that merges do not make of their bytes, or that their own text does not produce.

    Llama 3 takes a whole pre-token without merging; the first probe does not.

    Args:
        content: of the ``tokenizer.json``.
        first: id of the first piece; the others follow it.
        pieces: in the order of their ids.
    """
    model = content["model"]
    pairs = (one.split(" ") if isinstance(one, str) else one for one in model["merges"])
    merges = [(left, right) for left, right in pairs]
    bpe = models.BPE(vocab=model["vocab"], merges=merges)
    lost = {piece for piece in pieces if len(bpe.tokenize(piece)) != 1}
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.encode_special_tokens = True
    probes = [(first + number, piece) for number, piece in enumerate(pieces)]
    whole = [(token, piece) for token, piece in probes if _is_text(bytes_of(piece))]
    texts = [CONTEXT + bytes_of(piece).decode() for _, piece in whole]
    encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    probed = zip(whole, encoded, strict=True)
    lost |= {piece for (token, piece), one in probed if one.ids[-1:] != [token]}
    return [piece for piece in pieces if piece in lost]


def with_fillers(content: dict[str, Any], first: int, size: int) -> dict[str, Any]:
    """A ``tokenizer.json`` with named fillers for the ids from ``first`` up to ``size``.

    No merge makes one, and a pre-tokeniser parts its letters from its brackets.
    """
    fillers = {f"<filler_{token - first}>": token for token in range(first, size)}
    model = content["model"]
    return {**content, "model": {**model, "vocab": {**model["vocab"], **fillers}}}


def _is_byte_level(step: dict[str, Any] | None) -> bool:
    if step is None:
        return False
    parts = step.get("pretokenizers", [])
    return step.get("type") == "ByteLevel" or any(map(_is_byte_level, parts))


def _learn(
    content: dict[str, Any],
    encoder: HuggingFaceEncoder,
    texts: Sequence[str],
    count: int,
    alphabet: frozenset[str],
) -> tuple[list[str], int]:
    """Pieces in their order, and how many before the last were of the old alphabet."""
    added = {token["id"] for token in content.get("added_tokens", [])}
    names = [""] * encoder.size
    for name, token in content["model"]["vocab"].items():
        names[token] = "" if token in added else name
    mergeable = np.array([bool(name) for name in names])
    segments = segments_of(_words(encoder.tokenizer, mergeable, texts), _one_class())
    if not len(segments.counts):
        raise VocabularyError("no text to learn pieces from; the training sample is empty")
    old = _OldText(alphabet)
    chosen: list[str] = []
    of_old = 0
    for learned in learn(segments, [round(share * count) for share in LEARN_SHARES]):
        pieces = ("".join(names[ord(one) - FIRST_POINT] for one in it) for it in learned.pieces)
        chosen, of_old = [], 0
        for piece in pieces:
            if len(chosen) == count:
                break
            if old.may_contain(bytes_of(piece)):
                of_old += 1
            else:
                chosen.append(piece)
        if len(chosen) == count:
            break
    return chosen, of_old


def _words(
    tokenizer: Tokenizer, mergeable: NDArray[np.bool_], texts: Sequence[str]
) -> Iterator[str]:
    """Texts as the base cuts them: a code point for a token, a break behind each pre-token."""
    for start in range(0, len(texts), BATCH_TEXTS):
        batch = list(texts[start : start + BATCH_TEXTS])
        for one in tokenizer.encode_batch(batch, add_special_tokens=False):
            ids = np.array(one.ids, np.int64)
            words = np.array(one.word_ids, np.float64)  # None is nan, which differs from itself
            points = np.where(mergeable[ids], ids + FIRST_POINT, BREAK_POINT)
            breaks = np.flatnonzero(words[1:] != words[:-1]) + 1
            parted = np.insert(points, breaks, BREAK_POINT).astype("<u4")
            yield parted.tobytes().decode("utf-32-le")


@cache
def _one_class() -> NDArray[np.uint8]:
    """Classes of characters in which all tokens are letters of one script."""
    classes = np.zeros(CODE_POINTS, np.uint8)
    classes[FIRST_POINT:] = OTHER + 1
    return classes


class _OldText:
    """What bytes text of the old alphabet can contain."""

    def __init__(self, alphabet: Iterable[str]) -> None:
        self._characters = frozenset(alphabet)
        self._parts: set[bytes] = set()
        self._heads: set[bytes] = {b""}
        self._tails: set[bytes] = {b""}
        for character in self._characters:
            code = character.encode("utf-8", "surrogatepass")
            size = len(code)
            self._heads |= {code[:end] for end in range(1, size)}
            self._tails |= {code[start:] for start in range(1, size)}
            self._parts |= {
                code[start:end] for start in range(1, size) for end in range(start + 1, size + 1)
            }

    def may_contain(self, part: bytes) -> bool:
        """Whether it is a tail of one old character, whole ones, and the head of another."""
        begin = next((at for at, byte in enumerate(part) if not _continues(byte)), None)
        if begin is None:
            return part in self._parts
        last = max(at for at, byte in enumerate(part) if not _continues(byte))
        end = len(part) if len(part) - last == _length(part[last]) else last
        whole = part[begin:end].decode("utf-8", "replace")
        return (
            part[:begin] in self._tails
            and self._characters.issuperset(whole)
            and part[end:] in self._heads
        )


def _continues(byte: int) -> bool:
    return byte & 0xC0 == 0x80


def _length(lead: int) -> int:
    """Bytes of the UTF-8 character that begins so."""
    return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@cache
def _byte_letters() -> dict[str, int]:
    """GPT-2's letter for every byte: itself where it prints, else one from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain}
    return letters | {chr(0x100 + number): byte for number, byte in enumerate(others)}


def bytes_of(piece: str) -> bytes:
    """The bytes that a piece stands for.

    Raises:
        VocabularyError: it is not written in GPT-2's letters for bytes.
    """
    try:
        return bytes(_byte_letters()[letter] for letter in piece)
    except KeyError as error:
        raise VocabularyError(
            f"token {piece!r}: {error.args[0]!r} is no letter of byte-level BPE; such a base can"
            ' only be used with vocabulary.mode = "none"'
        ) from error


def _with_pieces(content: dict[str, Any], first: int, pieces: Sequence[str]) -> dict[str, Any]:
    """The base with new pieces from id ``first`` on and every way to make each of two tokens."""
    model = content["model"]
    added = {token["content"]: token["id"] for token in content.get("added_tokens", [])}
    joinable = (set(model["vocab"]) - set(added)) | set(pieces)
    merges = [
        (piece[:cut], piece[cut:])
        for piece in pieces
        for cut in range(1, len(piece))
        if piece[:cut] in joinable and piece[cut:] in joinable
    ]
    # the library gives an added token the next free id unless the vocabulary has it
    vocab = {**model["vocab"], **added}
    vocab |= {piece: first + number for number, piece in enumerate(pieces)}
    as_text = bool(model["merges"]) and isinstance(model["merges"][0], str)
    new = [" ".join(pair) for pair in merges] if as_text else [list(pair) for pair in merges]
    return {**content, "model": {**model, "vocab": vocab, "merges": [*model["merges"], *new]}}


def _is_text(part: bytes) -> bool:
    try:
        part.decode()
    except UnicodeDecodeError:
        return False
    return True
