"""First half of filtering: every text tidied and measured, whatever becomes of it.

What it makes depends on the recipe's language, normal form and line rules, never on a threshold.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import Report
from nativize.clean.c4 import c4_lines
from nativize.clean.filters import Thresholds
from nativize.clean.language import language_model, probabilities
from nativize.clean.mojibake import find_mojibake
from nativize.clean.statistics import Columns, measure
from nativize.clean.tidy import tidy
from nativize.crawl.document import open_writer
from nativize.recipe import Clean, Language, identity
from nativize.recipe.clean import C4, GopherQuality
from nativize.texts import Texts


def measure_identity(clean: Clean, thresholds: Thresholds) -> dict[str, Any]:
    """All that measuring depends on beside the language."""
    c4 = thresholds.get("c4")
    return {
        "normalisation": identity(clean.normalisation),
        "boilerplate_lines": clean.boilerplate_lines,
        "personal_data": list(clean.personal_data),
        "stop_words": list(_stop_words(thresholds)),
        "c4": [c4.terminal_punctuation, c4.minimum_line_words] if isinstance(c4, C4) else None,
    }


def measure_shard(
    shard: Path, language: Language, clean: Clean, thresholds: Thresholds, out: Path
) -> Report:
    """A shard of the same rows, texts tidied, statistics beside them; processor seconds."""
    started = time.process_time()
    with pq.ParquetFile(shard) as source:
        writer = None
        for group in range(source.num_row_groups):
            rows = source.read_row_group(group)
            measured = measured_rows(rows, language, clean, thresholds)
            writer = writer or open_writer(out / shard.name, measured.schema, fast=True)
            writer.write_table(measured)
        if writer:
            writer.close()
    return Report({"measure_seconds": time.process_time() - started})


def measured_rows(
    rows: pa.Table, language: Language, clean: Clean, thresholds: Thresholds
) -> pa.Table:
    """The rows with their texts tidied and a column for every statistic."""
    raw = Texts.of_column(rows["text"])
    tidied = tidy(raw, language, clean)
    texts, c4 = tidied.texts, thresholds.get("c4")
    columns: dict[str, NDArray[Any]] = {}
    if isinstance(c4, C4):
        texts, columns["c4_sentences"], columns["c4_marks"] = c4_lines(texts, c4)
    columns |= measure(texts, language, _stop_words(thresholds))
    columns |= {f"personal_data_{kind}": n for kind, n in tidied.personal_data.items()}
    columns["boilerplate_lines"] = tidied.furniture_lines
    columns["mojibake"] = find_mojibake(raw)
    columns |= _raw_sizes(raw)
    rows = rows.set_column(rows.schema.get_field_index("text"), _TEXT, texts.column())
    rows = _with_language(rows, texts, language, clean, thresholds)
    for name, values in columns.items():
        rows = rows.append_column(pa.field(name, pa.from_numpy_dtype(values.dtype)), [values])
    return rows


def _stop_words(thresholds: Thresholds) -> tuple[str, ...]:
    quality = thresholds.get("gopher_quality")
    return quality.stop_words if isinstance(quality, GopherQuality) else ()


def _raw_sizes(raw: Texts) -> Columns:
    """Bytes and characters of the texts as they came."""
    return {"raw_bytes": np.diff(raw.offsets), "raw_characters": raw.characters()}


def _with_language(
    rows: pa.Table, texts: Texts, language: Language, clean: Clean, thresholds: Thresholds
) -> pa.Table:
    """The likeliest language, and the probability that it is the recipe's."""
    model = language_model()
    asked = "language_score" in thresholds
    wanted = model.index_of(language.code) if asked or language.code in model.labels else -1
    best, scores = probabilities(texts.data, texts.offsets, model.tables, max(wanted, 0))
    labels = pa.array([*model.labels, ""])
    names = labels.take(pa.array(np.where(best < 0, len(model.labels), best)))
    place = rows.schema.get_field_index("language")
    rows = rows.set_column(place, rows.schema.field("language"), names)
    found = scores if wanted >= 0 else np.zeros_like(scores)
    return rows.append_column(LANGUAGE_SCORE, [found])


_TEXT = pa.field("text", pa.string(), nullable=False)
LANGUAGE_SCORE = pa.field("language_score", pa.float32(), nullable=False)
