"""Deduplication as pictures: the chance that a pair is found, and how large the groups are."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.dedup.banding import Banding, RecallBin, detection_probability
from nativize.figure import new_figure, save_figure

SIZE = 7.0, 4.6
CURVE, MEASURED, THRESHOLD = "tab:blue", "black", "tab:red"


def draw_detection(
    banding: Banding, threshold: float, measured: Sequence[RecallBin], path: Path
) -> None:
    """The S-curve with what was measured over it, as a PNG; skipped without matplotlib."""
    figure = new_figure(path, SIZE)
    if figure is None:
        return
    axes = figure.subplots()
    similarities = np.linspace(0, 1, 201)
    chances = detection_probability(similarities, banding.bands, banding.rows)
    label = f"expected of {banding.bands} bands × {banding.rows} values"
    axes.plot(similarities, chances, color=CURVE, label=label)
    axes.axvspan(threshold, 1, color=THRESHOLD, alpha=0.07, linewidth=0)
    axes.axvline(
        threshold,
        linestyle="--",
        color=THRESHOLD,
        label=f"threshold {threshold:g}: from here on removed",
    )
    if measured:
        _draw_measured(axes, measured)
    axes.set_title(_detection_title(banding, threshold, measured), fontsize=11)
    axes.set_xlabel("similarity of two documents (Jaccard index of their shingles)")
    axes.set_ylabel("share of such pairs that are found and compared")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.1)
    axes.set_yticks(np.arange(0, 1.1, 0.2), [f"{share} %" for share in range(0, 101, 20)])
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    axes.grid(alpha=0.25)
    save_figure(figure, path)


def _detection_title(banding: Banding, threshold: float, measured: Sequence[RecallBin]) -> str:
    title = f"{_percent(banding.detection(threshold))} are expected at the threshold {threshold:g}"
    above = [one for one in measured if one.low >= threshold - 1e-9]
    if not above:
        return f"Duplicates that are found: {title}"
    pairs, found = sum(one.pairs for one in above), sum(one.found for one in above)
    return (
        f"{_percent(found / pairs)} of {pairs:,} planted duplicates"
        f" with a similarity from {above[0].low:g} on were found;\n{title}"
    )


def _percent(share: float) -> str:
    """A share with one decimal, rounded down: not all is never 100 %."""
    return f"{math.floor(1000 * share + 1e-9) / 10:g} %"


def _draw_measured(axes: Any, measured: Sequence[RecallBin]) -> None:
    """A point with its interval for every bin, and below it how many pairs it stands for."""
    at = np.array([one.similarity for one in measured])
    shares = np.array([one.found / one.pairs for one in measured])
    ends = np.array([one.interval() for one in measured])
    # at 0 and 1 rounding may put the share past the end of its interval
    errors = np.maximum(np.stack([shares - ends[:, 0], ends[:, 1] - shares]), 0)
    total = sum(one.pairs for one in measured)
    label = f"measured on {total:,} edited copies of texts of this corpus"
    label += "\n(how many pairs, with 95 % intervals)"
    axes.errorbar(
        at, shares, yerr=errors, fmt="o", markersize=4, capsize=3, color=MEASURED, label=label
    )
    for x, high, one in zip(at, shares + errors[1], measured, strict=True):
        axes.text(x, high + 0.02, f"{one.pairs:,}", fontsize=7, ha="center", color=MEASURED)


def draw_cluster_sizes(sizes: NDArray[np.int64], path: Path) -> None:
    """How many groups have 2, 3–4, 5–8, … documents; skipped without matplotlib or groups."""
    sizes = sizes[sizes > 1]
    figure = new_figure(path, SIZE) if len(sizes) else None
    if figure is None:
        return
    counts = np.bincount(_power_of_two(sizes))[1:]
    axes = figure.subplots()
    bars = axes.bar(np.arange(len(counts)), counts, color=CURVE, width=0.9)
    axes.bar_label(bars, [f"{count:,}" if count else "" for count in counts], fontsize=8)
    labels = ["2", *(f"{2**n + 1:,}–{2 ** (n + 1):,}" for n in range(1, len(counts)))]
    turned = 45 if len(counts) > 7 else 0
    axes.set_xticks(
        np.arange(len(counts)), labels, rotation=turned, ha="right" if turned else "center"
    )
    axes.set_yscale("log")
    powers = 10 ** np.arange(len(str(counts.max())))
    axes.set_yticks(powers, [f"{power:,}" for power in powers])
    axes.set_yticks([], minor=True)
    axes.set_ylim(0.5, 3 * counts.max())
    axes.set_title(
        f"{len(sizes):,} {'groups' if len(sizes) > 1 else 'group'} of alike documents:"
        f" one of each stays, {int((sizes - 1).sum()):,} go;\n"
        f"the largest has {int(sizes.max()):,} documents",
        fontsize=11,
    )
    axes.set_xlabel("documents in a group")
    axes.set_ylabel("groups (logarithmic)")
    save_figure(figure, path)


def _power_of_two(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The exponent of the smallest power of two that is not less; exact for any size."""
    return np.searchsorted(2 ** np.arange(63), sizes).astype(np.int64)
