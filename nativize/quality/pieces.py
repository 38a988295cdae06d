"""Sentencepiece units, as cc_net has them: a Unigram model of the reference text itself.

Trained on lines that are normalised already, so with identity normalisation: the one function of
`nativize.quality.text` stays the only one.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from nativize.errors import ArtifactError, CorpusError

PIECES = "pieces.model"
THREADS = 2
"""A constant: the sums of Unigram training depend on how many threads share them."""
LINE_CHARACTERS = 1_000
"""Longer lines are cut: sentencepiece would leave them out without a word."""


def train_pieces(lines: Iterable[str], path: Path, size: int) -> int:
    """A model of at most ``size`` pieces at ``path``; how many it has.

    Raises:
        CorpusError: the lines are too few to learn from.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_cut(lines),
            model_writer=model,
            model_type="unigram",
            vocab_size=size,
            # a small reference text carries fewer
            hard_vocab_limit=False,
            character_coverage=0.9995,
            normalization_rule_name="identity",
            max_sentence_length=LINE_CHARACTERS * 4,
            num_threads=THREADS,
            minloglevel=3,
        )
    except RuntimeError as error:
        raise CorpusError(
            f"no {size} pieces can be learned from the reference text: {error}. Lower or raise"
            ' [quality] pieces, give it more text, or take unit = "characters"'
        ) from error
    path.write_bytes(model.getvalue())
    return int(open_pieces(path).get_piece_size())


def open_pieces(path: Path) -> Any:
    """The sentencepiece model in a file.

    Raises:
        ArtifactError: it is missing or no such model.
    """
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
    except (OSError, RuntimeError) as error:
        raise ArtifactError(
            f"{path}: no sentencepiece model ({error}); materialise quality_model again"
        ) from error


def pieces_of(model: Any, lines: Sequence[str]) -> list[str]:
    """Each line as its pieces with a space between two."""
    # one thread: the engine has a process for every core
    encoded = model.encode(list(lines), out_type=str, num_threads=1)
    return [" ".join(pieces) for pieces in encoded if pieces]


def _cut(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        for start in range(0, len(line), LINE_CHARACTERS):
            yield line[start : start + LINE_CHARACTERS]
