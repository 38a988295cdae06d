"""A download under way: received block by block, resumed after a cut, bounded."""

import json
import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from nativize.artifact import write_json
from nativize.crawl.filesystem import FileSystems
from nativize.crawl.progress import Progress
from nativize.crawl.remote import WEB, Offer, Remote, Reply, Transport, UnreachableError, scheme
from nativize.crawl.web import Web
from nativize.errors import CrawlError

log = logging.getLogger(__name__)

ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 120.0
STEADY_BYTES = 1_000_000
"""A connection that brought so much before it broke was no failed attempt."""
SYNC_BYTES = 64_000_000


@dataclass(frozen=True)
class Partial:
    """What has arrived of a file, and of which bytes it is."""

    file: Path
    state: Path

    def begun(self) -> tuple[int, Offer]:
        """How much is surely here, and of what."""
        try:
            data = read_json(self.state)
            offset, offer = data["synced"], Offer(**data["offer"])
            offset = min(offset, self.file.stat().st_size)
        except (OSError, KeyError, TypeError):
            return 0, Offer()
        too_long = offer.size is not None and offset > offer.size
        return (0, Offer()) if too_long else (offset, offer)

    def save(self, stream: IO[bytes], offer: Offer) -> None:
        """What was written so far on disk, and that it is."""
        stream.flush()
        os.fsync(stream.fileno())
        write_json(self.state, {"offer": asdict(offer), "synced": stream.tell()})

    def remove(self) -> None:
        """Nothing of it left."""
        self.state.unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)


def transport_of(url: str) -> Transport:
    """What reads URLs of this kind."""
    return Web() if scheme(url) in WEB else FileSystems()


def receive(remote: Remote, partial: Partial, progress: Progress, stop: threading.Event) -> Offer:
    """The whole file in ``partial``, on disk; of which bytes it is.

    Raises:
        CrawlError: it cannot be had after several attempts, or is larger than the recipe allows.
    """
    failures = 0
    progress.add(partial.begun()[0])
    while True:
        before = partial.begun()[0]
        try:
            return _receive_once(remote, partial, progress, stop)
        except UnreachableError as error:
            gained = partial.begun()[0] - before
            failures = 1 if gained > STEADY_BYTES else failures + 1
            if failures == ATTEMPTS:
                raise CrawlError(
                    f"crawl source '{remote.source.name}': {error}. {ATTEMPTS} attempts failed;"
                    f" {partial.begun()[0]:,} bytes are kept, and the next walk goes on there."
                ) from error
            pause = pause_after(failures, error)
            log.warning("%s; again in %.0f s", error, pause)
            stop.wait(pause)


def pause_after(failures: int, error: UnreachableError) -> float:
    """Seconds to leave a server alone: doubling, and at least what it asks for."""
    pause: float = max(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), error.after)
    return min(pause, LONGEST_PAUSE_SECONDS)


def _receive_once(
    remote: Remote, partial: Partial, progress: Progress, stop: threading.Event
) -> Offer:
    offset, of = partial.begun()
    if offset and offset == of.size and of.same_as(remote.wanted):
        return of  # it was killed between the last byte and the renaming
    with transport_of(remote.url).read(remote.url, offset, of) as reply:
        _require_allowed(remote, reply.offer.size or 0, partial)
        _require_end(remote, reply)
        progress.add(reply.offset - offset)
        size = _write(remote, partial, reply, progress, stop)
        if reply.offer.size not in (None, size):
            raise UnreachableError(f"{remote.shown}: {size:,} of {reply.offer.size:,} bytes came")
    return reply.offer


def _write(
    remote: Remote, partial: Partial, reply: Reply, progress: Progress, stop: threading.Event
) -> int:
    """The blocks of a reply behind what is there already; how large the file is now."""
    with partial.file.open("r+b" if reply.offset else "wb") as stream:
        stream.truncate(reply.offset)
        stream.seek(reply.offset)
        if partial.state.exists():  # what it says of earlier bytes must not stand beside new ones
            partial.save(stream, reply.offer)
        try:
            _copy(remote, stream, partial, reply, progress, stop)
        finally:
            if partial.file.exists():
                partial.save(stream, reply.offer)
        return stream.tell()


def _copy(
    remote: Remote,
    stream: IO[bytes],
    partial: Partial,
    reply: Reply,
    progress: Progress,
    stop: threading.Event,
) -> None:
    unsynced = 0
    for block in _until(stop, reply.blocks, remote):
        stream.write(block)
        progress.add(len(block))
        _require_allowed(remote, stream.tell(), partial)
        unsynced += len(block)
        if unsynced > SYNC_BYTES:
            partial.save(stream, reply.offer)
            unsynced = 0


def _until(stop: threading.Event, blocks: Iterable[bytes], remote: Remote) -> Iterable[bytes]:
    for block in blocks:
        if stop.is_set():
            raise CrawlError(f"{remote.shown}: the download was stopped")
        yield block


def _require_allowed(remote: Remote, size: int, partial: Partial) -> None:
    maximum = remote.source.maximum_file_bytes
    if size > maximum:
        partial.remove()
        raise CrawlError(
            f"crawl source '{remote.source.name}': {remote.shown} has {size:,} bytes or more, and"
            f" maximum_file_bytes is {maximum:,}. Raise it in the recipe if that is meant."
        )


def _require_end(remote: Remote, reply: Reply) -> None:
    if reply.offer.size is None and not reply.ends and not remote.wanted.sha256:
        raise CrawlError(
            f"crawl source '{remote.source.name}': the server of {remote.shown} does not say how"
            " long the file is, so that a cut would pass unseen. Set 'sha256' in the recipe."
        )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file that we wrote; empty where there is none or it is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
