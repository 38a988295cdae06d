"""The chance that banding finds a pair, drawn over its similarity."""

import logging
from pathlib import Path

from nativize.recipe import Dedup

log = logging.getLogger(__name__)


def detection_probability(similarity: float, bands: int, rows: int) -> float:
    """The chance that a pair of this Jaccard similarity shares at least one band.

    Source: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4.2.
    """
    return 1.0 - (1.0 - similarity**rows) ** bands


def draw_detection(dedup: Dedup, path: Path) -> None:
    """The S-curve of the recipe's bands and rows as a PNG; skipped without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        log.info("%s is not drawn: matplotlib is missing (pip install 'nativize[train]')", path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    similarities = [step / 200 for step in range(201)]
    chances = [detection_probability(s, dedup.bands, dedup.rows) for s in similarities]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(similarities, chances)
    axes.axvline(dedup.threshold, linestyle="--", color="tab:red")
    at_threshold = detection_probability(dedup.threshold, dedup.bands, dedup.rows)
    axes.set_title(
        f"{dedup.bands} bands × {dedup.rows} rows:"
        f" {at_threshold:.1%} of pairs at the threshold {dedup.threshold:g} are found"
    )
    axes.set_xlabel("Jaccard similarity of shingles")
    axes.set_ylabel("probability of detection")
    figure.savefig(path, metadata={"Software": None})
