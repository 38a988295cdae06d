"""What a person sees of filtering: samples of kept and dropped text, lengths as a picture."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.artifact import REPORT, Report, write_json
from nativize.clean.normalise import OTHERS, normalise

log = logging.getLogger(__name__)

SAMPLES = 3
"""Documents of each fate: per shard in its list, and in the report of the stage."""
SAMPLE_CHARACTERS = 300
LONGEST = 24
"""Lengths are counted by powers of two, up to 2**24 characters."""


def sample(row: Mapping[str, Any], fate: str) -> dict[str, str]:
    """A document's beginning with what became of it; printable on any terminal."""
    text = normalise(row["text"][:SAMPLE_CHARACTERS], OTHERS)
    return {"reason": fate, "id": row["id"], "url": row["url"], "text": text}


def length_counts(characters: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many texts have 0, 1, 2–3, 4–7, … characters."""
    bins = np.zeros(len(characters), np.int64)
    bins[characters > 0] = np.log2(characters[characters > 0]).astype(np.int64) + 1
    return np.bincount(np.minimum(bins, LONGEST), minlength=LONGEST + 1)


def write_report(shards: Iterable[Path], reports: Sequence[Report], out: Path) -> None:
    """report/samples.json and report/lengths.png of a stage.

    Args:
        shards: lists of samples, one JSON object a line, in the order of the shards.
        reports: of the shards.
        out: the stage's directory.
    """
    (out / REPORT).mkdir(exist_ok=True)
    rows = _first_of_each(shards)
    columns = ["reason", "id", "url", "text"]
    table = {"columns": columns, "rows": [[row[name] for name in columns] for row in rows]}
    write_json(out / REPORT / "samples.json", table)
    lengths = {
        name: np.sum([report.metrics.get(name, [0] * (LONGEST + 1)) for report in reports], axis=0)
        for name in ("lengths_kept", "lengths_dropped")
    }
    _draw_lengths(lengths["lengths_kept"], lengths["lengths_dropped"], out / REPORT / "lengths.png")


def _first_of_each(shards: Iterable[Path]) -> list[dict[str, str]]:
    found: dict[str, list[dict[str, str]]] = {}
    for shard in shards:
        for line in shard.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows = found.setdefault(row["reason"], [])
            if len(rows) < SAMPLES:
                rows.append(row)
    return [row for reason in sorted(found) for row in found[reason]]


def _draw_lengths(kept: NDArray[np.int64], dropped: NDArray[np.int64], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        log.info("%s is not drawn: matplotlib is missing (pip install 'nativize[train]')", path)
        return
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    last = max(int(np.max(np.flatnonzero(kept + dropped), initial=0)), 1) + 1
    places = np.arange(last)
    axes.bar(places, kept[:last], label="kept", color="#2a7f62")
    axes.bar(places, dropped[:last], bottom=kept[:last], label="dropped", color="#c8553d")
    labels = ["0", *(f"{2**n:,}" for n in range(last - 1))]
    axes.set_xticks(places, labels, rotation=60, fontsize=7)
    axes.set(xlabel="characters, from", ylabel="documents", title="length after cleaning")
    axes.legend()
    figure.savefig(path, dpi=110, metadata={"Software": None})
