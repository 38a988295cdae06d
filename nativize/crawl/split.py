"""The uncompressed bytes of a file split at marks, with bounded memory.

What lies between two marks is one piece. A piece over the bound is passed over without being held.
Where a compressed member breaks, the piece that was open and the damage are one quarantined record.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nativize.crawl.members import read_members
from nativize.crawl.reader import CrawlFile, Quarantined


@dataclass(frozen=True)
class Piece:
    """Bytes between two marks.

    Attributes:
        offset: its place in the uncompressed text.
        length: its bytes, without marks.
        data: what it holds; None where that is more than the bound.
        mark: the mark that ended it; empty at the end of the file.
    """

    offset: int
    length: int
    data: bytes | None
    mark: bytes = b""

    def refused(self, reason: str) -> Quarantined:
        return Quarantined(reason, self.offset, self.length, self.length, "uncompressed")


def split(
    file: CrawlFile, mark: re.Pattern[bytes], mark_bytes: int, maximum_bytes: int
) -> Iterator[Piece | Quarantined]:
    """The pieces of all members; one quarantined record for each damaged member.

    Args:
        file: the crawl file.
        mark: what pieces end with.
        mark_bytes: the longest mark.
        maximum_bytes: the longest piece that is held.
    """
    held, position, skipped = bytearray(), 0, 0
    for member in read_members(file.path):
        while chunk := member.read():
            start = max(0, len(held) - mark_bytes + 1)
            held += chunk
            while found := mark.search(held, start):
                length = skipped + found.start()
                data = bytes(held[: found.start()]) if length <= maximum_bytes else None
                yield Piece(position, length, data, found.group())
                position += length + len(found.group())
                del held[: found.end()]
                skipped = start = 0
            passed_over = max(0, len(held) - mark_bytes + 1)
            if skipped + passed_over > maximum_bytes:
                skipped += passed_over
                del held[:passed_over]
        if member.damage:
            open_bytes = skipped + len(held)
            damage = member.damage
            lost = open_bytes + damage.lost_bytes
            yield Quarantined(damage.reason, damage.offset, damage.length, lost)
            position, skipped = position + open_bytes, 0
            held.clear()
    length = skipped + len(held)
    if length:
        yield Piece(position, length, bytes(held) if length <= maximum_bytes else None)
