"""The hand-written material of one language, read from its TOML file.

The words and sentence frames are data (japanese.toml, english.toml); how they become
documents is in compose.py. Keep wording out of the code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from nativize.errors import NativizeError

Row = Mapping[str, str]
Paragraph = Sequence[str]

FILES = {"ja": "japanese.toml", "en": "english.toml"}


class SampleError(NativizeError):
    """The sample crawl cannot be composed or written as asked."""


@dataclass(frozen=True)
class Topic:
    """One subject area: what there is to say, and of whom."""

    slug: str
    field: str
    subjects: tuple[Row, ...]
    paragraphs: Sequence[Paragraph]
    notes: Sequence[str]
    questions: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Material:
    """Everything the composer may say in one language; ``once`` are draws per document."""

    language: str
    openings: Sequence[str]
    titles: Sequence[str]
    bridges: Sequence[str]
    note_leads: Sequence[str]
    closings: Sequence[str]
    general: Sequence[Paragraph]
    words: Mapping[str, Sequence[str]]
    once: Sequence[Sequence[Row]]
    topics: Sequence[Topic]
    questions: Sequence[Mapping[str, Any]]


@cache
def load_material(language: str) -> Material:
    """Return the material of ``language`` ("ja" or "en")."""
    text = files(__package__).joinpath(FILES[language]).read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    return Material(
        language=language,
        **{
            name: raw[name]
            for name in ("openings", "titles", "bridges", "note_leads", "closings", "general")
        },
        words=raw["words"],
        once=[_rows(table["columns"], table["rows"]) for table in raw["once"].values()],
        topics=[_topic(table) for table in raw["topics"]],
        questions=raw.get("questions", []),
    )


@cache
def load_dirt() -> dict[str, Any]:
    """Return dirt.toml: site furniture, spam, foreign sentences and personal data."""
    return tomllib.loads(files(__package__).joinpath("dirt.toml").read_text(encoding="utf-8"))


def _topic(table: dict[str, Any]) -> Topic:
    return Topic(
        slug=table["slug"],
        field=table["field"],
        subjects=_rows(table["columns"], table["subjects"]),
        paragraphs=table["paragraphs"],
        notes=table["notes"],
        questions=[(ask, answer) for ask, answer in table.get("questions", [])],
    )


def _rows(columns: list[str], rows: list[list[str]]) -> tuple[Row, ...]:
    return tuple(dict(zip(columns, row, strict=True)) for row in rows)
