"""The crawl: sources, readers, extraction, and the stage that turns files into documents."""

from nativize.crawl.document import SCHEMA, Document, DocumentFile, count_documents
from nativize.crawl.sources import crawl_identity, listing_digest
from nativize.crawl.stage import READ_CRAWL, read_crawl

__all__ = [
    "READ_CRAWL",
    "SCHEMA",
    "Document",
    "DocumentFile",
    "count_documents",
    "crawl_identity",
    "listing_digest",
    "read_crawl",
]
