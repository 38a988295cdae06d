"""Files of everything that fsspec opens: s3, gs, memory, and the Hugging Face hub (hf).

Errors of the libraries are not chained: their texts may hold credentials.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.utils import glob_translate

from nativize.crawl.remote import BLOCK_BYTES, Offer, Reply, UnreachableError, reason, scheme
from nativize.crawl.remote import without_secrets as shown
from nativize.errors import CrawlError

EXTRAS = {
    "s3": "pip install 'nativize[s3]'",
    "s3a": "pip install 'nativize[s3]'",
    "gs": "pip install gcsfs, of the version of fsspec",
    "gcs": "pip install gcsfs, of the version of fsspec",
    "hf": "pip install huggingface_hub (it comes with 'nativize[train]')",
}
ETAGS = ("ETag", "etag", "e_tag", "md5Hash", "content_md5", "md5", "crc32c", "blob_id")
TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")
"""What the file systems call them; s3fs, gcsfs, adlfs, huggingface_hub, sftp, local, memory."""
READ_BYTES = 16 * BLOCK_BYTES
"""Where nothing is cached, one read is one request."""


class FileSystems:
    """The transport of every protocol but http and https."""

    def look(self, url: str) -> Offer:
        """Size and validators as the file system lists them."""
        system, path = open_system(url)
        with _named(url):
            if scheme(url) != "hf":  # there the commit is pinned, and asking again costs a listing
                system.invalidate_cache()
            info = system.info(path)
            if info["type"] != "file":
                raise CrawlError(f"{shown(url)}: it is a directory, add /*")
            return offer_of(system, info)

    @contextmanager
    def read(self, url: str, offset: int, of: Offer) -> Iterator[Reply]:
        """The file from ``offset`` where it is as it was and the file system can seek."""
        system, path = open_system(url)
        offer = self.look(url)
        with _named(url):
            stream = system.open(path, "rb", cache_type="none")
        with stream:
            offset = offset if offset and of.same_as(offer) and _seek(stream, offset) else 0
            yield Reply(offset, offer, True, self._blocks(url, stream, offer))

    def _blocks(self, url: str, stream: Any, offer: Offer) -> Iterator[bytes]:
        with _named(url):
            while block := stream.read(READ_BYTES):
                yield block
        if not self.look(url).same_as(offer):
            raise UnreachableError(f"{shown(url)}: it changed while it was read")


def open_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        CrawlError: fsspec does not know the protocol, or its package is not installed.
    """
    protocol = scheme(url)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # huggingface_hub reads HF_ENDPOINT when it is imported; this follows it when a crawl is read
    hub = {"endpoint": os.environ.get("HF_ENDPOINT") or None} if protocol == "hf" else {}
    try:
        system, path = fsspec.core.url_to_fs(url, **hub)
    except ImportError as error:
        how = EXTRAS.get(protocol, reason(error))
        raise CrawlError(
            f"{shown(url)}: {protocol}:// needs a package that is not here: {how}"
        ) from None
    except ValueError as error:
        raise CrawlError(f"{shown(url)}: no file system opens it: {reason(error)}") from None
    return system, path


def list_files(url: str) -> dict[str, Offer]:
    """Name below the fixed part → offer of every file that a glob matches.

    Raises:
        UnreachableError: it cannot be listed now.
    """
    system, pattern = open_system(url)
    with _named(url):
        if scheme(url) != "hf":
            system.invalidate_cache()
        fits = re.compile(glob_translate(pattern)).match
        return {
            info["name"].removeprefix(fixed_part(pattern)): offer_of(system, info)
            for info in sorted(_below(system, pattern), key=lambda info: info["name"])
            if fits(info["name"])
        }


def _below(system: Any, pattern: str) -> Iterator[Mapping[str, Any]]:
    """The files that a pattern may match.

    Not by the file system's own glob: fsspec's walk leaves out what it cannot list, so that one
    refused request makes a shorter crawl. Where a flat listing is the file system's own work, it
    takes a request per thousand files instead of one per directory, and raises.
    """
    root = fixed_part(pattern).rstrip("/")
    levels = pattern.removeprefix(root).strip("/").split("/")
    if "**" not in levels:
        yield from _walk(system, root, len(levels))
    elif _finds_by_itself(system):
        yield from system.find(root, detail=True).values()
    else:
        yield from _walk(system, root, sys.maxsize)


def _walk(system: Any, directory: str, levels: int) -> Iterator[Mapping[str, Any]]:
    for info in system.ls(directory, detail=True):
        if info["type"] == "file":
            yield info
        elif levels > 1 and info["name"].rstrip("/") != directory:
            yield from _walk(system, info["name"].rstrip("/"), levels - 1)


def _finds_by_itself(system: Any) -> bool:
    if isinstance(system, AsyncFileSystem):
        return type(system)._find is not AsyncFileSystem._find
    return type(system).find is not fsspec.AbstractFileSystem.find


def fixed_part(pattern: str) -> str:
    """What stands before the first wildcard, up to and with its last slash."""
    magic = min(at for at in map(pattern.find, "*?[") if at >= 0)
    return pattern[: pattern.rfind("/", 0, magic) + 1]


def offer_of(system: Any, info: Mapping[str, Any]) -> Offer:
    """What a file system says of a file: hashes before times before fsspec's own key."""
    lfs = info.get("lfs") or {}  # of the hub: a mapping or an object, as its version likes
    sha256 = lfs.get("sha256") if isinstance(lfs, Mapping) else getattr(lfs, "sha256", "")
    etag = next((str(info[key]) for key in ETAGS if info.get(key)), "")
    modified = next((_time(info[key]) for key in TIMES if info.get(key)), "")
    if not (sha256 or etag or modified):
        etag = f"{system.checksum(info['name'])}"
    return Offer(info.get("size"), etag, modified, sha256 or "")


def _time(value: Any) -> str:
    """A time as text; memory:// lists a number where it tells a datetime of the same file."""
    return str(value.timestamp() if isinstance(value, datetime) else value)


def _seek(stream: Any, offset: int) -> bool:
    try:
        return bool(stream.seek(offset) == offset)
    except (OSError, ValueError, NotImplementedError):
        return False


@contextmanager
def _named(url: str) -> Iterator[None]:
    """Errors of any file system as ours; each back end has a family of its own."""
    try:
        yield
    except CrawlError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise CrawlError(
            f"{shown(url)}: cannot be read: {reason(error)}. Correct the address in the recipe, or"
            " who may read it."
        ) from None
    except Exception as error:  # botocore, aiohttp, google and others share no ancestor
        raise UnreachableError(f"{shown(url)}: {reason(error)}") from None
