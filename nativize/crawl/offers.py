"""What servers say of files now, or said when they were last heard.

A declared SHA-256 needs no server. What a server said is trusted for the recipe's
``recheck_seconds`` in this process, so that one walk asks once and sees one state of the world. A
server that cannot be reached is believed its last word where the whole file is here.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from nativize.crawl.fetch import place_of
from nativize.crawl.partial import pause_after, transport_of
from nativize.crawl.remote import Offer, Remote, UnreachableError
from nativize.errors import CrawlError
from nativize.recipe import CrawlSource

log = logging.getLogger(__name__)

PARALLEL = 16
ATTEMPTS = 3
T = TypeVar("T")


class Recent(Generic[T]):
    """Answers of this process, each with when it came."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, T]] = {}

    def get(self, question: str, seconds: float, ask: Callable[[], T]) -> T:
        """The answer, asked for again where it is older than ``seconds``."""
        asked, answer = self._answers.get(question, (float("-inf"), None))
        if answer is not None and time.monotonic() - asked < seconds:
            return answer
        fresh = ask()
        self._answers[question] = time.monotonic(), fresh
        return fresh

    def forget(self) -> None:
        """Every answer, since one of them was seen to be old."""
        self._answers.clear()


LOOKS: Recent[Offer] = Recent()
LISTINGS: Recent[dict[str, Offer]] = Recent()


def with_offers(remotes: Sequence[Remote]) -> list[Remote]:
    """The files, each with what is known of its bytes.

    Raises:
        CrawlError: there is no such file; its server says nothing that tells versions apart; or
            it cannot be reached, and the file was never fetched.
    """
    silent: set[str] = set()
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="look") as pool:
        offers = list(pool.map(lambda remote: _offer(remote, silent), remotes))
    if silent:
        log.warning(
            "no answer from %s; what was downloaded earlier is taken as current",
            ", ".join(sorted(silent)),
        )
    return [replace(remote, offer=offer) for remote, offer in zip(remotes, offers, strict=True)]


def declared_digest(source: CrawlSource, name: str) -> str:
    """The SHA-256 that the recipe declares for a file; empty where it declares none."""
    return source.sha256 if isinstance(source.sha256, str) else source.sha256.get(name, "")


def _offer(remote: Remote, silent: set[str]) -> Offer:
    digest = declared_digest(remote.source, remote.name)
    if digest:
        return Offer(remote.wanted.size, sha256=digest)
    return remote.offer or _look(remote, silent)


def _look(remote: Remote, silent: set[str]) -> Offer:
    server = urlsplit(remote.shown).netloc or remote.shown
    try:
        if server in silent:  # a thousand files of a dead server must not wait one by one
            raise UnreachableError(f"{remote.shown}: its server does not answer")
        recheck = remote.source.recheck_seconds
        return LOOKS.get(remote.url, recheck, lambda: _ask(remote))
    except UnreachableError as error:
        record = place_of(remote).record()
        if record is None:
            raise CrawlError(
                f"crawl source '{remote.source.name}': {error}, and the file was not downloaded"
                " before. Walk again with a network, or declare its 'sha256' and put it in place."
            ) from error
        silent.add(server)
        return record.offer


def _ask(remote: Remote) -> Offer:
    offer = _patiently(remote)
    if not offer.identity:
        raise CrawlError(
            f"crawl source '{remote.source.name}': the server of {remote.shown} sends neither ETag"
            " nor Last-Modified, so that a change would pass unseen. Set 'sha256' in the recipe."
        )
    return offer


def _patiently(remote: Remote) -> Offer:
    for attempt in range(1, ATTEMPTS):
        try:
            return transport_of(remote.url).look(remote.url)
        except UnreachableError as error:
            time.sleep(pause_after(attempt, error))
    return transport_of(remote.url).look(remote.url)
