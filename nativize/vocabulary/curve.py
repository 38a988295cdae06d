"""The vocabulary curve: what each size of the new language's tokenizer saves, to choose one by.

One training carries all sizes, because the first n pieces of BPE are the BPE of n pieces. So the
curve is made whatever size is wanted, and the tokenizer is cut from it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nativize.artifact import REPORT, Report, Workplace, write_json
from nativize.errors import VocabularyError
from nativize.recipe import Vocabulary
from nativize.vocabulary.bpe import Learned
from nativize.vocabulary.corpus_text import count_characters, sample_texts
from nativize.vocabulary.encoder import tokens_per_character
from nativize.vocabulary.piece_model import encoder_of
from nativize.vocabulary.pieces import CONTROL_PIECES, alphabet_of, learn_pieces, model_of

SIZES = tuple(1_000 * 2**doubling for doubling in range(8))
"""1,000 to 128,000 pieces; nobody adds more for one language."""

LEAST_SAVING = 0.05
"""Doubling 16,000 pieces makes a model of 7 billion parameters 2 % larger and each token 1 %
dearer, one of 1 billion 6 % and 3 %: where it saves 5 % of the tokens it is worth that."""

OCCURRENCES, SHARE_OF_PIECES = 100, 0.95
"""95 % of the pieces must occur 100 times in the training text, or their rows are not learned.
Source: Gowda and May 2020, "Finding the Optimal Vocabulary Size for Neural Machine Translation"."""

HELDOUT_CHARACTERS = 300_000


@dataclass(frozen=True)
class Point:
    """What is known of one size.

    Attributes:
        size: pieces in all.
        tokens_per_character: of held-out text; a character without a piece is as many tokens as
            it has bytes.
        well_known: share of its learned pieces that occur 100 times in the training text.
    """

    size: int
    tokens_per_character: float
    well_known: float


@dataclass(frozen=True)
class Curve:
    """A vocabulary curve, as in ``curve.json``.

    Attributes:
        characters: single characters, most frequent first; part of every size.
        pieces: learned pieces in order.
        complete: whether the sample carries no more pieces than these.
        points: what is known of each size, ascending.
        chosen: the size that "auto" takes.
        why: the reason.
    """

    characters: str
    pieces: Sequence[str]
    complete: bool
    points: Sequence[Point]
    chosen: int
    why: str


def measure_curve(corpus: Path, place: Workplace, *, vocabulary: Vocabulary) -> Report:
    """Learned pieces and the curve of their sizes, in ``place.out``.

    Args:
        corpus: the new language; its training text is learned from, its held-out text measured.
        place: where it grows.
        vocabulary: coverage and length of the sample.
    Raises:
        VocabularyError: there is no text.
    """
    sample = sample_texts(corpus, "train", vocabulary.maximum_training_characters)
    alphabet = alphabet_of(sample, vocabulary.character_coverage)
    # a tiny corpus may have no held-out cluster
    heldout = sample_texts(corpus, "heldout", HELDOUT_CHARACTERS) or sample_texts(
        corpus, "train", HELDOUT_CHARACTERS
    )
    learned_of = sum(map(len, sample))
    whole = count_characters(corpus, "train") / learned_of
    del sample
    sizes = [size for size in SIZES if size > len(CONTROL_PIECES) + len(alphabet.characters)]
    points: list[Point] = []
    for learned in learn_pieces(alphabet, sizes):
        point = _point(alphabet.characters, learned, heldout, whole)
        if not points or point.size > points[-1].size:
            points.append(point)
    size, why = choose(points)
    complete = points[-1].size < SIZES[-1]
    curve = Curve(alphabet.characters, learned.pieces, complete, points, size, why)
    write_json(place.out / "curve.json", asdict(curve))
    _draw(curve, vocabulary, place.out / REPORT)
    metrics = {
        "learned_pieces": len(curve.pieces),
        "single_characters": len(curve.characters),
        "characters_learned_from": learned_of,
        "size_that_auto_takes": size,
        "why_that_size": why,
    }
    return Report(metrics)


def read_curve(directory: Path) -> Curve:
    """The curve in a directory.

    Raises:
        VocabularyError: it is no vocabulary curve.
    """
    path = directory / "curve.json"
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        points = [Point(**point) for point in values.pop("points")]
        return Curve(points=points, **values)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise VocabularyError(f"{path}: no vocabulary curve ({error})") from error


def choose(points: Sequence[Point]) -> tuple[int, str]:
    """The knee, and why it is there.

    The largest size whose every doubling so far saved `LEAST_SAVING` of the tokens and whose pieces
    are known well enough. Not the point of greatest curvature (Kneedle): that moves with the
    largest size looked at.

    Args:
        points: ascending sizes, at least one.
    """
    chosen = points[0]
    for point in points[1:]:
        saving = 1 - point.tokens_per_character / max(chosen.tokens_per_character, 1e-9)
        if saving < LEAST_SAVING:
            return chosen.size, f"{point.size:,} pieces would save only {saving:.1%} of the tokens"
        if point.well_known < SHARE_OF_PIECES:
            return chosen.size, (
                f"of {point.size:,} pieces only {point.well_known:.0%} occur {OCCURRENCES} times"
                " in the training text"
            )
        chosen = point
    return chosen.size, "the largest size that was looked at and the sample carries"


def _point(characters: str, learned: Learned, heldout: Sequence[str], whole: float) -> Point:
    """A size measured; ``whole`` is all training text by the text learned from."""
    size = len(CONTROL_PIECES) + len(characters) + len(learned.pieces)
    encoder = encoder_of(model_of(characters, learned.pieces, size, byte_fallback=True))
    often = learned.occurrences * whole >= OCCURRENCES
    return Point(
        size,
        round(tokens_per_character(encoder, heldout), 4),
        round(float(often.mean()) if len(often) else 1.0, 4),
    )


def _draw(curve: Curve, vocabulary: Vocabulary, report: Path) -> None:
    from nativize.vocabulary.chart import draw_curve

    report.mkdir()
    draw_curve(curve, report / "curve.png")
    rows = [
        [f"{point.size:,}", point.tokens_per_character, _saving(curve.points, number),
         f"{point.well_known:.1%}", "auto takes it" if point.size == curve.chosen else ""]
        for number, point in enumerate(curve.points)
    ]  # fmt: skip
    columns = ["pieces", "tokens per character", "saves", f"occur {OCCURRENCES} times", ""]
    write_json(report / "sizes.json", {"columns": columns, "rows": rows})


def _saving(points: Sequence[Point], number: int) -> str:
    if number == 0:
        return ""
    before, now = (points[at].tokens_per_character for at in (number - 1, number))
    return f"{1 - now / max(before, 1e-9):.1%}"
