"""The course of a training as one picture: loss, held-out text, learning rate, norm, speed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nativize.figure import new_figure, save_figure

CURVES = (
    ("loss (nats a token)", ("loss",)),
    ("bits per byte, held out", ("bits_per_byte_new", "bits_per_byte_old")),
    ("learning rate", ("learning_rate",)),
    ("gradient norm", ("gradient_norm",)),
    ("tokens a second", ("tokens_per_second",)),
)
LABELS = {"bits_per_byte_new": "new language", "bits_per_byte_old": "old language"}


def draw_training(lines: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A PNG of a training's log; skipped without matplotlib or without lines.

    Args:
        lines: of metrics.jsonl.
        path: of the picture.
    """
    if not lines:
        return
    drawn = [
        (title, names) for title, names in CURVES if any(n in line for n in names for line in lines)
    ]
    figure = new_figure(path, (6, 1.8 * len(drawn)))
    if figure is None:
        return
    for axes, (title, names) in zip(
        figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0], drawn, strict=True
    ):
        for name in names:
            points = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
            if points:
                marker = "." if len(points) < 3 else ""
                axes.plot(*zip(*points, strict=True), label=LABELS.get(name), marker=marker)
        axes.set_title(title, fontsize="small", loc="left")
        axes.grid(alpha=0.3)
        if len(names) > 1:
            axes.legend(fontsize="small")
    axes.set_xlabel("step")
    save_figure(figure, path)
