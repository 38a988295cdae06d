"""The vocabulary report: what the merge bought, which new pieces are used, how lines are cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.artifact import REPORT, Report, Workplace, write_atomically, write_json
from nativize.recipe import Language
from nativize.vocabulary.corpus_text import sample_texts
from nativize.vocabulary.cuts import CutLine, choose_lines, cut, cut_page, cut_table
from nativize.vocabulary.encoder import Encoder, load_encoder
from nativize.vocabulary.merge import read_sizes

HELDOUT_CHARACTERS = 300_000
USED_CHARACTERS = 5_000_000
"""Of training text, in which pieces are counted: spread over all of it, about a second."""
MOST_PIECES = 20
LINES = {"new": 8, "old": 4}
PAGE = "cuts.html"
CONTEXT = "\n"
"""Stands before what is encoded or decoded alone, so that no space is put before it."""
BROKEN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Fertility:
    """How many tokens some text takes."""

    per_character: float
    per_byte: float


@dataclass(frozen=True)
class NewPieces:
    """The pieces that the merge added, in the order of their ids.

    Attributes:
        texts: what each stands for.
        counts: how often each occurs in sampled training text.
        tokens: all tokens of that text.
        unreachable: how many their own text does not produce; those for parts of a character,
            which have no text, are none of them.
    """

    texts: list[str]
    counts: NDArray[np.int64]
    tokens: int
    unreachable: int


def report_vocabulary(
    base: Path,
    vocabulary: Path,
    corpus: Path,
    replay: Path,
    place: Workplace,
    *,
    language: Language,
) -> Report:
    """Figures, pictures and tables of a merged vocabulary in ``place.out``.

    Args:
        base: the base model's directory.
        vocabulary: the merged vocabulary.
        corpus: the new language.
        replay: the old language.
        place: where it grows.
        language: the new language; published figures are shown beside those of Japanese.
    """
    before, after = load_encoder(base), load_encoder(vocabulary)
    # a tiny corpus may have no held-out cluster
    heldout = {
        name: sample_texts(path, "heldout", HELDOUT_CHARACTERS)
        or sample_texts(path, "train", HELDOUT_CHARACTERS)
        for name, path in (("new", corpus), ("old", replay))
    }
    sizes = read_sizes(vocabulary)
    used = sample_texts(corpus, "train", USED_CHARACTERS)
    pieces = _new_pieces(after, range(sizes.base_size, sizes.size), used)
    metrics = _metrics(before, after, heldout, pieces)
    lines = [
        CutLine(name, cut(before, line), cut(after, line))
        for name, texts in heldout.items()
        for line in choose_lines(texts, LINES[name])
    ]
    write_json(place.out / "figures.json", metrics)
    page = cut_page(lines)
    write_atomically(place.out / PAGE, lambda path: path.write_text(page, encoding="utf-8"))
    _write_report(place.out / REPORT, metrics, pieces, lines, language)
    return Report({**metrics, "lines_in_colour": PAGE})


def fertility_of(encoder: Encoder, texts: Sequence[str]) -> Fertility:
    """Tokens per character and per byte of UTF-8; 0 of no text."""
    tokens = sum(len(ids) for ids in encoder.encode(texts))
    characters = sum(len(text) for text in texts)
    size = sum(len(text.encode()) for text in texts)
    return Fertility(tokens / max(characters, 1), tokens / max(size, 1))


def _new_pieces(encoder: Encoder, ids: range, texts: Sequence[str]) -> NewPieces:
    counts = np.zeros(encoder.size, np.int64)
    tokens = 0
    for one in encoder.encode(texts):
        counts += np.bincount(np.asarray(one, np.int64), minlength=encoder.size)
        tokens += len(one)
    context = encoder.encode([CONTEXT])[0]
    decoded = encoder.decode([[*context, token] for token in ids])
    surfaces = [text.removeprefix(CONTEXT) for text in decoded]
    probes = zip(ids, encoder.encode([CONTEXT + text for text in surfaces]), strict=True)
    lost = [token for token, produced in probes if produced[-1] != token]
    unreachable = sum(BROKEN not in surfaces[token - ids.start] for token in lost)
    return NewPieces(surfaces, counts[ids.start : ids.stop], tokens, unreachable)


def _metrics(
    before: Encoder, after: Encoder, heldout: dict[str, list[str]], pieces: NewPieces
) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for name, texts in heldout.items():
        for when, encoder in (("before", before), ("after", after)):
            fertility = fertility_of(encoder, texts)
            metrics[f"{name}_tokens_per_character_{when}"] = round(fertility.per_character, 4)
            metrics[f"{name}_tokens_per_byte_{when}"] = round(fertility.per_byte, 4)
    count = len(pieces.texts)
    return metrics | {
        "new_pieces": count,
        "new_pieces_used": round(float((pieces.counts > 0).mean()), 4) if count else 0.0,
        "tokens_that_are_new_pieces": round(int(pieces.counts.sum()) / max(pieces.tokens, 1), 4),
        "unreachable": pieces.unreachable,
    }


def _write_report(
    report: Path,
    metrics: dict[str, Any],
    pieces: NewPieces,
    lines: Sequence[CutLine],
    language: Language,
) -> None:
    from nativize.vocabulary.chart import draw_report

    report.mkdir()
    draw_report(metrics, language.code, report / "tokens.png")
    write_json(report / "lines.json", cut_table(lines))
    lengths = np.array([len(text) for text in pieces.texts], np.int64)
    frequent = np.argsort(-pieces.counts, kind="stable")[:MOST_PIECES]
    longest = np.lexsort((-pieces.counts, -lengths))[:MOST_PIECES]
    rows = [
        [pieces.texts[often], int(pieces.counts[often]), pieces.texts[long], int(lengths[long]),
         int(pieces.counts[long])]
        for often, long in zip(frequent, longest, strict=True)
    ]  # fmt: skip
    columns = ["most frequent", "times", "longest", "characters", "times"]
    write_json(report / "pieces.json", {"columns": columns, "rows": rows})
