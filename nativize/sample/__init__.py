"""A small, honest crawl composed from hand-written material, so that the demo needs no download.

The documents are invented but say true things in natural sentences; around them lies the
dirt of real crawls, every piece of it labelled in ``truth.jsonl``. Equal seed, equal bytes.
"""

from nativize.sample.crawl import add_crawl_file, write_sample

__all__ = ["add_crawl_file", "write_sample"]
