"""Which new pieces join the base, and with what scores, so that old text is cut as before.

Chinese-LLaMA's merge gives every new piece score 0, above all merges of the base: English and
digits are cut anew, equal scores are resolved differently by sentencepiece and Hugging Face,
and 345 of its 17,953 pieces can never be produced. Here new pieces rank below every old one,
each holds a character the old language does not use, and those that never appear are dropped.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nativize.errors import VocabularyError
from nativize.vocabulary.piece_model import (
    NORMAL,
    SPACE,
    Model,
    append_piece,
    copy_model,
    unreachable_pieces,
)

OLD_CHARACTER_SHARE = 1e-5
"""A character of at least this share of old text belongs to the old alphabet."""

LATIN = "".join(chr(code) for code in range(0xA1, 0x250) if chr(code).isprintable())
TYPOGRAPHY = "‐‑‒–—―‘’‚“”„†‡•…‰′″‹›€™"
"""Characters that any old language may hold, however little of it was seen: from Chinese text
"——" became a piece, and novels were cut anew beside a replay of manuals, which had no dash."""

WHITESPACE_SCORE = -1e8
"""LLaMA's pieces of spaces lie at -1e9, where float32 steps by 64: no place to rank below."""

EXACT_FLOAT32 = 2**24


@dataclass(frozen=True)
class Ranked:
    """A merged model and what was left out of it."""

    model: Model
    known: int
    of_old_alphabet: int
    dropped_unreachable: int


def old_alphabet(texts: Iterable[str]) -> frozenset[str]:
    """ASCII, Latin, typography, the space mark, and what old text uses now and then."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    least = OLD_CHARACTER_SHARE * counts.total()
    common = {character for character, count in counts.items() if count >= least}
    return frozenset(common | {chr(code) for code in range(128)} | {SPACE, *LATIN, *TYPOGRAPHY})


def merge_by_rank(base: Model, new: Model, alphabet: frozenset[str], where: Path) -> Ranked:
    """The base with the new pieces that can be produced and that no old text contains.

    Raises:
        VocabularyError: not one piece is left, or the base's scores leave no room below.
    """
    offered = [entry.piece for entry in new.pieces if entry.type == NORMAL]
    known = {entry.piece for entry in base.pieces}
    missing = [piece for piece in offered if piece not in known]
    pieces = [piece for piece in missing if not alphabet.issuperset(piece)]
    of_old_alphabet = len(missing) - len(pieces)
    top = _score_below(base, len(pieces), where)
    candidates = len(pieces)
    while True:
        model = _append_ranked(base, pieces, top)
        unreachable = set(unreachable_pieces(model, len(base.pieces)))
        if not unreachable:
            break
        pieces = [piece for piece in pieces if piece not in unreachable]
    if not pieces:
        raise VocabularyError(
            f"{where}: the base can already write all {len(offered)} new pieces; use"
            ' vocabulary.mode = "none"'
        )
    return Ranked(model, len(offered) - len(missing), of_old_alphabet, candidates - len(pieces))


def _append_ranked(base: Model, pieces: list[str], top: float) -> Model:
    model = copy_model(base)
    for rank, piece in enumerate(pieces):
        append_piece(model, piece, top - rank)
    return model


def _score_below(base: Model, count: int, where: Path) -> float:
    scores = [
        entry.score
        for entry in base.pieces
        if entry.type == NORMAL and entry.score > WHITESPACE_SCORE
    ]
    top = math.floor(min(scores, default=0.0)) - 1.0
    if count - top > EXACT_FLOAT32:
        raise VocabularyError(
            f"{where}: the lowest score of the base is {top + 1}; {count} scores below it are not"
            ' exact in float32; use vocabulary.mode = "none"'
        )
    return top
