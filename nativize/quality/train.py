"""Fits the quality model: a pruned n-gram model by `lmplz`, and the buckets' thresholds.

A 5-gram of 23 MB takes 6 s and under 1 GB. The model lies as a hash table ("probing"): 9.4 MB/s
of Japanese in characters where the quantised trie, a fifth of its size, scored 3.8. Both
programs write the same bytes for the same text.
"""

import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.artifact import Report, Workplace, file_digests
from nativize.engine import CorpusEngine, LocalEngine
from nativize.errors import CorpusError
from nativize.quality.lmplz import require_programs
from nativize.quality.model import MODEL, Buckets, Scorer
from nativize.quality.pieces import PIECES, train_pieces
from nativize.quality.sample import Listing, list_documents, texts_of_rows
from nativize.quality.text import ModelText, Unit, plain_lines, units_in
from nativize.recipe import Language, Quality

log = logging.getLogger(__name__)

MINIMUM_REFERENCE_UNITS = 1_000
BUCKET_SAMPLE_DOCUMENTS = 10_000
PIECES_CHARACTERS = 2_000_000
"""Of the reference text, for the pieces."""
SORT_MEMORY_BYTES = 1 << 30


def train_quality_model(
    filtered: Path,
    place: Workplace,
    *,
    language: Language,
    quality: Quality,
    engine: CorpusEngine | None = None,
) -> Report:
    """The n-gram model of the reference text and the thresholds of head, middle and tail.

    Args:
        filtered: directory of filtered shards.
        place: gets model.binary, buckets.json and, for sentencepiece units, pieces.model.
        language: whose text it is; named in messages.
        quality: the recipe's section.
        engine: where the sample for the thresholds is scored.
    Raises:
        ToolMissingError: lmplz or build_binary is missing and cannot be built; says how to.
        CorpusError: the reference text is empty or too small, or lmplz refuses it.
    """
    lmplz, build_binary = require_programs()
    shards = [filtered / name for name in file_digests(filtered, ".parquet")]
    listing = list_documents(shards)
    reference = _reference(listing, quality, filtered)
    pieces = _train_pieces(place.out / PIECES, shards, reference, quality)
    text = place.scratch / "reference.txt"
    rows = reference.sample(characters=quality.maximum_reference_characters)
    model_text = ModelText.open(quality.unit, place.out)
    fitted_to = {**_write_reference(text, shards, rows, model_text), **pieces}
    _require_enough(fitted_to["units"], language, quality)
    arpa = place.scratch / "model.arpa"
    _run(_lmplz_command(lmplz, text, arpa, quality))
    _run([build_binary, "-T", place.scratch / "probing", "probing", arpa, place.out / MODEL])
    buckets, sample = _fit_buckets(listing, shards, place.out, quality, engine)
    buckets.write(place.out, {**fitted_to, **sample})
    return Report(
        {
            **{f"reference_{key}": value for key, value in fitted_to.items()},
            **sample,
            "head_perplexity": buckets.head,
            "middle_perplexity": buckets.middle,
            "model_bytes": (place.out / MODEL).stat().st_size,
        }
    )


def _reference(listing: Listing, quality: Quality, filtered: Path) -> Listing:
    known = listing.documents_by_source()
    missing = [source for source in quality.reference_sources if source not in known]
    if missing or not known:
        raise CorpusError(
            f"{filtered}: no filtered document of {missing or 'any source'} to fit the quality"
            f" model to (documents by source: {known}). Loosen [clean], or name other sources in"
            " [quality] reference_sources"
        )
    return listing.of_sources(quality.reference_sources)


def _train_pieces(
    path: Path, shards: Sequence[Path], reference: Listing, quality: Quality
) -> dict[str, int]:
    """The pieces of a part of the reference text; how many, where they are the units."""
    if quality.unit != "sentencepiece":
        return {}
    characters = min(PIECES_CHARACTERS, quality.maximum_reference_characters)
    sample = reference.sample(characters=characters)
    texts = (
        text for number, rows in sample.items() for text in texts_of_rows(shards[number], rows)
    )
    lines = (line for text in texts for line in plain_lines(text))
    return {"pieces": train_pieces(lines, path, quality.pieces)}


def _write_reference(
    path: Path,
    shards: Sequence[Path],
    reference: Mapping[int, NDArray[np.int64]],
    model_text: ModelText,
) -> dict[str, int]:
    """The reference text in model lines; how many documents and units it has."""
    documents = units = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for number, rows in reference.items():
            for text in texts_of_rows(shards[number], rows):
                documents += 1
                for line in model_text.lines(text):
                    units += units_in(line)
                    stream.write(line + "\n")
    return {"documents": documents, "units": units}


def _require_enough(units: int, language: Language, quality: Quality) -> None:
    if units < MINIMUM_REFERENCE_UNITS:
        sources = ", ".join(quality.reference_sources) or "all sources"
        raise CorpusError(
            f"the reference text ({sources}; language {language.code}) has {units}"
            f" {quality.unit}, an n-gram model needs at least {MINIMUM_REFERENCE_UNITS}. Crawl"
            " more, loosen [clean], or name larger sources in [quality] reference_sources"
        )


def _lmplz_command(lmplz: Path, text: Path, arpa: Path, quality: Quality) -> list[Any]:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = min(SORT_MEMORY_BYTES, physical // 5)
    return [
        lmplz, "-o", quality.order,
        "--prune", *quality.prune[: quality.order],
        # small text lacks the counts of counts that Kneser-Ney estimates its discounts from
        "--discount_fallback",
        # a crawl may well say "<s>"; without this lmplz stops there
        "--skip_symbols",
        "-S", f"{memory}b", "-T", text.with_name("lmplz-"),
        "--text", text, "--arpa", arpa,
    ]  # fmt: skip


def _run(command: Sequence[Any]) -> None:
    words = [str(word) for word in command]
    log.info("running %s", " ".join(words))
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode:
        tail = "\n".join(result.stderr.strip().splitlines()[-10:])
        raise CorpusError(
            f"{Path(words[0]).name} failed ({result.returncode}); check [quality] order and prune"
            f" and the size of the reference text. It said:\n{tail}"
        )


def _fit_buckets(
    listing: Listing,
    shards: Sequence[Path],
    model: Path,
    quality: Quality,
    engine: CorpusEngine | None,
) -> tuple[Buckets, dict[str, int]]:
    """Thresholds as the recipe gives them, or at percentiles of a sample; and the sample's size."""
    if quality.head_perplexity is not None and quality.middle_perplexity is not None:
        return Buckets(quality.unit, quality.head_perplexity, quality.middle_perplexity), {}
    sample = listing.sample(documents=BUCKET_SAMPLE_DOCUMENTS)
    calls = [(shards[number], rows, model, quality.unit) for number, rows in sample.items()]
    scored = (engine or LocalEngine()).map(_score_rows, calls, "quality_model")
    perplexities = np.concatenate(scored)
    at = quality.head_percentile, quality.middle_percentile
    return Buckets.fit(quality.unit, perplexities, *at), {"bucket_documents": len(perplexities)}


def _score_rows(
    shard: Path, rows: NDArray[np.int64], model: Path, unit: Unit
) -> NDArray[np.float64]:
    return Scorer.open(model, unit).perplexities(list(texts_of_rows(shard, rows)))
