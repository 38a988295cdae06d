"""The section [crawl]: where documents come from, and the bounds of reading."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nativize.recipe.section import EXECUTION, Positive, Section

BELONGS_TO = {
    "prefix": "paths_file",
    "maximum_files": "paths_file",
    "revision": "hub",
    "files": "hub",
}
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class CrawlSource(Section):
    """One place that documents come from: exactly one of path, paths_file and hub.

    Where data lies is no identity, so none of that is: the digests of the files are (see
    ``crawl_identity``), and a document's id knows the source's name and the file's own.
    """

    name: str = Field(pattern=r"^[a-z0-9_\-]+$", description="Part of every document's id.")
    path: str | tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Glob of files or URL, or a list; local ones are relative to the recipe.",
        json_schema_extra={EXECUTION: True},
    )
    paths_file: str = Field(
        "",
        description="Instead of path: a file (.gz or not) with one path or URL a line.",
        json_schema_extra={EXECUTION: True},
    )
    prefix: str = Field(
        "",
        description="What the relative lines of paths_file are relative to: URL or directory.",
        json_schema_extra={EXECUTION: True},
    )
    maximum_files: int = Field(
        0,
        ge=0,
        description="The first so many lines of paths_file; 0: all.",
        json_schema_extra={EXECUTION: True},
    )
    hub: str = Field(
        "",
        pattern=r"^([\w.\-]+/[\w.\-]+)?$",
        description="Instead of path: a data set of the Hugging Face hub, org/name.",
        json_schema_extra={EXECUTION: True},
    )
    revision: str = Field(
        "",
        description="The hub data set's commit, 40 hex digits: a branch would drift.",
        json_schema_extra={EXECUTION: True},
    )
    files: str = Field(
        "**/*.parquet",
        description="Glob of files inside the hub data set.",
        json_schema_extra={EXECUTION: True},
    )
    sha256: Sha256 | dict[str, Sha256] = Field(
        "",
        description="Digest that the one file must have, or a table of name and digest.",
        json_schema_extra={EXECUTION: True},
    )
    maximum_file_bytes: Positive = Field(
        20_000_000_000,
        description="A larger file is not downloaded.",
        json_schema_extra={EXECUTION: True},
    )
    recheck_seconds: int = Field(
        300,
        ge=0,
        description="How long a process trusts what a server said of a file; 0: ask each time.",
        json_schema_extra={EXECUTION: True},
    )
    format: str = Field(
        "auto", description="Name in nativize/crawl/formats.py; auto: what the suffix says."
    )
    licence: str = Field("unknown", description="Recorded with every document that names none.")
    encoding: str = Field("auto", description="Character encoding; auto: declared, then detected.")
    text_field: str = Field(
        "text",
        description="Field of the text in JSONL, JSON and Parquet; dots reach nested fields.",
    )
    cleaner: Literal["none", "aozora", "gutenberg"] = Field(
        "none", description="What is taken out of each text: a library's own markup and licence."
    )

    @property
    def paths(self) -> tuple[str, ...]:
        """The globs and URLs of `path`, whether one or several were given."""
        given = (self.path,) if isinstance(self.path, str) else self.path
        return tuple(path for path in given if path)

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> "CrawlSource":
        given = [name for name in ("path", "paths_file", "hub") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"exactly one of path, paths_file, hub, got {given or 'none'}")
        if self.hub and not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            raise ValueError("hub needs its revision, a commit of 40 hex digits, or reruns drift")
        for key, owner in BELONGS_TO.items():
            if key in self.model_fields_set and owner not in given:
                raise ValueError(f"'{key}' belongs to '{owner}', which is not given")
        return self


class Crawl(Section):
    """What is read, and the bounds of reading."""

    source: tuple[CrawlSource, ...] = Field(min_length=1)
    max_document_bytes: Positive = Field(
        16_000_000, description="Longer records are quarantined before they are held in memory."
    )
    shard_text_bytes: Positive = Field(64_000_000, description="UTF-8 text in one shard, about.")

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Crawl":
        names = [source.name for source in self.source]
        if len(set(names)) < len(names):
            raise ValueError(f"source names must differ, got {names}")
        return self
