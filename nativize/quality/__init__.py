"""The quality of text by the perplexity of an n-gram model (KenLM)."""

from nativize.artifact import Stage
from nativize.quality.score import score_shards
from nativize.quality.train import train_quality_model

TRAIN_QUALITY = Stage(
    name="quality_model",
    version=1,
    group="corpus",
    inputs=("filtered_shards",),
    reads=(
        "language",
        "quality.order",
        "quality.prune",
        "quality.unit",
        "quality.pieces",
        "quality.reference_sources",
        "quality.maximum_reference_characters",
        "quality.head_percentile",
        "quality.middle_percentile",
        "quality.head_perplexity",
        "quality.middle_perplexity",
    ),
    refit="quality.refit",
)
SCORE = Stage(
    name="scored_shards", version=2, group="corpus", inputs=("filtered_shards", "quality_model")
)

__all__ = ["SCORE", "TRAIN_QUALITY", "score_shards", "train_quality_model"]
