"""The section [crawl]: where documents come from, and the bounds of reading."""

from pydantic import Field, model_validator

from nativize.recipe.section import EXECUTION, Positive, Section


class CrawlSource(Section):
    """One place that documents come from."""

    name: str = Field(pattern=r"^[a-z0-9_\-]+$", description="Part of every document's id.")
    path: str = Field(
        description="Glob of files, relative to the recipe. Where data lies is no identity.",
        json_schema_extra={EXECUTION: True},
    )
    format: str = Field(
        "auto", description="Name in nativize/crawl/formats.py; auto: what the suffix says."
    )
    licence: str = Field("unknown", description="Recorded with every document that names none.")
    encoding: str = Field("auto", description="Character encoding; auto: declared, then detected.")
    text_field: str = Field("text", description="Field of the text in JSONL and Parquet.")


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
