"""What the new pieces buy, as pictures; matplotlib is loaded only when one is drawn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nativize.vocabulary.curve import Curve

BEFORE, AFTER, MARK, PALE = "#9aa5b1", "#2a6f97", "#c1121f", "#6c757d"
LEGEND: dict[str, Any] = {"loc": "outside upper center", "ncols": 2, "frameon": False}
PLAIN = {"facecolor": "white", "edgecolor": "none", "pad": 1}
"""What stands behind a text, so that no line crosses it."""
PUBLISHED = {
    "ja": (
        (1.15, "LLaMA, 32,000 pieces: 1.04–1.15"),
        (0.9, "51,470 merged pieces: 0.9"),
        (0.5, "32,000 pieces of Japanese alone: 0.5"),
    )
}
"""Tokens per character that others had, by language."""


def draw_curve(curve: Curve, out: Path) -> None:
    """Tokens per character by size, the size that "auto" takes marked, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    sizes = [point.size for point in curve.points]
    heights = [point.tokens_per_character for point in curve.points]
    axes.plot(sizes, heights, color=AFTER, marker="o")
    for size, height in zip(sizes, heights, strict=True):
        axes.annotate(f"{height:.3f}", (size, height), (0, 7), textcoords="offset points")
    axes.axvline(curve.chosen, color=MARK, linestyle=":", label=f'"auto": {curve.chosen:,}')
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=30)
    axes.set_xlabel("pieces of the new language's tokenizer")
    axes.set_ylabel("tokens per character, held-out text")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.15)
    axes.legend(frameon=False)
    figure.savefig(out, dpi=120)


def draw_fertility(metrics: Mapping[str, Any], out: Path) -> None:
    """Bars of tokens per character, both languages before and after the merge, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    _draw_bars(figure.subplots(), metrics, "character")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), **LEGEND)
    figure.savefig(out, dpi=120)


def draw_report(metrics: Mapping[str, Any], language: str, out: Path) -> None:
    """Bars of tokens per character and per byte, published figures as labelled lines, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    per_character, per_byte = figure.subplots(1, 2)
    _draw_bars(per_character, metrics, "character")
    _draw_bars(per_byte, metrics, "byte")
    for height, label in PUBLISHED.get(language, ()):
        per_character.axhline(height, color=PALE, linestyle="--", linewidth=0.8, zorder=0)
        text = per_character.text(1.45, height, label, ha="right", va="center", fontsize=7)
        text.set_bbox(PLAIN)
    figure.legend(*per_byte.get_legend_handles_labels(), **LEGEND)
    figure.savefig(out, dpi=120)


def _draw_bars(axes: Any, metrics: Mapping[str, Any], unit: str) -> None:
    """Both languages before and after the merge; numbers hide the lines behind them."""
    for offset, when, colour in ((-0.2, "before", BEFORE), (0.2, "after", AFTER)):
        heights = [metrics[f"{name}_tokens_per_{unit}_{when}"] for name in ("new", "old")]
        places = [position + offset for position in (0, 1)]
        bars = axes.bar(places, heights, width=0.38, label=f"{when} the merge", color=colour)
        for number in axes.bar_label(bars, fmt="%.3f", padding=2):
            number.set_bbox(PLAIN)
    axes.set_xticks([0, 1], ["new language", "old language"])
    axes.set_ylabel(f"tokens per {unit}, held-out text")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.15)
