"""Which files a source offers, what they are called, and what tells their bytes from others.

A name is relative to the fixed part of the source's glob or URL, so that moving a crawl to another
disk or server moves no document's id.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nativize.artifact.digests import remembered_digests
from nativize.crawl.fetch import fetch_files
from nativize.crawl.offers import LISTINGS, LOOKS, declared_digest, with_offers
from nativize.crawl.places import Offered, files_of
from nativize.crawl.reader import CrawlFile
from nativize.errors import CrawlError
from nativize.recipe import Crawl

SAFE_NAME = re.compile(r"[A-Za-z0-9._\-]{1,120}")


def crawl_files(crawl: Crawl, directory: Path) -> list[CrawlFile]:
    """All files of all sources, by source as the recipe lists them, then by name; all of them here.

    Raises:
        CrawlError: a source matches nothing, holds a file of unknown format or of another digest
            than declared, or a remote file cannot be fetched.
    """
    offered = offered_files(crawl, directory)
    remotes = [entry.remote for entry in offered if entry.remote]
    for remote, held in zip(remotes, fetch_files(remotes), strict=True):
        if held.identity != remote.wanted.identity:
            LOOKS.forget()
            LISTINGS.forget()
            raise CrawlError(
                f"crawl source '{remote.source.name}': {remote.shown} changed at its server while"
                " the walk went on. What is there now was fetched; start the walk again. If this"
                " comes again, its server contradicts itself: set 'sha256' in the recipe."
            )
    _require_declared([entry.file for entry in offered if not entry.remote])
    return [entry.file for entry in offered]


def crawl_identity(crawl: Crawl, directory: Path) -> dict[str, str]:
    """``<source>/<relative name>`` → what tells a crawl file's bytes from others.

    That is their SHA-256 where the file is here, or was declared, or is offered by its server; else
    the server's ETag, or time and size. Nothing is downloaded.
    """
    offered = offered_files(crawl, directory)
    digests = _require_declared([entry.file for entry in offered if not entry.remote])
    return {
        f"{entry.file.source.name}/{entry.file.name}": entry.identity or digests[entry.file.path]
        for entry in offered
    }


def listing_digest(crawl: Crawl, directory: Path) -> str:
    """SHA-256 over names, sizes and times, or what servers say: cheap, to see that it moved."""
    digest = hashlib.sha256()
    for entry in offered_files(crawl, directory):
        stat = None if entry.remote else entry.file.path.stat()
        seen = f"{stat.st_size}\0{stat.st_mtime_ns}" if stat else entry.identity
        digest.update(f"{entry.file.source.name}/{entry.file.name}\0{seen}\n".encode())
    return digest.hexdigest()


def offered_files(crawl: Crawl, directory: Path) -> list[Offered]:
    """All files of all sources, in order, the remote ones with what is known of their bytes.

    Raises:
        CrawlError: as `crawl_files`, but for the fetching.
    """
    listed = [entry for source in crawl.source for entry in files_of(source, directory)]
    remotes = iter(with_offers([entry.remote for entry in listed if entry.remote]))
    return [replace(e, remote=next(remotes)) if e.remote else e for e in listed]


def shard_stem(file: CrawlFile) -> str:
    """The name that a crawl file's shards begin with; safe in any file system."""
    if SAFE_NAME.fullmatch(file.name):
        return f"{file.source.name}-{file.name}"
    safe = re.sub(r"[^A-Za-z0-9._\-]+", "_", file.name)[-100:]
    digest = hashlib.sha256(file.name.encode()).hexdigest()[:8]
    return f"{file.source.name}-{safe}-{digest}"


def _require_declared(files: Sequence[CrawlFile]) -> Mapping[Path, str]:
    """The digests of local files, none other than the recipe declares."""
    digests = remembered_digests(file.path for file in files)
    for file in files:
        expected = declared_digest(file.source, file.name)
        if expected and digests[file.path] != expected:
            raise CrawlError(
                f"crawl source '{file.source.name}': {file.path} has SHA-256"
                f" {digests[file.path]}, expected was {expected}. Put the right file there, or"
                " correct 'sha256' in the recipe if the new content is meant."
            )
    return digests
