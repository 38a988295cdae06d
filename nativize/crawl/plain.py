"""Plain text and Markdown: one file, one document."""

from collections.abc import Iterator

from nativize.crawl.encoding import UndecodableError, decode
from nativize.crawl.members import read_members
from nativize.crawl.reader import CrawlFile, Item, Quarantined


def read_text(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """The file as one document; an empty file is dropped as empty."""
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
            yield Quarantined(member.damage.reason, 0, size, len(content))
            return
    try:
        text = decode(bytes(content), only=file.source.encoding)
    except UndecodableError as error:
        yield Quarantined(str(error), 0, size, len(content))
    else:
        yield file.document(text, offset=0, length=size)
