"""Evaluation sets as what is looked for in the corpus: the files, their items, their pieces.

An item is a row, a paragraph, or a JSON object with the strings that it holds itself, in their
order. Its pieces are all runs of so many folded words or characters over all its strings, for a
page rarely quotes a question alone. An item with fewer is too short to look for. Half a piece that
stands in more than ten items, and in one of twenty, is its file's template ("Choose the right
answer"): pieces with such a half are not looked for.
"""

import csv
import glob
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.artifact import sha256_of
from nativize.compiled import compiled
from nativize.dedup.fold import normal_form
from nativize.dedup.shingles import (
    FIELDS,
    HASHES,
    UNITS,
    Shingling,
    begin,
    next_hashes,
    units_room,
)
from nativize.errors import CorpusError
from nativize.recipe import Decontamination
from nativize.texts import Texts

CHARACTERS_A_WORD, LETTERS_A_WORD = 2, 6
"""Of a language without spaces, so that 13 words are 26 characters; and, where such a language is
compared by characters, of others with the space: 26 letters are a common phrase."""
UNSPACED = (
    (0x0E00, 0x10A0),
    (0x1780, 0x1800),
    (0x2E80, 0xAC00),
    (0xF900, 0xFB00),
    (0x20000, 0x40000),
)
"""Thai, Lao, Tibetan and Burmese; Khmer; kana and Han."""
TEMPLATE_ITEMS, TEMPLATE_SHARE = 10, 0.05
MAGIC = re.compile(r"[*?\[]")

Items = Sequence[str]


@dataclass(frozen=True)
class EvaluationSets:
    """P pieces of the items of F files.

    Attributes:
        names: of the files.
        items: of each file its items' strings, joined.
        too_short: of each file how many items have no piece.
        pieces: P hashes, in order; one stands as often as items have it.
        file: of each piece.
        item: of each piece, its number in the file.
        length: of each piece, its units.
    """

    names: Sequence[str]
    items: Sequence[Items]
    too_short: Sequence[int]
    pieces: NDArray[np.uint64]
    file: NDArray[np.int32]
    item: NDArray[np.int32]
    length: NDArray[np.int32]


def evaluation_files(patterns: Iterable[str], directory: Path) -> dict[str, Path]:
    """The files that globs match, by their names below the first part with a wildcard.

    Raises:
        CorpusError: a glob matches nothing, or two files have the same name.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        whole = str(directory / pattern)
        paths = sorted(
            path for path in map(Path, glob.glob(whole, recursive=True)) if path.is_file()
        )
        if not paths:
            raise CorpusError(
                f"{whole}: no evaluation set matches; correct [dedup.decontamination] files (globs"
                " relative to the recipe)"
            )
        for path in paths:
            name = path.relative_to(_root_of(whole)).as_posix()
            if found.setdefault(name, path).resolve() != path.resolve():
                raise CorpusError(
                    f"{path} and {found[name]}: two evaluation sets have the name {name}; match"
                    " both by one glob that begins above them"
                )
    return dict(sorted(found.items()))


def _root_of(pattern: str) -> Path:
    parts = Path(pattern).parts
    fixed = next((at for at, part in enumerate(parts) if MAGIC.search(part)), len(parts) - 1)
    return Path(*parts[:fixed])


def evaluation_digests(decontamination: Decontamination | None, directory: Path) -> dict[str, str]:
    """SHA-256 of each evaluation set, by its name: what the step depends on."""
    if decontamination is None:
        return {}
    files = evaluation_files(decontamination.files, directory)
    return {f"evaluation:{name}": sha256_of(path) for name, path in files.items()}


def read_evaluation_sets(
    decontamination: Decontamination, directory: Path, how: Shingling
) -> EvaluationSets:
    """All pieces of all evaluation sets.

    Raises:
        CorpusError: a file cannot be read; names it and the line.
    """
    files = evaluation_files(decontamination.files, directory)
    items = [list(read_items(path)) for path in files.values()]
    pieces, owners = [np.empty(0, np.uint64)], [np.empty((0, 3), np.int64)]
    for file, some in enumerate(items):
        lengths = np.array([_length_of(item, decontamination.words, how) for item in some], int)
        for length in np.unique(lengths).tolist():
            chosen = np.flatnonzero(lengths == length)
            hashes, owner = _pieces_of([some[one] for one in chosen], how._replace(length=length))
            pieces.append(hashes)
            every = np.full(len(owner), file)
            owners.append(np.stack([every, chosen[owner], np.full(len(owner), length)], axis=1))
    hashed, owned = np.concatenate(pieces), np.concatenate(owners)
    order = np.argsort(hashed, kind="stable")
    file_of, item_of, length_of = owned[order].T.astype(np.int32)
    too_short = [
        len(some) - len(np.unique(item_of[file_of == file])) for file, some in enumerate(items)
    ]
    return EvaluationSets(list(files), items, too_short, hashed[order], file_of, item_of, length_of)


def _length_of(item: str, words: int, how: Shingling) -> int:
    """How many units a piece of an item has."""
    if how.by_words:
        return words
    points = np.frombuffer(item.encode("utf-32-le", "surrogatepass"), "<u4")
    unspaced = sum(((points >= low) & (points < high)).sum() for low, high in UNSPACED)
    return words * (CHARACTERS_A_WORD if 4 * unspaced > len(points) else LETTERS_A_WORD)


def _pieces_of(items: Items, how: Shingling) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of the distinct pieces of each item, without the file's template, and their items."""
    texts = Texts.of([normal_form(item) for item in items])
    pieces, owners = _runs(texts, how)
    half = (how.length + 1) // 2
    halves, of_item = _runs(texts, how._replace(length=half))
    # the halves of an item's piece stand as far behind its first half as it does behind its first
    counts, more = (np.bincount(each, minlength=len(items)) for each in (owners, of_item))
    moved = np.repeat((np.cumsum(more) - more) - (np.cumsum(counts) - counts), counts)
    first = np.arange(len(pieces)) + moved
    template = _is_template(halves, of_item, len(items))
    own = ~(template[first] | template[first + how.length - half])
    return _distinct(pieces[own], owners[own])


def _distinct(
    hashes: NDArray[np.uint64], owners: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Each hash of each owner once, in order; NumPy's unique rows take 20 times as long."""
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    anew = np.ones(len(order), bool)
    anew[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[anew], owners[anew]


def runs_of(item: str, how: Shingling) -> NDArray[np.uint64]:
    """Hashes of all pieces of one item, in order, the template's too."""
    return _runs(Texts.of([normal_form(item)]), how)[0]


def _is_template(
    hashes: NDArray[np.uint64], owners: NDArray[np.int64], items: int
) -> NDArray[np.bool_]:
    """Whether each run stands in so many items that it is none's own."""
    distinct, counts = np.unique(_distinct(hashes, owners)[0], return_counts=True)
    common = distinct[counts > max(TEMPLATE_ITEMS, TEMPLATE_SHARE * items)]
    return np.isin(hashes, common)


def _runs(texts: Texts, how: Shingling) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """All runs of so many units, item by item, and the item of each."""
    room = np.empty(int(texts.offsets[-1]) + len(texts), np.uint64)
    owners = np.empty(len(room), np.int64)
    made = _pieces(texts.data, texts.offsets, how, units_room(how.length), room, owners)
    return room[:made], owners[:made]


@compiled
def _pieces(data: Any, offsets: Any, how: Any, units: Any, room: Any, owners: Any) -> int:
    state, hashes = np.empty(FIELDS, np.int64), np.empty(HASHES, np.uint64)
    total = 0
    for item in range(len(offsets) - 1):
        begin(state, offsets[item], True)
        made = next_hashes(data, offsets[item + 1], how, state, units, hashes)
        while made and not _is_short(state, how):
            room[total : total + made] = hashes[:made]
            owners[total : total + made] = item
            total += made
            made = next_hashes(data, offsets[item + 1], how, state, units, hashes)
    return total


@compiled
def _is_short(state: Any, how: Any) -> bool:
    """Whether the only hash so far is one of fewer units than a piece has."""
    return bool(state[UNITS] < how.length)


def read_items(path: Path) -> Iterator[str]:
    """The strings of each item of a file, joined by blanks.

    Raises:
        CorpusError: its form is not known, or it is damaged; names line and way out.
    """
    match path.suffix.lower():
        case ".jsonl" | ".json" | ".ndjson":
            yield from _json_items(path)
        case ".csv":
            yield from _rows(path, csv.reader(io.StringIO(_text_of(path), newline="")))
        case ".tsv":
            lines = io.StringIO(_text_of(path), newline="")
            yield from _rows(path, csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        case ".txt" | ".md":
            yield from (part for part in re.split(r"\n\s*\n", _text_of(path)) if part.strip())
        case ".parquet":
            for batch in pq.ParquetFile(path).iter_batches():
                for row in batch.to_pylist():
                    yield from _items_of(row)
        case other:
            raise CorpusError(
                f"{path}: evaluation sets are read from .jsonl, .json, .csv, .tsv, .txt and"
                f" .parquet, not from {other or 'files without a suffix'}; convert it or leave it"
                " out of [dedup.decontamination] files"
            )


def _rows(path: Path, rows: Any) -> Iterator[str]:
    try:
        yield from (" ".join(row) for row in rows if any(row))
    except csv.Error as error:
        raise CorpusError(
            f"{path}, line {rows.line_num}: no row can be read ({error}); correct the file"
        ) from error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: byte {error.start} is not UTF-8; convert the file") from error


def _json_items(path: Path) -> Iterator[str]:
    """Of one JSON value, or of one a line, whatever the suffix says."""
    text = _text_of(path)
    try:
        yield from _items_of(json.loads(text))
        return
    except json.JSONDecodeError:
        pass
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise CorpusError(
                    f"{path}, line {number}: no JSON ({error}); correct the line or leave the file"
                    " out of [dedup.decontamination] files"
                ) from error
            yield from _items_of(value)


def _items_of(value: Any) -> Iterator[str]:
    """An object's own strings as one item, then the items of what it holds."""
    if isinstance(value, str):
        yield value
        return
    children = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return
    own: list[str] = []
    nested: list[Any] = []
    for child in children:
        if isinstance(child, str):
            own.append(child)
        elif isinstance(child, list) and child and all(isinstance(one, str) for one in child):
            own += child
        elif isinstance(child, dict | list):
            nested.append(child)
    if isinstance(value, list):
        yield from own
    elif own:
        yield " ".join(own)
    for child in nested:
        yield from _items_of(child)
