"""The section [quality]: the n-gram model and its buckets."""

from typing import Literal

from pydantic import Field, model_validator

from nativize.recipe.section import Positive, Refit, Section, Share


class BucketShares(Section):
    """Share of each bucket's documents that goes on, chosen by a hash of the document's id."""

    head: Share = 1.0
    middle: Share = 1.0
    tail: Share = 0.0


class Quality(Section):
    """The n-gram model (KenLM) and the buckets."""

    order: int = Field(5, ge=2, le=6)
    prune: tuple[int, ...] = (0, 0, 1)
    unit: Literal["characters", "words", "sentencepiece"] = "characters"
    pieces: int = Field(8_000, ge=100, description="Most pieces of unit sentencepiece.")
    reference_sources: tuple[str, ...] = Field(
        (), description="Crawl sources it is fitted to; empty: a sample of all of them."
    )
    maximum_reference_characters: Positive = 50_000_000
    head_percentile: Share = Field(0.3, description="cc_net: head below 30 %, tail above 60 %.")
    middle_percentile: Share = 0.6
    head_perplexity: float | None = Field(
        None, gt=0, description="A fixed threshold in place of the percentile; with the other."
    )
    middle_perplexity: float | None = Field(None, gt=0)
    bucket_shares: BucketShares = Field(default_factory=BucketShares)
    keep_sources: tuple[str, ...] = Field(
        (), description="Crawl sources that lose nothing to their buckets, such as the reference."
    )
    refit: Refit = "on_recipe_change"

    @model_validator(mode="after")
    def _thresholds_are_ordered(self) -> "Quality":
        fixed = self.head_perplexity, self.middle_perplexity
        if fixed.count(None) == 1:
            raise ValueError("head_perplexity and middle_perplexity: give both or none")
        for kind, head, middle in [
            ("percentile", self.head_percentile, self.middle_percentile),
            ("perplexity", *fixed),
        ]:
            if head is not None and middle is not None and head > middle:
                raise ValueError(
                    f"head_{kind} {head} is above middle_{kind} {middle}; the head has the lowest"
                    " perplexities, so it must not be"
                )
        return self
