"""Files over HTTP: what a server says of one, and its bytes from an offset.

Errors of the library are not chained: their texts hold the whole URL, secrets included.

The bytes are taken as they lie there: no content encoding is asked for or undone. A resumption
carries If-Range, so that a server whose file changed answers with the whole new file (RFC 9110).
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
import urllib3

from nativize.crawl.remote import (
    BLOCK_BYTES,
    Offer,
    Reply,
    UnreachableError,
    reason,
    without_secrets,
)
from nativize.errors import CrawlError

TIMEOUT_SECONDS = (10.0, 60.0)
"""To connect, and between two blocks."""
PASSING = {408, 425, 429, 500, 502, 503, 504}
NO_HEAD = {400, 403, 405, 501}
"""What servers answer that know no HEAD; signed URLs are often signed for GET alone."""
IDENTITY = {"Accept-Encoding": "identity"}
_local = threading.local()
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Web:
    """The transport of http and https."""

    def look(self, url: str) -> Offer:
        """Size and validators by HEAD, or by a GET of one byte where HEAD is refused."""
        with _request("HEAD", url, {}) as answer:
            if answer.status_code not in NO_HEAD:
                _ = answer.content  # nothing; but now the connection serves the next look
                _require_ok(answer, url)
                return _offer(answer.headers, _length(answer.headers))
        with _request("GET", url, {"Range": "bytes=0-0"}) as answer:
            _require_ok(answer, url)
            partial = _range(answer.headers) if answer.status_code == 206 else None
            return _offer(answer.headers, partial[1] if partial else _length(answer.headers))

    @contextmanager
    def read(self, url: str, offset: int, of: Offer) -> Iterator[Reply]:
        """The file from ``offset``, or from 0 where it changed or the server knows no ranges."""
        condition = _strong(of)
        headers = {"Range": f"bytes={offset}-", "If-Range": condition} if condition else {}
        answer = _request("GET", url, headers if offset else {})
        if offset and not _continues(answer, offset, of):
            offset = 0
            if answer.status_code in (206, 416):  # a range of something else, or beyond the end
                answer.close()
                answer = _request("GET", url, {})
        with answer:
            _require_ok(answer, url)
            _require_plain(answer, url)
            rest = _range(answer.headers) if offset else None
            size = rest[1] if rest else _length(answer.headers)
            ends = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
            yield Reply(offset, _offer(answer.headers, size), ends, _blocks(answer, url))


def _session() -> requests.Session:
    """This thread's session: 90,000 looks at one server must not open 90,000 connections."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    session: requests.Session = _local.session
    return session


def _request(method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
    try:
        return _session().request(
            method,
            url,
            headers={**IDENTITY, **headers},
            stream=True,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=True,
        )
    except (requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        raise CrawlError(
            f"{without_secrets(url)}: it redirects to something that is neither http nor https;"
            " that is not followed. Name the file's own address in the recipe."
        ) from None
    except (requests.exceptions.TooManyRedirects, ValueError) as error:
        raise CrawlError(f"{without_secrets(url)}: cannot be asked for: {reason(error)}") from None
    except requests.RequestException as error:
        raise UnreachableError(f"{without_secrets(url)}: {reason(error)}") from None


def _require_ok(answer: requests.Response, url: str) -> None:
    if answer.status_code in (200, 206):
        return
    said = f"{without_secrets(url)}: the server answers {answer.status_code} {answer.reason}"
    if answer.status_code in PASSING:
        wait = answer.headers.get("Retry-After", "")
        raise UnreachableError(said, float(wait) if wait.isdecimal() else 0.0)
    raise CrawlError(f"{said}. Correct the address in the recipe, or who may read it.")


def _require_plain(answer: requests.Response, url: str) -> None:
    """Encoded bytes are those of the file only where the file's name says so too."""
    encoding = answer.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" and not url.partition("?")[0].endswith(
        (".gz", ".bz2", ".zst", ".br")
    ):
        raise CrawlError(
            f"{without_secrets(url)}: the server sends it encoded ({encoding}) although asked for"
            " plain bytes. Fetch it by other means and name the local file in the recipe."
        )


def _continues(answer: requests.Response, offset: int, of: Offer) -> bool:
    """Whether an answer is the rest of the very file that was begun."""
    found = _range(answer.headers) if answer.status_code == 206 else None
    if found is None or found[0] != offset:
        return False
    return of.same_as(_offer(answer.headers, found[1]))


def _blocks(answer: requests.Response, url: str) -> Iterator[bytes]:
    try:
        while block := answer.raw.read(BLOCK_BYTES, decode_content=False):
            yield block
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UnreachableError(f"{without_secrets(url)}: {reason(error)}") from None


def _offer(headers: Mapping[str, str], size: int | None) -> Offer:
    return Offer(size, headers.get("ETag", "").strip(), headers.get("Last-Modified", "").strip())


def _strong(offer: Offer) -> str:
    """What If-Range may carry: a strong ETag, else a date."""
    return offer.etag if offer.etag and not offer.etag.startswith("W/") else offer.modified


def _length(headers: Mapping[str, str]) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _range(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Begin of a partial answer, and size of the whole file."""
    found = CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if found is None:
        return None
    return int(found.group(1)), int(found.group(2)) if found.group(2) != "*" else None
