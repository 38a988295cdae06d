"""What a person sees of documents: samples of each fate, lengths as a picture, damage as a table.

A table is a JSON file ``{"columns": [...], "rows": [[...], ...]}`` in the value's report; whoever
shows it escapes it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.artifact import REPORT, Report, write_json
from nativize.figure import new_figure, save_figure

KEPT = "kept"
SAMPLES = 3
"""Documents of each fate: in the list of a shard, and in the report of the stage."""
SAMPLE_CHARACTERS = 300
QUARANTINED_ROWS = 30
LONGEST = 24
"""Lengths are counted by powers of two, up to 2**24 characters."""
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def sample(row: Mapping[str, Any], fate: str) -> dict[str, str]:
    """A document's beginning with what became of it; printable on any terminal."""
    text = UNPRINTABLE.sub("", row["text"][:SAMPLE_CHARACTERS])
    return {"reason": fate, "id": row["id"], "url": row["url"], "text": text}


def length_counts(characters: NDArray[Any]) -> NDArray[np.int64]:
    """How many texts have 0, 1, 2–3, 4–7, … characters."""
    bins = np.zeros(len(characters), np.int64)
    bins[characters > 0] = np.log2(characters[characters > 0]).astype(np.int64) + 1
    return np.bincount(np.minimum(bins, LONGEST), minlength=LONGEST + 1)


def write_samples(shards: Iterable[Path], out: Path) -> None:
    """``report/samples.json``: the first documents of each fate.

    Args:
        shards: lists of samples, one JSON object a line, in the order of the shards.
        out: the stage's directory.
    """
    found: dict[str, list[dict[str, str]]] = {}
    for shard in shards:
        with shard.open(encoding="utf-8", newline="\n") as lines:  # a text may hold U+2028
            for row in map(json.loads, lines):
                rows = found.setdefault(row["reason"], [])
                if len(rows) < SAMPLES:
                    rows.append(row)
    rows = [row for reason in sorted(found) for row in found[reason]]
    _write_table(out / REPORT / "samples.json", ["reason", "id", "url", "text"], rows)


def write_quarantine(lines: Iterable[str], out: Path) -> None:
    """``report/quarantine.json``: where the first damaged records lie; no file without any."""
    rows = [json.loads(line) for line in islice(lines, QUARANTINED_ROWS)]
    if rows:
        columns = ["source", "file", "offset", "length", "within", "reason"]
        _write_table(out / REPORT / "quarantine.json", columns, rows)


def _write_table(path: Path, columns: list[str], rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    write_json(path, {"columns": columns, "rows": [[row[c] for c in columns] for row in rows]})


def draw_lengths(reports: Sequence[Report], out: Path) -> None:
    """``report/lengths.png``: from the metrics lengths_kept and lengths_dropped of all shards."""
    path = out / REPORT / "lengths.png"
    figure = new_figure(path, (7, 3), arranged=False)
    if figure is None:
        return
    kept, dropped = (
        np.sum([report.metrics.get(name, [0] * (LONGEST + 1)) for report in reports], axis=0)
        for name in ("lengths_kept", "lengths_dropped")
    )
    axes = figure.subplots()
    figure.subplots_adjust(left=0.1, right=0.98, top=0.96, bottom=0.32)
    last = int(np.max(np.flatnonzero(kept + dropped), initial=1)) + 1
    places = np.arange(last)
    axes.bar(places, kept[:last], label=KEPT, color="#2a7f62")
    if dropped.any():
        axes.bar(places, dropped[:last], bottom=kept[:last], label="dropped", color="#c8553d")
    axes.set_xticks(places, ["0", *(f"{2**n:,}" for n in range(last - 1))], rotation=60, fontsize=7)
    axes.set(xlabel="characters, from", ylabel="documents")
    axes.legend()
    save_figure(figure, path, dpi=110)
