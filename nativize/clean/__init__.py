"""Cleaning: normalisation, language, filters, personal data, and the stage that applies them."""

from nativize.clean.stage import FILTER, FILTERED_SCHEMA, filter_shards

__all__ = ["FILTER", "FILTERED_SCHEMA", "filter_shards"]
