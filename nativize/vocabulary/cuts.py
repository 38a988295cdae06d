"""The same lines cut by two tokenizers: as a table, and as a page in colour."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from nativize.crawl.report import UNPRINTABLE
from nativize.vocabulary.encoder import Encoder
from nativize.vocabulary.gates import lines_of

Cut = list[tuple[str, int]]
"""A line's pieces in order: the text, and how many tokens it takes; more than one where a character
is written in bytes."""
SHORTEST, LONGEST = 15, 50
"""Characters of a line that is shown; a table's cell has room for so many with their marks."""
COLOURS = ("#cfe8fc", "#ffe3b3", "#d5f0cf", "#f9d1d9", "#e3d7f7", "#fdf3a7")
STYLE = (
    "body{font:16px/2.2 sans-serif;margin:2em;max-width:70em}"
    "td,th{vertical-align:top;padding:.2em .8em;text-align:left}"
    "span{padding:.1em .15em;border-radius:.2em;white-space:pre-wrap}"
    "sup{color:#c1121f}"
)


@dataclass(frozen=True)
class CutLine:
    """A line as base and merged vocabulary cut it."""

    language: str
    before: Cut
    after: Cut


def choose_lines(texts: Sequence[str], most: int) -> list[str]:
    """Different lines of readable length, or such beginnings, spread evenly over texts."""
    beginnings = map(_beginning, lines_of(texts))
    fitting = list(dict.fromkeys(line for line in beginnings if len(line) >= SHORTEST))
    step = max(len(fitting) / most, 1.0) if most else 1.0
    places = sorted({int(number * step) for number in range(most)})
    return [fitting[place] for place in places if place < len(fitting)]


def _beginning(line: str) -> str:
    """At most so many characters of a line; whole words, where it has some."""
    line = line.strip()
    if len(line) <= LONGEST:
        return line
    return line[: LONGEST + 1].rpartition(" ")[0] or line[:LONGEST]


def cut(encoder: Encoder, line: str) -> Cut:
    """A line's pieces; tokens that are parts of one character stand together."""
    ids = encoder.encode([line])[0]
    pieces: Cut = []
    done, tokens = 0, 0
    for text in encoder.decode([ids[: number + 1] for number in range(len(ids))]):
        tokens += 1
        if len(text) > done and line.startswith(text):
            pieces.append((line[done : len(text)], tokens))
            done, tokens = len(text), 0
    if done < len(line):
        pieces.append((line[done:], max(tokens, 1)))
    return pieces


def cut_table(lines: Sequence[CutLine]) -> dict[str, list[object]]:
    """The cuts as a table of the report."""
    columns = ["language", "before", "tokens before", "after", "tokens after"]
    rows = [
        [
            line.language,
            *(_marked(line.before), _tokens(line.before)),
            *(_marked(line.after), _tokens(line.after)),
        ]
        for line in lines
    ]
    return {"columns": list(columns), "rows": list(rows)}


def cut_page(lines: Sequence[CutLine]) -> str:
    """The cuts as an HTML page without scripts; every text in it is escaped."""
    rows = "".join(
        f"<tr><th>{html.escape(line.language)} {when}</th><td>{_coloured(pieces)}</td>"
        f"<td>{_tokens(pieces)}</td></tr>\n"
        for line in lines
        for when, pieces in (("before", line.before), ("after", line.after))
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>Lines before and after the merge</title><style>{STYLE}</style></head><body>\n"
        "<p>Each colour is a token; a red number says how many tokens stand for one piece.</p>\n"
        f"<table><tr><th></th><th>cut</th><th>tokens</th></tr>\n{rows}</table></body></html>\n"
    )


def _coloured(pieces: Cut) -> str:
    spans = []
    for number, (text, tokens) in enumerate(pieces):
        colour = COLOURS[number % len(COLOURS)]
        shown = html.escape(UNPRINTABLE.sub("�", text))
        count = f"<sup>{tokens}</sup>" if tokens > 1 else ""
        spans.append(f'<span style="background:{colour}">{shown}</span>{count}')
    return "".join(spans)


def _marked(pieces: Cut) -> str:
    return "|".join(text if tokens == 1 else f"{text}×{tokens}" for text, tokens in pieces)


def _tokens(pieces: Cut) -> int:
    return sum(tokens for _, tokens in pieces)
