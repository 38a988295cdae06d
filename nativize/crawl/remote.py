"""Remote files: what names one, what a server says of it, and how it is shown to people.

Nothing that is recorded or logged holds a secret: user names, passwords and the parameters by
which a URL is signed are left out.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from nativize.errors import CrawlError
from nativize.recipe import CrawlSource

WEB = ("http", "https")
BLOCK_BYTES = 1 << 20
SECRET = re.compile(
    r"sig|token|key|secret|auth|credential|passw|expires|policy|session|^x-(amz|goog|ms)-", re.I
)
SIGNED_BY_AZURE = {"sv", "ss", "srt", "sp", "se", "st", "spr", "sr", "sip"}


class UnreachableError(CrawlError):
    """A server did not answer as it should; asking again may help, not sooner than `after`."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True)
class Offer:
    """What is known of a file's bytes before they are here; empty: not known.

    Attributes:
        size: bytes.
        etag: the server's name for these bytes, or their hash by another function than SHA-256.
        modified: when they changed, in the server's words.
        sha256: their digest, declared by the recipe or offered by the server.
    """

    size: int | None = None
    etag: str = ""
    modified: str = ""
    sha256: str = ""

    @property
    def identity(self) -> str:
        """What tells these bytes from others, in words; empty where nothing does."""
        if self.sha256:
            return self.sha256
        if self.etag:
            return f"etag {self.etag.removeprefix('W/')}"
        return f"modified {self.modified}, {self.size} bytes" if self.modified else ""

    def same_as(self, other: "Offer") -> bool:
        """Whether two offers can be of the same bytes."""
        if self.sha256 and other.sha256:
            return self.sha256 == other.sha256
        if None not in (self.size, other.size) and self.size != other.size:
            return False
        if self.etag and other.etag:
            return self.etag.removeprefix("W/") == other.etag.removeprefix("W/")
        return not (self.modified and other.modified) or self.modified == other.modified


@dataclass(frozen=True)
class Remote:
    """One remote file of a source.

    Attributes:
        source: the recipe's entry that names it.
        url: where it lies; may hold secrets, so show `shown` instead.
        name: its name in the source.
        offer: what was said of it when it was listed; None: its server is asked.
    """

    source: CrawlSource
    url: str
    name: str
    offer: Offer | None = None

    @property
    def shown(self) -> str:
        """The URL as it may be logged and recorded."""
        return without_secrets(self.url)

    @property
    def wanted(self) -> Offer:
        """The offer; without one, any bytes will do."""
        return self.offer or Offer()


@dataclass(frozen=True)
class Reply:
    """Bytes on their way.

    Attributes:
        offset: where in the file they begin; 0 where a resumption was not possible.
        offer: of which bytes they are.
        ends: whether the protocol itself tells a whole file from a cut one.
        blocks: the bytes.
    """

    offset: int
    offer: Offer
    ends: bool
    blocks: Iterator[bytes]


class Transport(Protocol):
    """How one family of URLs is read."""

    def look(self, url: str) -> Offer:
        """What the server says of a file.

        Raises:
            UnreachableError: it cannot be asked now.
            CrawlError: there is no such file, or it may not be read.
        """
        ...

    def read(self, url: str, offset: int, of: Offer) -> AbstractContextManager[Reply]:
        """The file from ``offset`` where that is still the file ``of`` an earlier reply, else
        from the beginning; raises as `look` does, also while its blocks are read."""
        ...


def scheme(url: str) -> str:
    """The protocol of a URL, lower case; empty for a local path."""
    head, separator, _ = url.partition("://")
    return head.lower() if separator and re.fullmatch(r"[A-Za-z][\w+.\-]*", head) else ""


def without_secrets(url: str) -> str:
    """The URL without user, password and signature: for logs, records and file names."""
    url = re.sub(r"^([^:/]+://)[^/@?#]*@", r"\1", url)
    if scheme(url) not in WEB:
        return url  # elsewhere ? and # are letters of a name
    try:
        parts = urlsplit(url)
    except ValueError:
        raise CrawlError(f"{url.partition('?')[0]}: no valid URL; correct it") from None
    query = parse_qsl(parts.query, keep_blank_values=True)
    azure = SIGNED_BY_AZURE if any(name == "sig" for name, _ in query) else set()
    kept = [(k, v) for k, v in query if not SECRET.search(k) and k.lower() not in azure]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), ""))


def reason(error: BaseException) -> str:
    """What an error of a library says, in one line without queries and passwords."""
    said: Any = re.sub(r"\?[^\s'\")>]*", "?…", f"{type(error).__name__}: {error}")
    return re.sub(r"//[^/@\s]*@", "//", said).replace("\n", " ")[:300]
