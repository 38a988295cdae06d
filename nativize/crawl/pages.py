"""HTML files in directories: one file, one document, extracted as a page of a WARC is."""

from collections.abc import Iterator

from nativize.crawl.encoding import decode, meta_charset
from nativize.crawl.extraction import extract_text
from nativize.crawl.plain import read_whole
from nativize.crawl.reader import CrawlFile, Item


def read_html(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """The main content of the page as one document."""

    def text_of(data: bytes) -> str:
        return extract_text(decode(data, [meta_charset(data)], only=file.source.encoding))

    return read_whole(file, maximum_bytes, text_of)
