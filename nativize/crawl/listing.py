"""Which remote files a source names: by URL, by a glob that can be listed, by a file of paths.

A listing is recorded below ``<home>/downloads/listings``. That of a hub data set is never asked for
again, since its commit is pinned; another is the last word of a server that cannot be reached.
"""

import glob
import gzip
import hashlib
import logging
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from nativize.artifact import write_json
from nativize.crawl.fetch import fetch_files, place_of
from nativize.crawl.filesystem import fixed_part, list_files
from nativize.crawl.offers import LISTINGS, with_offers
from nativize.crawl.partial import read_json
from nativize.crawl.remote import WEB, Offer, Remote, UnreachableError, scheme, without_secrets
from nativize.errors import CrawlError
from nativize.home import nativize_home
from nativize.recipe import CrawlSource

log = logging.getLogger(__name__)

PATHS_BYTES = 256_000_000
"""Of an uncompressed file of paths; Common Crawl's 90,000 are 12 MB."""


def files_at(source: CrawlSource, url: str) -> list[Remote]:
    """The files of one URL or glob, named relative to its fixed part."""
    if scheme(url) in WEB:
        return [Remote(source, url, _name_on_the_web(source, url))]
    if not glob.has_magic(url):
        return [Remote(source, url, url.rpartition("/")[2])]
    return _matches(source, url)


def files_of_hub(source: CrawlSource) -> list[Remote]:
    """The files of a hub data set at its commit."""
    return _matches(source, f"hf://datasets/{source.hub}@{source.revision}/{source.files}")


def lines_of_paths_file(source: CrawlSource, directory: Path) -> list[str]:
    """The lines of a file of paths: URLs and paths, the first ``maximum_files`` of them.

    Raises:
        CrawlError: it cannot be read whole, is empty, or a line names what it may not.
    """
    file = _paths_file(source, directory)
    found = (line for line in _lines(source, file) if line)
    lines = list(islice(found, source.maximum_files or None))
    if not lines:
        raise CrawlError(f"crawl source '{source.name}': {file} names no file")
    for line in lines:
        _require_harmless(source, line)
    return lines


def local_path(url: str) -> str:
    """The path of a ``file://`` URL; any other path as it is."""
    if scheme(url) != "file":
        return url
    parts = urlsplit(url.replace("?", "%3F").replace("#", "%23"))
    if parts.netloc not in ("", "localhost"):
        raise CrawlError(f"{url}: a file URL names a file of this machine: file:///…")
    return url2pathname(parts.path)


def _matches(source: CrawlSource, url: str) -> list[Remote]:
    found = LISTINGS.get(url, source.recheck_seconds, lambda: _listed(source, url))
    if not found:
        raise CrawlError(
            f"crawl source '{source.name}': no file matches {without_secrets(url)}."
            " Correct the glob in the recipe; ** reaches into subdirectories."
        )
    fixed = fixed_part(url)
    return [Remote(source, fixed + name, name, offer) for name, offer in found.items()]


def _listed(source: CrawlSource, url: str) -> dict[str, Offer]:
    """Name → offer of what a glob matches: now, or when its server was last heard."""
    shown = without_secrets(url)
    key = hashlib.sha256(shown.encode()).hexdigest()[:16]
    record = nativize_home() / "downloads" / "listings" / f"{key}.json"
    known = read_json(record)
    if known and scheme(url) == "hf":
        return _offers(known)
    try:
        found = list_files(url)
    except UnreachableError as error:
        if not known:
            raise CrawlError(
                f"crawl source '{source.name}': {error}, and it was not listed before."
                " Walk again with a network."
            ) from error
        log.warning("%s; its last listing is taken as current", error)
        return _offers(known)
    listing = {"url": shown, "files": {name: asdict(offer) for name, offer in found.items()}}
    if listing != known:
        write_json(record, listing)
    return found


def _offers(listing: Mapping[str, Any]) -> dict[str, Offer]:
    return {name: Offer(**offer) for name, offer in sorted(listing["files"].items())}


def _name_on_the_web(source: CrawlSource, url: str) -> str:
    parts = urlsplit(without_secrets(url))
    name = unquote(parts.path.rpartition("/")[2])
    if not name or "*" in parts.path:
        raise CrawlError(
            f"crawl source '{source.name}': {without_secrets(url)} names no single file, and"
            " nothing can be listed over HTTP. Name the files, or a list of them by 'paths_file'."
        )
    return f"{name}?{parts.query}" if parts.query else name


def _paths_file(source: CrawlSource, directory: Path) -> Path:
    if scheme(source.paths_file) in ("", "file"):
        return directory / local_path(source.paths_file)
    # the source's digests are of the files it lists, not of the list
    listing = source.model_copy(update={"sha256": ""})
    (remote,) = with_offers(files_at(listing, source.paths_file))
    fetch_files([remote])
    return place_of(remote).file


def _lines(source: CrawlSource, file: Path) -> Iterator[str]:
    """The lines of a plain or gzip file; a cut one is an error, never a shorter list."""
    try:
        with file.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        taken = 0
        with gzip.open(file) if packed else file.open("rb") as stream:
            while line := stream.readline(PATHS_BYTES):
                taken += len(line)
                if taken > PATHS_BYTES:
                    raise ValueError(f"more than {PATHS_BYTES:,} bytes of paths")
                yield line.decode().strip()
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise CrawlError(
            f"crawl source '{source.name}': paths_file {file} cannot be read: {error}."
            " It holds one path or URL a line, plain or gzip."
        ) from error


def is_plain_name(name: str) -> bool:
    """Whether a name has neither control characters nor undecodable bytes.

    Spaces of all kinds occur, U+3000 in Chinese and Japanese names; Python calls them unprintable.
    """
    return all(c.isprintable() or unicodedata.category(c) == "Zs" for c in name)


def _require_harmless(source: CrawlSource, line: str) -> None:
    """A list from elsewhere must not name files of this machine, but below the prefix."""
    listed_elsewhere = scheme(source.paths_file) not in ("", "file")
    climbs = ".." in line.split("/") or (not scheme(line) and line.startswith(("/", "~")))
    local = scheme(line) == "file" or (not scheme(line) and not scheme(source.prefix))
    if not is_plain_name(line) or "*" in line or (listed_elsewhere and local) or climbs:
        raise CrawlError(
            f"crawl source '{source.name}': paths_file names {line[:200]!r}; a line is a URL or a"
            " path below 'prefix', and a list from elsewhere names no local file"
        )
