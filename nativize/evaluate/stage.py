"""The evaluation stage: every model of the road on the same held-out text of both languages."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nativize.artifact import REPORT, Report, Workplace, write_atomically, write_json
from nativize.errors import ModelError
from nativize.evaluate.heldout import Heldout, choose_heldout
from nativize.evaluate.report import draw_bits_per_byte, report_in_markdown
from nativize.recipe import Evaluation
from nativize.vocabulary import load_encoder

log = logging.getLogger(__name__)

DECIMALS = 4
"""Of figures in the report: finer ones differ between processors."""


def evaluate_models(
    models: Mapping[str, Path],
    corpus: Path,
    replay: Path,
    place: Workplace,
    *,
    evaluation: Evaluation,
) -> Report:
    """Bits per byte on both languages, forgetting against the first model, and continuations.

    Args:
        models: name → Hugging Face directory, from the base to the last one.
        corpus: deduplicated corpus of the new language; its held-out split is read.
        replay: the old language's.
        place: where report.json, report.md and report/bits_per_byte.png grow.
        evaluation: bound of tokens, prompts.
    Raises:
        ModelError: no model was named.
        CorpusError: a corpus holds nothing out.
    """
    if not models:
        raise ModelError("no model to evaluate; name at least one")
    first = load_encoder(next(iter(models.values())))
    texts = {
        language: choose_heldout(directory, first, evaluation.maximum_tokens)
        for language, directory in (("new", corpus), ("old", replay))
    }
    measured = {name: _measure(path, texts, evaluation) for name, path in models.items()}
    base = next(iter(measured.values()))["bits_per_byte_old"]
    for figures in measured.values():
        figures["forgetting"] = round(figures["bits_per_byte_old"] - base, DECIMALS)
    report = {
        "models": measured,
        "heldout": {
            language: {"documents": len(text.texts), "bytes": text.bytes}
            for language, text in texts.items()
        },
    }
    write_json(place.out / "report.json", report)
    markdown = report_in_markdown(report)
    write_atomically(place.out / "report.md", lambda path: path.write_text(markdown, "utf-8"))
    draw_bits_per_byte(measured, place.out / REPORT / "bits_per_byte.png")
    return Report(_flat(measured))


def _measure(path: Path, texts: Mapping[str, Heldout], evaluation: Evaluation) -> dict[str, Any]:
    import torch  # seconds; importing the stage must not cost them

    from nativize.evaluate.continuation import continue_prompt
    from nativize.evaluate.likelihood import bits_per_byte
    from nativize.model.directory import load_model

    log.info("evaluating %s", path)
    model = load_model(path, dtype=torch.float32)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    encoder = load_encoder(path)
    return {
        **{
            f"bits_per_byte_{language}": round(bits_per_byte(model, encoder, text), DECIMALS)
            for language, text in texts.items()
        },
        "continuations": [
            asdict(continue_prompt(model, encoder, prompt, evaluation.sample_tokens))
            for prompt in evaluation.prompts
        ],
    }


def _flat(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {
        f"{figure}_{name}": value
        for name, figures in measured.items()
        for figure, value in figures.items()
        if figure != "continuations"
    }
