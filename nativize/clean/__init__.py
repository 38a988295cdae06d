"""Cleaning: normalisation, language, filters, personal data, and the stage that applies them."""

from nativize.clean.decide import FILTERED_SCHEMA
from nativize.clean.stage import FILTER, clean_digests, filter_shards

__all__ = ["FILTER", "FILTERED_SCHEMA", "clean_digests", "filter_shards"]
