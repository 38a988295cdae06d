"""Files as members: gzip members, zstd frames, bzip2 and xz streams, or the plain file.

Every member is read with a bound, says afterwards whether it was damaged and where, and damage in
one never costs the next. A cut at the end of a file is damage too (FastWARC and warcio pass it
silently).

As fast as the libraries' own reading (MB of 60 MB Japanese HTML a second, one busy core, theirs
and ours): gzip in one member 171 and 211, in 3,000 members 154 and 174; zstd in 3,000 frames 553
and 667; bzip2 43 and 42; xz 477 and 1,700, for it is not joined to one string.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from nativize.crawl.compression.bzip2 import Bzip2Member
from nativize.crawl.compression.gzip import GzipMember
from nativize.crawl.compression.member import Damage, Member, PlainMember, size_of
from nativize.crawl.compression.xz import XzMember
from nativize.crawl.compression.zstd import ZstdMember

__all__ = ["Damage", "Member", "PlainMember", "read_members"]

FILE_BUFFER_BYTES = 1 << 20
SUFFIXES: dict[str, Callable[[BinaryIO, int], Member]] = {
    ".gz": GzipMember,
    ".zst": ZstdMember,
    ".zstd": ZstdMember,
    ".bz2": Bzip2Member,
    ".xz": XzMember,
}
MAGIC: dict[bytes, Callable[[BinaryIO, int], Member]] = {
    b"\x1f\x8b": GzipMember,
    b"\x28\xb5\x2f\xfd": ZstdMember,
    b"\x5d\x2a\x4d\x18": ZstdMember,
    b"BZh": Bzip2Member,
    b"\xfd7zXZ\x00": XzMember,
}


def read_members(path: Path) -> Iterator[Member]:
    """The members of a file in order; compression by suffix, else by magic number."""
    with path.open("rb", buffering=FILE_BUFFER_BYTES) as stream:
        if not size_of(stream):
            return
        member: Member | None = _kind(path, stream.read(6))(stream, 0)
        while member:
            yield member
            while member.read():
                pass
            member = member.following()


def _kind(path: Path, begin: bytes) -> Callable[[BinaryIO, int], Member]:
    if path.suffix.lower() in SUFFIXES:
        return SUFFIXES[path.suffix.lower()]
    return next((kind for magic, kind in MAGIC.items() if begin.startswith(magic)), PlainMember)
