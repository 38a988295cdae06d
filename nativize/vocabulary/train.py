"""Tokenizers learned from text, the same bytes every time.

New BPE pieces are the first ones of the vocabulary curve; Unigram, and the tokenizer of a base from
scratch, are sentencepiece's work.

Identity normalisation throughout: pieces learned after NFKC but used without it send full-width
text to bytes, so the corpus is normalised and the tokenizer is not.
"""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import sentencepiece

from nativize.artifact import Report, Workplace, write_atomically
from nativize.errors import VocabularyError
from nativize.recipe import Vocabulary
from nativize.vocabulary.corpus_text import sample_texts
from nativize.vocabulary.curve import measure_curve, read_curve
from nativize.vocabulary.pieces import model_of

THREADS = 2
"""A constant: the sums of Unigram training depend on how many threads share them."""

SENTENCE_CHARACTERS = 1_000
"""Longer lines are cut: sentencepiece would leave them out without a word."""

TOKENIZER_MODEL = "tokenizer.model"


def train_tokenizer(
    corpus: Path, place: Workplace, *, vocabulary: Vocabulary, curve: Path | None = None
) -> Report:
    """The new language's own pieces.

    Args:
        corpus: the new language; read for Unigram pieces, or where there is no curve.
        place: where it grows.
        vocabulary: kind, size, coverage, length of the sample.
        curve: a vocabulary curve, whose first pieces these are; without it one is made.
    """
    if curve is None:
        step = place.step("curve")
        measure_curve(corpus, step, vocabulary=vocabulary)
        curve = step.out
    measured = read_curve(curve)
    # pieces that nothing is made of are there to be looked at: a small corpus is no error then
    asked = "auto" if vocabulary.mode == "none" else vocabulary.size
    size = measured.chosen if asked == "auto" else asked
    out = place.out / TOKENIZER_MODEL
    if vocabulary.kind == "bpe":
        model = model_of(measured.characters, measured.pieces, size, complete=measured.complete)
        write_atomically(out, lambda path: path.write_bytes(model.SerializeToString()))
    else:
        texts = sample_texts(corpus, "train", vocabulary.maximum_training_characters)
        coverage = vocabulary.character_coverage
        train_sentencepiece(texts, out, size=size, kind="unigram", character_coverage=coverage)
    return Report({"pieces": size, "characters": len(measured.characters)})


def train_base_tokenizer(texts: Iterable[str], out: Path, *, size: int) -> None:
    """A tokenizer of LLaMA's class for a base trained from scratch.

    As Llama 2's own ``trainer_spec`` says: BPE, bytes for what it does not know, digits one by
    one, a space before the text, pieces of spaces, ``<unk>`` 0, ``<s>`` 1, ``</s>`` 2.
    """
    train_sentencepiece(
        texts,
        out,
        size=size,
        character_coverage=0.99995,
        byte_fallback=True,
        dummy_prefix=True,
        whitespace_pieces=True,
    )


def train_sentencepiece(
    texts: Iterable[str],
    out: Path,
    *,
    size: int,
    kind: Literal["bpe", "unigram"] = "bpe",
    character_coverage: float = 0.9995,
    byte_fallback: bool = False,
    dummy_prefix: bool = False,
    whitespace_pieces: bool = False,
) -> None:
    """A sentencepiece model of exactly ``size`` pieces at ``out``.

    Args:
        texts: documents; their order is part of the result.
        out: file to write.
        size: pieces in all, with control pieces and bytes.
        kind: what sentencepiece calls the model type.
        character_coverage: share of characters that get a piece of their own.
        byte_fallback: 256 byte pieces for the rest.
        dummy_prefix: put a space before every text, as LLaMA does.
        whitespace_pieces: allow pieces of nothing but spaces.
    Raises:
        VocabularyError: the texts cannot carry ``size`` pieces; says which size they can.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sentences(texts),
            model_writer=model,
            model_type=kind,
            vocab_size=size,
            character_coverage=character_coverage,
            byte_fallback=byte_fallback,
            add_dummy_prefix=dummy_prefix,
            allow_whitespace_only_pieces=whitespace_pieces,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            split_digits=True,
            max_sentence_length=SENTENCE_CHARACTERS * 4,
            num_threads=THREADS,
            minloglevel=3,
        )
    except RuntimeError as error:
        raise VocabularyError(f"{out.name}: {_explain(str(error), size)}") from error
    write_atomically(out, lambda temporary: temporary.write_bytes(model.getvalue()))


def _sentences(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for line in text.split("\n"):
            for start in range(0, len(line), SENTENCE_CHARACTERS):
                yield line[start : start + SENTENCE_CHARACTERS]


def _explain(error: str, size: int) -> str:
    if "sentences_.empty()" in error:
        return "no text to learn pieces from; the training sample is empty"
    if too_high := re.search(r"too high .*value <= (\d+)", error):
        return (
            f"the sample cannot carry {size} pieces, at most {too_high[1]}; lower the vocabulary"
            " size, or give it more text (vocabulary.maximum_training_characters, [crawl])"
        )
    if too_low := re.search(r"required_chars\. \d+ vs (\d+)", error):
        return (
            f"{size} pieces are fewer than its single characters; raise the vocabulary size to"
            f" {too_low[1]} at least, or lower vocabulary.character_coverage"
        )
    return f"sentencepiece could not train {size} pieces: {error}"
