"""The export stage: GGUF files and the proof that they are the model."""

from pathlib import Path

from nativize.artifact import Report, Workplace, write_json
from nativize.export.probes import probes
from nativize.recipe import Export
from nativize.vocabulary.corpus_text import sample_texts

COMPARED_CHARACTERS = 60_000
"""Held-out text of each language that is cut by both tokenizers."""
TEXT_CHARACTERS = 400
CONTINUED_TEXTS = 4
"""Of each language."""


def export_gguf(
    model: Path,
    corpus: Path,
    replay: Path,
    place: Workplace,
    *,
    name: str,
    export: Export,
) -> Report:
    """``<name>-<quantisation>.gguf`` for each quantisation, and ``parity.json``.

    Raises:
        ExportError: the model cannot be written as GGUF, or llama.cpp makes something else of it.
    """
    from nativize.export.gguf_file import write_gguf
    from nativize.export.parity import Reference, compare

    texts, prompts = _compared_texts(corpus, replay)
    reference = Reference(model)
    figures = {}
    for quantisation in export.quantisations:
        out = place.out / f"{name}-{quantisation}.gguf"
        write_gguf(model, out, name=name, quantisation=quantisation)
        parity = compare(out, reference, texts, prompts)
        parity.require(out, quantisation)
        figures[quantisation] = {"bytes": out.stat().st_size, **parity.figures()}
    write_json(place.out / "parity.json", figures)
    return Report({f"{q}_{key}": value for q in figures for key, value in figures[q].items()})


def _compared_texts(corpus: Path, replay: Path) -> tuple[list[str], int]:
    """Held-out texts of both languages and probes; how many of the first to continue."""
    new, old = (_pieces_of_text(directory) for directory in (corpus, replay))
    continued = new[:CONTINUED_TEXTS] + old[:CONTINUED_TEXTS]
    others = new[CONTINUED_TEXTS:] + old[CONTINUED_TEXTS:]
    return [*continued, *others, *probes()], len(continued)


def _pieces_of_text(directory: Path) -> list[str]:
    texts = sample_texts(directory, "heldout", COMPARED_CHARACTERS)
    # a tiny corpus may have no held-out cluster
    texts = texts or sample_texts(directory, "train", COMPARED_CHARACTERS)
    return [
        text[start : start + TEXT_CHARACTERS]
        for text in texts
        for start in range(0, len(text), TEXT_CHARACTERS)
    ]
