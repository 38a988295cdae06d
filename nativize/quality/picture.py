"""The perplexities of a corpus, drawn with the buckets, their sizes and their thresholds."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from nativize.figure import new_figure, save_figure
from nativize.quality.model import BUCKET_NAMES, Buckets
from nativize.quality.summary import BINS_PER_DECADE, Summary

PER = {"characters": "character", "words": "word", "sentencepiece": "piece"}
COLOURS = {"head": "tab:green", "middle": "tab:blue", "tail": "tab:red"}
SHOWN_SHARE = 0.99
"""Past this percentile lie a few documents of noise that would flatten all others."""


def draw_perplexities(summary: Summary, buckets: Buckets, path: Path) -> None:
    """A histogram as a PNG; skipped without matplotlib or without documents."""
    counts = sum(summary.bins.values(), start=Counter[int]())
    if not counts:
        return
    figure = new_figure(path, (6, 4))
    if figure is None:
        return
    axes = figure.subplots()
    _draw_bars(axes, summary, min(counts), _last_bin(counts))
    for name, threshold in [("head", buckets.head), ("middle", buckets.middle)]:
        label = f"{name} up to {threshold:g}"
        axes.axvline(threshold, color=COLOURS[name], linestyle="--", label=label)
    axes.set_xscale("log")
    axes.set_xlabel(f"perplexity per {PER[buckets.unit]}")
    axes.set_ylabel("documents")
    axes.legend()
    save_figure(figure, path)


def _last_bin(counts: Counter[int]) -> int:
    numbers = sorted(counts)
    shares = np.cumsum([counts[number] for number in numbers]) / counts.total()
    return numbers[int(np.searchsorted(shares, SHOWN_SHARE))]


def _draw_bars(axes: Any, summary: Summary, first: int, last: int) -> None:
    """Bins from ``first`` to ``last``, which takes all that lie behind it; one colour a bucket."""
    edges = 10.0 ** (np.arange(first, last + 2) / BINS_PER_DECADE)
    below = np.zeros(last - first + 1)
    for name in BUCKET_NAMES:
        heights = np.zeros_like(below)
        for number, count in summary.bins[name].items():
            heights[min(number, last) - first] += count
        label = f"{name}: {summary.documents[name]:,} documents"
        axes.bar(edges[:-1], heights, np.diff(edges), below, align="edge", color=COLOURS[name])
        axes.plot([], [], color=COLOURS[name], linewidth=6, label=label)
        below += heights
