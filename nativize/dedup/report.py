"""Deduplication as tables: examples with their differences marked, groups, evaluation sets.

A table is ``{"columns": [...], "rows": [[...], ...]}``, written below report/; whoever shows it
escapes it and cuts cells at 160 characters, so that texts come here with what matters in 150.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nativize.crawl.report import UNPRINTABLE

Table = dict[str, list[Any]]
Alignment = list[tuple[str, str]]
"""Two texts cut into as many parts, side by side; equal and different parts alternate."""

MOST_EXAMPLES = 12
OF_OTHER_KINDS = 3
"""Examples that are exact copies, or of the same URL, where there are enough near ones."""
LARGEST_CLUSTERS = 20

CELL = 150
LONGEST_DIFFERENCE = {1: 80, 2: 40, 3: 24}
"""Characters of each, by how many are shown; what is left of CELL goes to what stands around."""
OPEN, CLOSE, CUT = "⟦", "⟧", "…"

SENTENCE = re.compile(r"(?<=[。．！？.!?\n])")
MOST_SENTENCES = 100
WINDOW = 300
MOST_WINDOWS = 5
"""difflib is quadratic; so it compares 100 sentences, then 300 characters of those that differ."""
SHORTEST_EQUAL = 3
"""Shorter equal parts between two differences are accidents that only disturb the eye."""


@dataclass(frozen=True)
class ExamplePair:
    """A removed document beside the one that stands for it; kind: "near", "exact", "url"."""

    kept_id: str
    removed_id: str
    kept_text: str
    removed_text: str
    similarity: float
    kind: str


def choose_examples(
    similarities: NDArray[np.floating[Any]],
    near: NDArray[np.bool_],
    kept: NDArray[np.int64],
    most: int = MOST_EXAMPLES,
) -> NDArray[np.int64]:
    """Which of m pairs to show: near ones from the threshold up to nearly equal, some others.

    Args:
        similarities: of each pair.
        near: whether it is one of similar texts, not of equal ones.
        kept: a number for each pair's surviving document; each is shown once if that suffices.
        most: how many to choose.
    """
    others = np.flatnonzero(~near)
    alike = _spread(
        np.flatnonzero(near), similarities, kept, most - min(OF_OTHER_KINDS, len(others))
    )
    rest = _spread(others, similarities, kept, most - len(alike))
    return np.concatenate([alike, rest])


def _spread(
    rows: NDArray[np.int64],
    similarities: NDArray[np.floating[Any]],
    kept: NDArray[np.int64],
    most: int,
) -> NDArray[np.int64]:
    """At most so many of some pairs, their similarities as evenly spread as can be."""
    firsts = rows[np.sort(np.unique(kept[rows], return_index=True)[1])]
    rows = firsts if len(firsts) >= most else rows
    rows = rows[np.argsort(similarities[rows], kind="stable")]
    if len(rows) <= most:
        return rows
    ordered = similarities[rows]
    wanted = np.linspace(ordered[0], ordered[-1], most)
    places = np.searchsorted(ordered, wanted)
    steps = np.arange(most)
    # each place is taken once: push doubles to the right, then what fell off the end to the left
    places = np.maximum.accumulate(places - steps) + steps
    return rows[np.minimum(places, len(rows) - most + steps)]


def examples(pairs: Sequence[ExamplePair]) -> Table:
    """Pairs side by side, their differences marked, long equal parts left out."""
    columns = ["similarity", "kind", "kept text", "removed text", "kept", "removed"]
    shown = _chosen(pairs) if len(pairs) > MOST_EXAMPLES else pairs
    rows = []
    for pair in shown:
        kept, removed = side_by_side(pair.kept_text, pair.removed_text)
        similarity = round(float(pair.similarity), 3)
        rows.append([similarity, pair.kind, kept, removed, pair.kept_id, pair.removed_id])
    return {"columns": columns, "rows": rows}


def _chosen(pairs: Sequence[ExamplePair]) -> list[ExamplePair]:
    similarities = np.array([pair.similarity for pair in pairs])
    near = np.array([pair.kind == "near" for pair in pairs])
    kept = np.unique([pair.kept_id for pair in pairs], return_inverse=True)[1]
    return [pairs[row] for row in choose_examples(similarities, near, kept)]


def side_by_side(kept: str, removed: str) -> tuple[str, str]:
    """Both texts cut to the places where they differ, which stand in ⟦ ⟧; at most 150 characters.

    At most three places are shown: the first, one in the middle, the last that was found.
    """
    parts = align(kept, removed)
    differing = [at for at, (left, right) in enumerate(parts) if left != right]
    # a long part was not looked into, or has nothing in common
    short = [at for at in differing if max(map(len, parts[at])) <= WINDOW]
    differing = short or differing
    if not differing:
        return _joined([_cut(kept, CELL)]), _joined([_cut(removed, CELL)])
    shown = sorted({differing[0], differing[len(differing) // 2], differing[-1]})
    length = LONGEST_DIFFERENCE[len(shown)]
    context = _room_around([parts[at] for at in shown], length)
    sides: tuple[list[str], list[str]] = ([], [])
    for at, both in enumerate(parts):
        for side, part in zip(sides, both, strict=True):
            if at in shown:
                side.append(f"{OPEN}{_cut(part, length)}{CLOSE}")
            else:
                side.append(_context(part, at - 1 in shown, at + 1 in shown, context))
    left, right = (_joined(side) for side in sides)
    return left, right


def _room_around(differences: Alignment, length: int) -> int:
    """Characters on either side of each difference, so that both texts fit into their cells."""
    sides = zip(*differences, strict=True)
    marked = max(sum(min(len(part), length) + 2 for part in side) for side in sides)
    return (CELL - marked - len(differences) - 1) // (2 * len(differences))


def _context(part: str, follows: bool, precedes: bool, length: int) -> str:
    """What is shown of a part without marks: its ends where marks stand beside it."""
    if follows and precedes:
        return part if len(part) <= 2 * length else part[:length] + CUT + part[-length:]
    if follows:
        return _cut(part, length + 1)
    if precedes:
        return part if len(part) <= length else CUT + part[-length:]
    return CUT if part else ""


def shortened(text: str) -> str:
    """A text as one cell shows it."""
    return _joined([_cut(text, CELL)])


def _joined(parts: Iterable[str]) -> str:
    return UNPRINTABLE.sub("\ufffd", re.sub(f"{CUT}{CUT}+", CUT, "".join(parts)))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + CUT


def align(kept: str, removed: str) -> Alignment:
    """Equal and different parts of two texts in turn; what lies far behind is one part.

    Equal beginnings and ends cost next to nothing, however long; of what lies between 100
    sentences are compared, then characters of those that differ, 300 at a time.
    """
    begin = _common(kept, removed)
    first, second = kept[begin:], removed[begin:]
    end = _common(first[::-1], second[::-1])
    first, second = first[: len(first) - end], second[: len(second) - end]
    ending = kept[len(kept) - end :]
    parts = [(kept[:begin], kept[:begin]), *_by_sentence(first, second), (ending, ending)]
    return _smooth(parts)


def _common(first: str, second: str) -> int:
    """Length of the common beginning, by halving; compares no character more than twice."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _by_sentence(first: str, second: str) -> Iterator[tuple[str, str]]:
    lefts, rights = _sentences(first), _sentences(second)
    for equal, left, right in _matched(lefts, rights):
        joined = "".join(left), "".join(right)
        if equal:
            yield joined
        else:
            yield from _by_character(*joined)


def _sentences(text: str) -> list[str]:
    """At most so many sentences; the last is all the rest."""
    return SENTENCE.split(text, MOST_SENTENCES - 1)


def _by_character(first: str, second: str) -> Iterator[tuple[str, str]]:
    """Parts of what differs, window by window; whole where the texts have little in common."""
    for _ in range(MOST_WINDOWS):
        parts = list(_matched(first[:WINDOW], second[:WINDOW]))
        if len(first) > WINDOW or len(second) > WINDOW:
            # what stands behind the last equal part may be equal to what lies behind the window
            while parts and not (parts[-1][0] and len(parts[-1][1]) >= SHORTEST_EQUAL):
                parts.pop()
        left = sum(len(part) for _, part, _ in parts)
        right = sum(len(part) for _, _, part in parts)
        same = sum(len(part) for equal, part, _ in parts if equal)
        if not parts or 2 * same < min(left, right):
            break
        yield from ((part, other) for _, part, other in parts)
        first, second = first[left:], second[right:]
    yield first, second


def _matched(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[bool, Any, Any]]:
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        yield kind == "equal", first[a:b], second[c:d]


def _smooth(parts: Iterable[tuple[str, str]]) -> Alignment:
    """Neighbours of one sort joined, and short equal parts with the differences around them."""
    joined: Alignment = []
    for left, right in parts:
        if not left and not right:
            continue
        if joined and (left == right) == (joined[-1][0] == joined[-1][1]):
            left, right = joined[-1][0] + left, joined[-1][1] + right
            joined.pop()
        joined.append((left, right))
        if len(joined) > 2 and left != right and len(joined[-2][0]) < SHORTEST_EQUAL:
            last = joined[-3:]
            joined[-3:] = [("".join(a for a, _ in last), "".join(b for _, b in last))]
    return joined


def largest_clusters(clusters: pa.Table) -> Table:
    """The largest groups by their survivor: documents, and how unlike the unlikest of them is.

    Args:
        clusters: columns kept (id of the survivor), id, similarity; with or without a row for
            the survivor itself.
    """
    removed = clusters.filter(pc.not_equal(clusters["kept"], clusters["id"]))
    grouped = removed.group_by("kept").aggregate([("id", "count"), ("similarity", "min")])
    largest = grouped.sort_by([("id_count", "descending"), ("kept", "ascending")])
    rows = [
        [row["kept"], row["id_count"] + 1, round(row["similarity_min"], 3)]
        for row in largest.slice(0, LARGEST_CLUSTERS).to_pylist()
    ]
    return {"columns": ["kept", "documents", "smallest similarity"], "rows": rows}


class EvaluationFile(TypedDict):
    """What was found of one evaluation set in the corpus.

    Attributes:
        file: its name.
        items: how many it has.
        too_short: items shorter than the piece that is looked for.
        found: items of which a piece stands in the corpus.
        documents: documents dropped for it.
    """

    file: str
    items: int
    too_short: int
    found: int
    documents: int


def evaluation_table(files: Sequence[EvaluationFile]) -> Table:
    """How much of each evaluation set stands in the corpus, ordered by file."""
    columns = [
        "evaluation set", "items", "too short to look for", "found in the corpus",
        "share found of those looked for", "documents dropped",
    ]  # fmt: skip
    rows = []
    for file in sorted(files, key=lambda file: file["file"]):
        looked_for = file["items"] - file["too_short"]
        share = f"{100 * file['found'] / looked_for:.1f} %" if looked_for else "–"
        rows.append(
            [
                file["file"],
                file["items"],
                file["too_short"],
                file["found"],
                share,
                file["documents"],
            ]
        )
    return {"columns": columns, "rows": rows}
