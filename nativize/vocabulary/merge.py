"""The merge stage: base and new pieces become the one vocabulary of everything after it."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nativize.artifact import REPORT, Report, Workplace, write_atomically, write_json
from nativize.errors import VocabularyError
from nativize.recipe import Vocabulary
from nativize.vocabulary.byte_level import (
    grow_byte_level,
    read_byte_level,
    unreachable_byte_pieces,
    with_fillers,
)
from nativize.vocabulary.corpus_text import sample_texts
from nativize.vocabulary.encoder import (
    HuggingFaceEncoder,
    load_encoder,
    read_json,
    tokens_per_character,
)
from nativize.vocabulary.gates import Forms, examine
from nativize.vocabulary.hugging_face import save_hugging_face, to_hugging_face
from nativize.vocabulary.piece_model import (
    NORMAL,
    Model,
    append_added_tokens,
    append_piece,
    copy_model,
    encoder_of,
    pad,
    read_model,
    require_mergeable,
    unreachable_pieces,
)
from nativize.vocabulary.rank import merge_by_rank, old_alphabet
from nativize.vocabulary.train import TOKENIZER_MODEL

SAMPLE_CHARACTERS = 300_000
"""Of each language, for the gates and for the figures."""

TOKENIZER_FILES = (
    TOKENIZER_MODEL,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
)


@dataclass(frozen=True)
class Sizes:
    """The sizes that models, shards and exports are held to, as in ``vocabulary.json``.

    Attributes:
        base_size: ids of the base's tokenizer; none of them ever changes.
        size: ids with the new pieces, which follow the base's.
        padded_size: rows of embedding and head; fillers or the base's own spare rows.
        new_pieces: ``size - base_size``.
    """

    base_size: int
    size: int
    padded_size: int
    new_pieces: int


@dataclass(frozen=True)
class _Samples:
    """Sampled text: the gates read training text, the figures held-out text."""

    new: list[str]
    old: list[str]
    new_heldout: list[str]
    old_heldout: list[str]


def read_sizes(vocabulary: Path) -> Sizes:
    """The sizes of a merged vocabulary.

    Raises:
        VocabularyError: the directory is no merged vocabulary.
    """
    try:
        return Sizes(**read_json(vocabulary / "vocabulary.json"))
    except (TypeError, ValueError) as error:
        raise VocabularyError(f"{vocabulary}: no merged vocabulary ({error})") from error


def merge_vocabulary(
    base: Path,
    tokenizer: Path,
    corpus: Path,
    replay: Path,
    place: Workplace,
    *,
    vocabulary: Vocabulary,
) -> Report:
    """The base's tokenizer with the new pieces in ``place.out``, after all gates.

    Args:
        base: the base model's directory; its tokenizer and its number of rows are read.
        tokenizer: directory of the new language's ``tokenizer.model``; a byte-level base takes
            as many pieces as it has, learned on top of its own.
        corpus: the new language, for gates and figures; a byte-level base learns from it.
        replay: the old language, for the old alphabet, gates and figures.
        place: where it grows.
        vocabulary: mode and padding.
    Raises:
        VocabularyError: this base cannot be merged into, or a gate does not hold.
    """
    samples = _sample(corpus, replay)
    if vocabulary.mode == "none":
        sizes, metrics = _keep_base(base, place.out), dict[str, Any]()
    else:
        sizes, metrics = _merge(base, tokenizer, corpus, samples, place.out, vocabulary)
    write_json(place.out / "vocabulary.json", asdict(sizes))
    _require_equal_sizes(place.out, sizes, vocabulary)
    metrics |= asdict(sizes) | _fertility(base, place.out, samples)
    _report(place.out, metrics)
    return Report({"mode": vocabulary.mode, **metrics})


def merge_classic(base: Model, new: Model) -> Model:
    """Chinese-LLaMA's merge: missing pieces appended in file order, all with score 0.

    Byte for byte what its authors published (49,953 pieces, SHA-256 e2676d4c…).
    """
    merged = copy_model(base)
    known = {entry.piece for entry in base.pieces}
    for entry in new.pieces:
        if entry.piece not in known:
            append_piece(merged, entry.piece, 0.0)
    return merged


def _merge(
    base: Path, tokenizer: Path, corpus: Path, samples: _Samples, out: Path, vocabulary: Vocabulary
) -> tuple[Sizes, dict[str, Any]]:
    if (base / TOKENIZER_MODEL).exists():
        return _merge_pieces(base, tokenizer, samples, out, vocabulary)
    read_byte_level(base)
    if vocabulary.mode == "classic":
        raise VocabularyError(
            f"{base}: a byte-level base. Chinese-LLaMA's merge is for sentencepiece models; use"
            ' vocabulary.mode = "rank", or "none" to keep the base\'s vocabulary'
        )
    texts = sample_texts(corpus, "train", vocabulary.maximum_training_characters)
    count = sum(entry.type == NORMAL for entry in read_model(tokenizer / TOKENIZER_MODEL).pieces)
    return _merge_bytes(base, texts, count, samples, out, vocabulary)


def _merge_pieces(
    base: Path, tokenizer: Path, samples: _Samples, out: Path, vocabulary: Vocabulary
) -> tuple[Sizes, dict[str, Any]]:
    """Pieces into a sentencepiece model."""
    old = _mergeable_model(base)
    new = read_model(tokenizer / TOKENIZER_MODEL)
    alphabet = old_alphabet(samples.old)
    if vocabulary.mode == "rank":
        ranked = merge_by_rank(old, new, alphabet, base / TOKENIZER_MODEL)
        model = ranked.model
        metrics = {
            "offered_pieces_known": ranked.known,
            "offered_pieces_of_old_alphabet": ranked.of_old_alphabet,
            "offered_pieces_unreachable": ranked.dropped_unreachable,
        }
    else:
        model, metrics = merge_classic(old, new), {}
    size = len(model.pieces)
    pad(model, _round_up(max(size, _rows(base)), vocabulary.pad_to_multiple))
    findings = examine(
        Forms(encoder_of(old), to_hugging_face(old)),
        Forms(encoder_of(model), to_hugging_face(model)),
        samples.new,
        samples.old,
        alphabet,
        unreachable_pieces(model, len(old.pieces)),
    )
    if vocabulary.mode == "rank":
        findings.require(base / TOKENIZER_MODEL)
    content = model.SerializeToString()
    write_atomically(out / TOKENIZER_MODEL, lambda path: path.write_bytes(content))
    save_hugging_face(model, base, out)
    sizes = Sizes(len(old.pieces), size, len(model.pieces), size - len(old.pieces))
    return sizes, metrics | findings.metrics()


def _merge_bytes(
    base: Path,
    texts: list[str],
    count: int,
    samples: _Samples,
    out: Path,
    vocabulary: Vocabulary,
) -> tuple[Sizes, dict[str, Any]]:
    """As many pieces as the tokenizer has, learned on top of a byte-level base."""
    alphabet = old_alphabet(samples.old)
    before = HuggingFaceEncoder(base)
    if normaliser := before.tokenizer.normalizer:
        alphabet |= old_alphabet(map(normaliser.normalize_str, samples.old))
    grown = grow_byte_level(base, texts, count, alphabet)
    size = grown.base_size + len(grown.pieces)
    padded = _round_up(max(size, _rows(base)), vocabulary.pad_to_multiple)
    _copy_tokenizer(base, out, without=("tokenizer.json", "vocab.json", "merges.txt"))
    write_json(out / "tokenizer.json", with_fillers(grown.content, size, padded))
    findings = examine(
        Forms(before),
        Forms(HuggingFaceEncoder(out)),
        samples.new,
        samples.old,
        alphabet,
        unreachable_byte_pieces(read_json(out / "tokenizer.json"), grown.base_size, grown.pieces),
    )
    findings.require(base / "tokenizer.json")
    metrics = {
        "offered_pieces_known": grown.known,
        "offered_pieces_of_old_alphabet": grown.of_old_alphabet,
        "offered_pieces_unreachable": grown.dropped_unreachable,
    }
    return Sizes(grown.base_size, size, padded, len(grown.pieces)), metrics | findings.metrics()


def _mergeable_model(base: Path) -> Model:
    path = base / TOKENIZER_MODEL
    model = read_model(path)
    require_mergeable(model, path)
    append_added_tokens(model, base)
    return model


def _keep_base(base: Path, out: Path) -> Sizes:
    """The base's tokenizer as it is; padded to the rows its model has already."""
    _copy_tokenizer(base, out)
    if not (out / "tokenizer.json").exists():
        model = read_model(base / TOKENIZER_MODEL)
        require_mergeable(model, base / TOKENIZER_MODEL)
        save_hugging_face(model, base, out)
    size = HuggingFaceEncoder(out).size
    return Sizes(base_size=size, size=size, padded_size=max(size, _rows(base)), new_pieces=0)


def _copy_tokenizer(base: Path, out: Path, without: Sequence[str] = ()) -> None:
    for name in TOKENIZER_FILES:
        if name not in without and (base / name).exists():
            shutil.copyfile(base / name, out / name)


def _require_equal_sizes(out: Path, sizes: Sizes, vocabulary: Vocabulary) -> None:
    expected = sizes.size if vocabulary.mode == "none" else sizes.padded_size
    found = {"tokenizer.json": HuggingFaceEncoder(out).size}
    if vocabulary.mode != "none" and (out / TOKENIZER_MODEL).exists():
        found[TOKENIZER_MODEL] = load_encoder(out).size
    for name, size in found.items():
        if size != expected:
            raise VocabularyError(f"{out / name}: {size} ids, but vocabulary.json says {expected}")


def _rows(base: Path) -> int:
    """Rows of the base's embedding, which may be more than its tokenizer has ids."""
    return int(read_json(base / "config.json").get("vocab_size", 0))


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _sample(corpus: Path, replay: Path) -> _Samples:
    new = sample_texts(corpus, "train", SAMPLE_CHARACTERS)
    old = sample_texts(replay, "train", SAMPLE_CHARACTERS)
    return _Samples(
        new,
        old,
        # a tiny corpus may have no held-out cluster
        sample_texts(corpus, "heldout", SAMPLE_CHARACTERS) or new,
        sample_texts(replay, "heldout", SAMPLE_CHARACTERS) or old,
    )


def _fertility(base: Path, out: Path, samples: _Samples) -> dict[str, float]:
    before, after = load_encoder(base), load_encoder(out)
    texts = {"new": samples.new_heldout, "old": samples.old_heldout}
    return {
        f"{language}_tokens_per_character_{when}": round(tokens_per_character(encoder, sample), 4)
        for language, sample in texts.items()
        for when, encoder in (("before", before), ("after", after))
    }


def _report(out: Path, metrics: dict[str, Any]) -> None:
    from nativize.vocabulary.chart import draw_fertility

    report = out / REPORT
    report.mkdir()
    draw_fertility(metrics, report / "tokens.png")
