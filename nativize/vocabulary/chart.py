"""What the new pieces buy, as a picture; matplotlib is loaded only when one is drawn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw_fertility(metrics: Mapping[str, Any], out: Path) -> None:
    """Bars of tokens per character, both languages before and after the merge, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for offset, when, colour in ((-0.2, "before", "#9aa5b1"), (0.2, "after", "#2a6f97")):
        heights = [metrics[f"{name}_tokens_per_character_{when}"] for name in ("new", "old")]
        places = [position + offset for position in (0, 1)]
        bars = axes.bar(places, heights, width=0.38, label=f"{when} the merge", color=colour)
        axes.bar_label(bars, fmt="%.3f")
    axes.set_xticks([0, 1], ["new language", "old language"])
    axes.set_ylabel("tokens per character, held-out text")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.15)
    axes.legend(frameon=False)
    figure.savefig(out, dpi=120)
