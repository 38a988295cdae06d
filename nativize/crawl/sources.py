"""Which files a source offers, what they are called, and their digests.

A name is relative to the fixed part of the source's glob, so that moving a crawl to another disk
moves no document's id.
"""

import glob
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from nativize.artifact import sha256_of
from nativize.crawl.formats import format_of
from nativize.crawl.reader import CrawlFile
from nativize.errors import CrawlError
from nativize.recipe import Crawl, CrawlSource

SAFE_NAME = re.compile(r"[A-Za-z0-9._\-]{1,120}")


def crawl_files(crawl: Crawl, directory: Path) -> list[CrawlFile]:
    """All files of all sources, by source as the recipe lists them, then by name.

    Raises:
        CrawlError: a source matches nothing, or holds a file of unknown format.
    """
    return [file for source in crawl.source for file in _source_files(source, directory)]


def crawl_identity(crawl: Crawl, directory: Path) -> dict[str, str]:
    """``<source>/<relative name>`` → SHA-256 of every crawl file's bytes."""
    return {
        f"{file.source.name}/{file.name}": sha256_of(file.path)
        for file in crawl_files(crawl, directory)
    }


def listing_digest(crawl: Crawl, directory: Path) -> str:
    """SHA-256 over names, sizes and modification times: cheap, to see that something moved."""
    digest = hashlib.sha256()
    for file in crawl_files(crawl, directory):
        stat = file.path.stat()
        line = f"{file.source.name}/{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def shard_stem(file: CrawlFile) -> str:
    """The name that a crawl file's shards begin with; safe in any file system."""
    if SAFE_NAME.fullmatch(file.name):
        return f"{file.source.name}-{file.name}"
    safe = re.sub(r"[^A-Za-z0-9._\-]+", "_", file.name)[-100:]
    digest = hashlib.sha256(file.name.encode()).hexdigest()[:8]
    return f"{file.source.name}-{safe}-{digest}"


def _source_files(source: CrawlSource, directory: Path) -> Iterator[CrawlFile]:
    pattern = directory / source.path
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
        yield CrawlFile(source, path, _name(source, path, fixed), format_of(source, path))


def _name(source: CrawlSource, path: Path, fixed: Path) -> str:
    name = path.relative_to(fixed).as_posix()
    if not name.isprintable():
        raise CrawlError(
            f"crawl source '{source.name}': the name of {path!r} is no valid text; rename the file"
        )
    return name


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
