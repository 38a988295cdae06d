"""The section [quality]: the n-gram model and its buckets."""

from typing import Literal

from pydantic import Field

from nativize.recipe.section import Positive, Refit, Section, Share


class Quality(Section):
    """The n-gram model (KenLM) and the buckets."""

    order: int = Field(5, ge=2, le=6)
    prune: tuple[int, ...] = (0, 0, 1)
    unit: Literal["characters", "words"] = "characters"
    reference_sources: tuple[str, ...] = Field(
        (), description="Crawl sources it is fitted to; empty: a sample of all of them."
    )
    maximum_reference_characters: Positive = 50_000_000
    head_percentile: Share = Field(0.3, description="cc_net: head below 30 %, tail above 60 %.")
    middle_percentile: Share = 0.6
    keep_buckets: tuple[Literal["head", "middle", "tail"], ...] = ("head", "middle")
    refit: Refit = "on_recipe_change"
