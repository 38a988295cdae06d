"""The two walks: the whole road, and the corpus alone. Both look at the crawl first."""

from dagster import AssetSelection, define_asset_job

WHOLE_ROAD = define_asset_job(
    "whole_road",
    AssetSelection.all(include_sources=True),
    description="Every asset; what is not stale is reused.",
)
CORPUS_REFRESH = define_asset_job(
    "corpus_refresh",
    AssetSelection.groups("corpus", include_sources=True),
    description="From the crawl to the deduplicated corpus; no GPU.",
)
