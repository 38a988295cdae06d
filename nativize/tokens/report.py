"""The mixture report: what each stream has, what it was asked to give, and what it gives."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from nativize.artifact import write_json
from nativize.figure import new_figure, save_figure
from nativize.tokens.id_file import file_bytes
from nativize.tokens.shards import TokenShards

MEASURED_SAMPLES = 10_000
"""The order is run so far for the report: 0.2 s."""

COLUMNS = [
    "stream", "documents", "tokens", "samples", "tokens never seen", "share of all tokens",
    "share asked", f"share of the first {MEASURED_SAMPLES:,} samples", "epochs in 1 G tokens",
    "bytes per token", "disk / UTF-8",
]  # fmt: skip
GIVEN, HAD, LIMIT = "#2a6f97", "#9aa5b1", "black"


@dataclass(frozen=True)
class StreamFigures:
    """What was written of one stream.

    Attributes:
        name: the stream's.
        documents: how many.
        bytes: of their text in UTF-8.
        tokens: of them with their marks.
        blocks: full samples.
        share: asked of all samples; 0 where there is no full sample.
    """

    name: str
    documents: int
    bytes: int
    tokens: int
    blocks: int
    share: Fraction


def write_report(
    figures: Sequence[StreamFigures], shards: TokenShards, report: Path
) -> dict[str, Any]:
    """A table and a picture below ``report``; returns the metrics."""
    report.mkdir()
    counted = Counter(shards.order.locate(number)[0] for number in range(MEASURED_SAMPLES))
    measured = {one.name: counted[one.name] / MEASURED_SAMPLES for one in figures}
    bits = shards.index["bits"]
    rows = [_row(one, figures, measured[one.name], shards.sequence_length, bits) for one in figures]
    write_json(report / "mixture.json", {"columns": COLUMNS, "rows": rows})
    _draw(figures, measured, shards, report / "mixture.png")
    return _metrics(figures, measured, shards, bits)


def _row(
    one: StreamFigures,
    figures: Sequence[StreamFigures],
    measured: float,
    sequence_length: int,
    bits: int,
) -> list[Any]:
    tokens = sum(other.tokens for other in figures)
    a_billion = float(10**9 * one.share / (one.blocks * sequence_length)) if one.share else 0.0
    return [
        one.name, one.documents, one.tokens, one.blocks, one.tokens - one.blocks * sequence_length,
        f"{one.tokens / tokens:.2%}", f"{float(one.share):.2%}", f"{measured:.2%}",
        round(a_billion, 3), round(one.bytes / max(one.tokens, 1), 3),
        round(file_bytes(one.tokens, bits) / max(one.bytes, 1), 3),
    ]  # fmt: skip


def _metrics(
    figures: Sequence[StreamFigures], measured: dict[str, float], shards: TokenShards, bits: int
) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for one in figures:
        name = one.name.replace("/", "_")
        metrics[f"{name}_tokens"] = one.tokens
        metrics[f"{name}_samples"] = one.blocks
        metrics[f"{name}_rest"] = one.tokens - one.blocks * shards.sequence_length
        metrics[f"{name}_share"] = round(measured[one.name], 4)
    tokens, size = sum(one.tokens for one in figures), sum(one.bytes for one in figures)
    return metrics | {
        "tokens_within_maximum_epochs": tokens_within(shards),
        "bytes_per_token": round(size / tokens, 4),
        "disk_per_byte_of_text": round(file_bytes(tokens, bits) / size, 4),
    }


def tokens_within(shards: TokenShards) -> int:
    """About how long a training may be before its scarcest stream is repeated too often, tokens."""
    limit = Fraction(str(shards.maximum_epochs))
    streams = shards.order.streams.values()
    samples = min(limit * stream.blocks / stream.share for stream in streams)
    return int(samples) * shards.sequence_length


def _draw(
    figures: Sequence[StreamFigures], measured: dict[str, float], shards: TokenShards, path: Path
) -> None:
    """Shares that streams have of all tokens and of the samples, and their epochs, as PNG."""
    figure = new_figure(path, (11, 4.5))
    if figure is None:
        return
    left, right = figure.subplots(1, 2)
    _draw_shares(left, figures, measured)
    _draw_epochs(right, shards)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path, dpi=120)


def _draw_shares(axes: Any, figures: Sequence[StreamFigures], measured: dict[str, float]) -> None:
    tokens = sum(one.tokens for one in figures)
    had = [100 * one.tokens / tokens for one in figures]
    given = [100 * measured[one.name] for one in figures]
    for offset, heights, colour, label in (
        (-0.2, had, HAD, "of all tokens there are"),
        (0.2, given, GIVEN, f"of the first {MEASURED_SAMPLES:,} samples"),
    ):
        places = [place + offset for place in range(len(figures))]
        bars = axes.bar(places, heights, width=0.38, color=colour, label=label)
        axes.bar_label(bars, fmt="%.1f")
    axes.set_xticks(range(len(figures)), [one.name for one in figures])
    axes.set_ylabel("share of tokens, %")
    axes.margins(y=0.15)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)


def _draw_epochs(axes: Any, shards: TokenShards) -> None:
    longest = tokens_within(shards)
    for name, stream in shards.order.streams.items():
        an_epoch = float(stream.blocks / stream.share) * shards.sequence_length
        axes.plot([0, longest], [0, longest / an_epoch], label=name)
    axes.axhline(shards.maximum_epochs, color=LIMIT, linestyle=":", label="mixture.maximum_epochs")
    axes.xaxis.set_major_formatter(lambda tokens, _: f"{tokens / 1e6:g} M")
    axes.set_xlabel("tokens trained on")
    axes.set_ylabel("epochs of the stream")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
