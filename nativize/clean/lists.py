"""A user's own lists: blocked URLs and domains, and words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import ahocorasick
import numpy as np
from numpy.typing import NDArray

from nativize.errors import RecipeError
from nativize.recipe import Clean
from nativize.recipe.clean import WordList
from nativize.texts import Texts

DEFAULT_PORTS = {"http": 80, "https": 443}


def read_lines(path: Path, what: str) -> list[tuple[int, str]]:
    """Number and text of every line that is neither blank nor a comment (#).

    Raises:
        RecipeError: there is no such file, or it is not UTF-8.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{what}: cannot read the list {path} ({error}). Its path is relative to the recipe;"
            " it is UTF-8 text with one entry a line, # begins a comment."
        ) from error
    stripped = ((number, line.strip()) for number, line in enumerate(lines, 1))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def list_paths(clean: Clean, directory: Path) -> dict[str, Path]:
    """Every list of a recipe's [clean] by name: what decides about documents and lies outside."""
    paths = {f"words:{words.name}": directory / words.path for words in clean.words}
    return (
        {**paths, "blocked_urls": directory / clean.blocked_urls} if clean.blocked_urls else paths
    )


def canonical_url(url: str) -> str:
    """A URL as it is compared: no scheme, user, default port, fragment or last slash."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return url.strip()
    host = (parts.hostname or "").removeprefix("www.")
    own_port = f":{port}" if port and port != DEFAULT_PORTS.get(parts.scheme) else ""
    return urlunsplit(("", host + own_port, parts.path.rstrip("/"), parts.query, "")).lstrip("/")


def domains_of(url: str) -> list[str]:
    """The host of a URL and every domain above it."""
    try:
        host = urlsplit(url.strip()).hostname or ""
    except ValueError:
        return []
    labels = host.split(".")
    return [".".join(labels[first:]) for first in range(len(labels) - 1)]


@dataclass(frozen=True)
class BlockedUrls:
    """Domains, which block their subdomains, and beginnings of URLs."""

    domains: frozenset[str]
    prefixes: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "BlockedUrls":
        lines = [line for _, line in read_lines(path, "[clean] blocked_urls")]
        domains = {line.lower().removeprefix("www.") for line in lines if "/" not in line}
        prefixes = [canonical_url(u if "://" in u else f"http://{u}") for u in lines if "/" in u]
        return cls(frozenset(domains), tuple(sorted(prefixes)))

    def blocks(self, url: str) -> bool:
        if any(domain in self.domains for domain in domains_of(url)):
            return True
        return bool(self.prefixes) and canonical_url(url).startswith(self.prefixes)


@dataclass(frozen=True)
class Words:
    """One list of words, ready to be found in texts; ASCII case does not matter.

    Source: Aho, Corasick 1975, "Efficient string matching", as pyahocorasick has it.
    """

    wanted: WordList
    automaton: ahocorasick.Automaton
    whole: bool

    @classmethod
    def read(cls, wanted: WordList, path: Path, *, whole: bool) -> "Words":
        """``whole``: a word must stand between characters that are no letters or digits.

        Raises:
            RecipeError: the list cannot be read or holds no word.
        """
        automaton = ahocorasick.Automaton()
        for _, word in read_lines(path, f"[[clean.words]] {wanted.name}"):
            automaton.add_word(word.lower(), len(word))
        if not len(automaton):
            raise RecipeError(f"[[clean.words]] {wanted.name}: {path} holds no word")
        automaton.make_automaton()
        return cls(wanted, automaton, whole)

    def dropped(self, texts: Texts) -> NDArray[np.bool_]:
        """Which texts hold too many of the words."""
        return np.fromiter((self._is_over(texts[n]) for n in range(len(texts))), np.bool_)

    def _is_over(self, text: str) -> bool:
        lengths = list(self._found(text.lower()))
        if self.wanted.maximum_share:
            return sum(lengths) > self.wanted.maximum_share * len(text)
        return len(lengths) > self.wanted.maximum_count

    def _found(self, text: str) -> Iterator[int]:
        for last, length in self.automaton.iter_long(text):
            around = text[max(0, last - length) : last - length + 1] + text[last + 1 : last + 2]
            if not self.whole or not any(character.isalnum() for character in around):
                yield length


@dataclass(frozen=True)
class Lists:
    """All lists of a recipe's [clean]."""

    urls: BlockedUrls | None
    words: Sequence[Words]

    @classmethod
    def read(cls, clean: Clean, paths: Mapping[str, Path], *, whole_words: bool) -> "Lists":
        urls = BlockedUrls.read(paths["blocked_urls"]) if "blocked_urls" in paths else None
        words = [Words.read(w, paths[f"words:{w.name}"], whole=whole_words) for w in clean.words]
        return cls(urls, words)
