"""The tables of the vocabulary benchmark, on the screen and in the README."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

README_BEGIN = "<!-- vocabulary: written by `python -m benchmarks.vocabulary --readme` -->"
README_END = "<!-- /vocabulary -->"


@dataclass(frozen=True)
class Row:
    """A vocabulary and what it does to held-out text.

    Attributes:
        name: how it was made.
        language: that was added.
        characters: that were learned from; 0 where somebody else did.
        added: pieces.
        tokens_per_character: by held-out source.
        english_lines_changed: lines of English whose ids are not the base's.
        unreachable: added pieces that their own text does not produce.
        mismatches_added: lines that sentencepiece and Hugging Face cut differently, though the
            base's two forms agree on them.
        train_seconds: of the processor; None where somebody else did.
        merge_seconds: of the processor, the search for equally many pieces included.
        peak_mb: highest memory of training and merging, the text included.
    """

    name: str
    language: str
    characters: int
    added: int
    tokens_per_character: dict[str, float]
    english_lines_changed: int
    unreachable: int
    mismatches_added: int
    train_seconds: float | None = None
    merge_seconds: float | None = None
    peak_mb: float | None = None


def show(rows: Sequence[Row], english_lines: int) -> None:
    """A table for each language."""
    print(f"\ntokens per character of held-out text; {english_lines:,} English lines")
    for language in dict.fromkeys(row.language for row in rows):
        some = [row for row in rows if row.language == language]
        kinds = list(some[0].tokens_per_character)
        names = ["English", "unreach.", "mismatch", "train s", "merge s", "peak MB"]
        print(
            f"\n{language:30}{'learned of':>12}{'added':>8}"
            + "".join(f"{name:>10}" for name in (*kinds, *names))
        )
        for row in some:
            print(_line(row, kinds))


def _line(row: Row, kinds: Sequence[str]) -> str:
    learned = f"{row.characters:,}" if row.characters else "–"
    fertility = "".join(f"{row.tokens_per_character[kind]:10.4f}" for kind in kinds)
    broken = (row.english_lines_changed, row.unreachable, row.mismatches_added)
    spent = (row.train_seconds, row.merge_seconds, row.peak_mb)
    return (
        f"{row.name:30}{learned:>12}{row.added:8,}{fertility}"
        + "".join(f"{value:10,}" for value in broken)
        + "".join(f"{'–':>10}" if value is None else f"{value:10,.1f}" for value in spent)
    )


def readme_table(content: Mapping[str, Any]) -> str:
    """The results as the README shows them."""
    kinds = ("books", "manuals", "Wikipedia")
    lines = [
        f"| | added | {' | '.join(kinds)} | English lines changed | unreachable | mismatches |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in content["rows"]:
        fertility = " | ".join(f"{row['tokens_per_character'][kind]:.3f}" for kind in kinds)
        lines.append(
            f"| {row['language']}: {row['name']} | {row['added']:,} | {fertility}"
            f" | {row['english_lines_changed']:,} | {row['unreachable']:,}"
            f" | {row['mismatches_added']:,} |"
        )
    return "\n".join([*lines, *_growth_lines(content)])


def _growth_lines(content: Mapping[str, Any]) -> list[str]:
    """Seconds of the processor and memory by the size of the text, where they were measured."""
    if not content.get("growth"):
        return []
    return [
        "",
        f"| {content['pieces']:,} pieces of | characters | training | merging | highest memory |",
        "|---|---|---|---|---|",
        *(
            f"| {point['megabytes']:,} MB | {point['characters'] / 1e6:,.0f} million"
            f" | {point['train_seconds']:,.0f} s | {point['merge_seconds']:.1f} s"
            f" | {point['peak_mb'] / 1e3:.1f} GB |"
            for point in content["growth"]
        ),
    ]
