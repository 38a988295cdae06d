"""Documents that somebody asked to remove, wherever they entered.

A takedown list is a text file, one request a line: a URL, a domain (with its subdomains), a
document's id or the SHA-256 of its text as it was read. Only shards that hold such a document are
decided anew when the list changes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nativize.clean.lists import canonical_url, domains_of, read_lines
from nativize.errors import RecipeError

ID, SHA256 = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{64}")
DOMAIN = re.compile(r"[^\s/:@]+\.[^\s/:@]+")
COLUMNS = ["id", "url", "sha256"]


def read_takedowns(path: Path | None) -> frozenset[str]:
    """The requests of a list in one form each, ``kind:value``.

    Raises:
        RecipeError: there is no such file, or a line is none of the four; names it.
    """
    lines = read_lines(path, "takedown") if path else []
    return frozenset(_entry(path, number, line) for number, line in lines)


def _entry(path: Path | None, number: int, line: str) -> str:
    for kind, pattern in (("id", ID), ("sha256", SHA256)):
        if pattern.fullmatch(line.lower()):
            return f"{kind}:{line.lower()}"
    if "://" in line and urlsplit(line).hostname:
        return f"url:{canonical_url(line)}"
    if DOMAIN.fullmatch(line):
        return f"domain:{line.lower().removeprefix('www.')}"
    raise RecipeError(
        f"{path}, line {number}: '{line[:80]}' is no URL, domain, document id (32 hex digits) or"
        " SHA-256 of a text (64 hex digits)"
    )


def takedowns_in(shard: Path, entries: frozenset[str]) -> list[str]:
    """The requests that concern a document of a shard, sorted; reads three of its columns."""
    rows = pq.read_table(shard, columns=COLUMNS)
    return sorted({entry for _, entry in _matches(rows, entries)})


def taken_down(rows: pa.Table, entries: Sequence[str]) -> NDArray[np.bool_]:
    """Which rows a request concerns."""
    mask = np.zeros(len(rows), np.bool_)
    for row, _ in _matches(rows, frozenset(entries)):
        mask[row] = True
    return mask


def _matches(rows: pa.Table, entries: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Row and request, for every match."""
    kinds = {entry.partition(":")[0] for entry in entries}
    for kind, keys in KEYS.items():
        if kind in kinds:
            column = "url" if kind == "domain" else kind
            for row, value in enumerate(rows[column].to_pylist()):
                yield from (
                    (row, f"{kind}:{key}") for key in keys(value) if _in(kind, key, entries)
                )


def _in(kind: str, key: str, entries: frozenset[str]) -> bool:
    return f"{kind}:{key}" in entries


KEYS: Mapping[str, Callable[[str], Sequence[str]]] = {
    "id": lambda value: [value],
    "sha256": lambda value: [value],
    "url": lambda value: [canonical_url(value)] if value else [],
    "domain": domains_of,
}
