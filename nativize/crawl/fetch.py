"""A remote file on this disk: downloaded once, resumed where it was cut, whole or not there.

Below ``<home>/downloads/<server>/``, by a key of the URL without its secrets::

    <key>/<name>       the file, renamed here when it is whole and on disk
    <key>.json         of which bytes it is a copy, in the server's words and as SHA-256
    <key>.part         what has arrived of an unfinished download
    <key>.part.json    of which bytes that is, and how much of it is surely on disk
    <key>.lock         who downloads

A power cut may leave zeros where a file had grown, so a download is resumed from what was synced.
"""

import hashlib
import logging
import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nativize.artifact import sha256_of, write_json
from nativize.artifact.digests import remembered_digests
from nativize.artifact.lock import exclusive
from nativize.crawl.partial import Partial, read_json, receive
from nativize.crawl.progress import Progress
from nativize.crawl.remote import WEB, Offer, Remote, scheme
from nativize.errors import CrawlError
from nativize.home import nativize_home

log = logging.getLogger(__name__)

PARALLEL = 4
"""Downloads at once: servers of crawls slow a connection down, and answer 503 to many."""


@dataclass(frozen=True)
class Record:
    """What is known of a whole download."""

    url: str
    offer: Offer
    bytes: int
    sha256: str

    def is_of(self, wanted: Offer) -> bool:
        """Whether the bytes that are wanted are these."""
        if wanted.sha256:
            return self.sha256 == wanted.sha256
        return self.offer.identity == wanted.identity and self.offer.same_as(wanted)


@dataclass(frozen=True)
class Place:
    """Where a remote file lies, or will."""

    stem: Path
    name: str

    @property
    def file(self) -> Path:
        return self.stem / self.name

    @property
    def partial(self) -> Partial:
        return Partial(self.beside("part"), self.beside("part.json"))

    def record(self) -> Record | None:
        """The record of a download whose file is here with its recorded size."""
        try:
            data = read_json(self.beside("json"))
            record = Record(**{**data, "offer": Offer(**data["offer"])})
            return record if self.file.stat().st_size == record.bytes else None
        except (OSError, KeyError, TypeError):  # never fetched, removed, or of another version
            return None

    def publish(self, record: Record) -> None:
        """The partial file as the whole one; the record last."""
        self.stem.mkdir(exist_ok=True)
        os.replace(self.partial.file, self.file)
        _sync_directory(self.stem)
        write_json(self.beside("json"), asdict(record))
        self.partial.remove()

    def beside(self, suffix: str) -> Path:
        """A file about it: its record, its lock, what has arrived of it."""
        return self.stem.with_name(f"{self.stem.name}.{suffix}")


def place_of(remote: Remote) -> Place:
    """Where a remote file lies once it is fetched."""
    shown = remote.shown
    server = _safe(f"{scheme(shown)}-{urlsplit(shown).netloc}")
    key = hashlib.sha256(shown.encode()).hexdigest()[:16]
    path = urlsplit(shown).path if scheme(shown) in WEB else shown
    name = _safe(unquote(path.rpartition("/")[2]))[-100:]
    return Place(nativize_home() / "downloads" / server / key, name.lstrip(".") or "file")


def fetch_files(remotes: Sequence[Remote]) -> list[Offer]:
    """Every file at its place, and of which bytes it is; what is there already is left alone.

    Raises:
        CrawlError: a file cannot be fetched, is too large, or has another digest than declared;
            what has arrived of the others is kept.
    """
    missing = missing_files(remotes)
    if missing:
        _fetch_missing(missing)
    return [_held(remote) for remote in remotes]


def missing_files(remotes: Sequence[Remote]) -> list[Remote]:
    """Those whose bytes do not lie at their place, as their offer names them and they arrived."""
    records = {place_of(remote).file: place_of(remote).record() for remote in remotes}
    digests = remembered_digests(file for file, record in records.items() if record)

    def is_here(remote: Remote) -> bool:
        file = place_of(remote).file
        record = records[file]
        return bool(record and record.is_of(remote.wanted) and record.sha256 == digests[file])

    return [remote for remote in remotes if not is_here(remote)]


def fetch(remote: Remote, progress: Progress, stop: threading.Event) -> None:
    """One file at its place; where it changed at its server, the bytes that are there now."""
    place = place_of(remote)
    with exclusive(place.beside("lock"), f"fetching {remote.shown}"):
        if missing_files([remote]):  # else another process was faster
            got = receive(remote, place.partial, progress, stop)
            size, digest = place.partial.file.stat().st_size, sha256_of(place.partial.file)
            _require_digest(remote, digest, place)
            same = not remote.wanted.sha256 and remote.wanted.same_as(got)
            offer = remote.wanted if same else replace(got, sha256="")
            place.publish(Record(remote.shown, offer, size, digest))
    progress.file_done()


def _fetch_missing(missing: Sequence[Remote]) -> None:
    stop = threading.Event()
    known = [remote.wanted.size for remote in missing]
    total = None if None in known else sum(size or 0 for size in known)
    pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="fetch")
    with Progress(len(missing), total) as progress:
        try:
            for future in [pool.submit(fetch, remote, progress, stop) for remote in missing]:
                future.result()
        finally:  # also of an interrupt: the threads see it at their next block
            stop.set()
            pool.shutdown(cancel_futures=True)
    log.info("downloads: %s", progress)


def _held(remote: Remote) -> Offer:
    """Of which bytes the file at a remote's place is."""
    record = place_of(remote).record()
    if record is None:
        raise CrawlError(f"{remote.shown}: its download vanished; start the walk again")
    return remote.wanted if record.is_of(remote.wanted) else record.offer


def _require_digest(remote: Remote, digest: str, place: Place) -> None:
    expected = remote.wanted.sha256
    if expected and digest != expected:
        place.partial.remove()
        raise CrawlError(
            f"crawl source '{remote.source.name}': {remote.shown} has SHA-256 {digest}, expected"
            f" was {expected}; it is not kept. Correct 'sha256' in the recipe if the new content"
            " is meant."
        )


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._\-]+", "_", name)
