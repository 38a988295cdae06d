"""The files of one source, each once, wherever they lie: local globs, URLs, lists, the hub."""

import glob
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from nativize.crawl.fetch import place_of
from nativize.crawl.formats import format_of
from nativize.crawl.listing import (
    files_at,
    files_of_hub,
    is_plain_name,
    lines_of_paths_file,
    local_path,
)
from nativize.crawl.reader import CrawlFile
from nativize.crawl.remote import WEB, Remote, scheme, without_secrets
from nativize.errors import CrawlError
from nativize.recipe import CrawlSource

LOCAL = ("", "file")


@dataclass(frozen=True)
class Offered:
    """A file of a source: here already, or remote, and then `file` says where it will lie."""

    file: CrawlFile
    remote: Remote | None = None

    @property
    def identity(self) -> str:
        """What is known of a remote file's bytes; empty for a local one, which can be read."""
        return self.remote.wanted.identity if self.remote else ""


def files_of(source: CrawlSource, directory: Path) -> list[Offered]:
    """The files of one source by name.

    Raises:
        CrawlError: none is there, one is of unknown format, or a name stands for two files.
    """
    found: dict[tuple[str, Path], Offered] = {}
    for entry in _found(source, directory):
        found.setdefault((entry.file.name, entry.file.path), entry)
    _require_one_name_each(source, list(found))
    _require_known_names(source, {name for name, _ in found})
    return sorted(found.values(), key=lambda entry: entry.file.name.split("/"))


def _found(source: CrawlSource, directory: Path) -> Iterator[Offered]:
    if source.hub:
        yield from map(_remote, files_of_hub(source))
    elif source.paths_file:
        for line in lines_of_paths_file(source, directory):
            yield _line(source, directory, line)
    for path in source.paths:
        if scheme(path) in LOCAL:
            yield from _local_files(source, directory / local_path(path))
        else:
            yield from map(_remote, files_at(source, path))


def _line(source: CrawlSource, directory: Path, line: str) -> Offered:
    """The file that a line of a paths file names; relative lines are below the prefix."""
    prefix = (
        source.prefix if not source.prefix or source.prefix.endswith("/") else f"{source.prefix}/"
    )
    url = line if scheme(line) else prefix + line
    if scheme(url) in LOCAL:
        return _local(source, directory / local_path(url), line.removeprefix("file://"))
    shown = without_secrets(url)
    below = bool(prefix) and shown.startswith(without_secrets(prefix))
    name = shown.removeprefix(without_secrets(prefix)) if below else shown.partition("://")[2]
    return _remote(Remote(source, url, unquote(name)))


def _remote(remote: Remote) -> Offered:
    file = CrawlFile(remote.source, place_of(remote).file, _text(remote.source, remote.name), "")
    path = remote.name.partition("?")[0] if scheme(remote.url) in WEB else remote.name
    return Offered(replace(file, format=format_of(remote.source, Path(path))), remote)


def _local(source: CrawlSource, path: Path, name: str) -> Offered:
    return Offered(CrawlFile(source, path, _text(source, name), format_of(source, path)))


def _local_files(source: CrawlSource, pattern: Path) -> Iterator[Offered]:
    fixed = _fixed_part(pattern)
    matches = sorted(Path(match) for match in glob.glob(str(pattern), recursive=True))
    paths = [path for path in matches if path.is_file()]
    if not paths:
        raise CrawlError(
            f"crawl source '{source.name}': no file matches {pattern}"
            f" ({_what_is_there(pattern, fixed)}). Correct 'path' in the recipe; it is a glob"
            " relative to the recipe's directory, ** reaches into subdirectories."
        )
    for path in paths:
        yield _local(source, path, path.relative_to(fixed).as_posix())


def _text(source: CrawlSource, name: str) -> str:
    if not is_plain_name(name):
        raise CrawlError(
            f"crawl source '{source.name}': the name of {name!r} is no valid text; rename the file"
        )
    return name


def _require_one_name_each(source: CrawlSource, found: list[tuple[str, Path]]) -> None:
    """A name is part of ids, and a file read twice would make every document twice."""
    for part, what in enumerate(("name", "file")):
        seen = [str(entry[part]) for entry in found]
        if len(set(seen)) < len(seen):
            twice = next(value for value in seen if seen.count(value) > 1)
            raise CrawlError(
                f"crawl source '{source.name}': two of its files have the same {what}, {twice}."
                " Let each file match one path, and give directories sources of their own."
            )


def _require_known_names(source: CrawlSource, names: set[str]) -> None:
    if isinstance(source.sha256, str):
        if source.sha256 and len(names) > 1:
            raise CrawlError(
                f"crawl source '{source.name}': one sha256 for {len(names)} files. Give a table"
                " of name and digest, or narrow the source to one file."
            )
        return
    unknown = sorted(source.sha256.keys() - names)
    if unknown:
        raise CrawlError(
            f"crawl source '{source.name}': sha256 names {unknown[0]!r}, which is no file of it."
            f" Its files are called like {min(names)!r}."
        )


def _fixed_part(pattern: Path) -> Path:
    """The directory before the first wildcard."""
    fixed = Path(pattern.anchor)
    for part in pattern.parent.parts[1 if pattern.anchor else 0 :]:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def _what_is_there(pattern: Path, fixed: Path) -> str:
    if pattern.is_dir():
        return "it is a directory, add /*"
    if not fixed.is_dir():
        return f"there is no directory {fixed}"
    return f"{fixed} holds {sum(1 for _ in fixed.iterdir())} entries, none fits"
