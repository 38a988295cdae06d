"""Files of one document each: plain text and Markdown, and how all such files are read."""

from collections.abc import Callable, Iterator

from nativize.crawl.encoding import decode
from nativize.crawl.framing import BEGIN as WARC_BEGINS
from nativize.crawl.members import read_members
from nativize.crawl.reader import CrawlFile, Item, Quarantined


def read_text(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """The file as one document; an empty file is dropped as empty.

    WARC records under the name of a text, as ``sample.warc.txt``, would be one long document.
    """

    def text_of(data: bytes) -> str:
        if WARC_BEGINS.match(data):
            raise ValueError('these are WARC records: set format = "wet" (or "warc") in the recipe')
        return decode(data, only=file.source.encoding)

    return read_whole(file, maximum_bytes, text_of)


def read_whole(
    file: CrawlFile, maximum_bytes: int, text_of: Callable[[bytes], str]
) -> Iterator[Item]:
    """The text of the whole file as one document, or why it is none.

    Args:
        file: the crawl file.
        maximum_bytes: the longest file that is held, uncompressed.
        text_of: makes the text of the bytes; raises a ValueError that says why it cannot.
    """
    size = file.path.stat().st_size
    content = bytearray()
    for member in read_members(file.path):
        while chunk := member.read():
            content += chunk
            if len(content) > maximum_bytes:
                reason = f"longer than max_document_bytes ({maximum_bytes})"
                yield Quarantined(reason, 0, size, size)
                return
        if member.damage:
            lost = len(content) + member.damage.lost_bytes
            yield Quarantined(member.damage.reason, 0, size, lost)
            return
    try:
        text = text_of(bytes(content))
    except ValueError as error:
        yield Quarantined(str(error), 0, size, len(content))
    else:
        yield file.document(text, offset=0, length=size)
