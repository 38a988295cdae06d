"""The formats: their names in a recipe, their suffixes, and what reads them.

To add a format, write one file with a reader and add one line to `FORMATS`. A reader is a function
``read(file, maximum_bytes) -> Iterator[Item]``: it yields a `Document` (made by `file.document`), a
`Dropped` or a `Quarantined` for every record, never raises for what a file holds, and never holds
more than ``maximum_bytes`` of a record. `read_members` gives it the uncompressed bytes of a file,
and says what of them is damaged.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from nativize.crawl.arc import read_arc
from nativize.crawl.catalogue import read_po
from nativize.crawl.columns import read_parquet
from nativize.crawl.lines import read_jsonl
from nativize.crawl.objects import read_json
from nativize.crawl.pages import read_html
from nativize.crawl.paragraphs import read_cc100
from nativize.crawl.plain import read_text
from nativize.crawl.reader import Reader
from nativize.crawl.warc import read_warc
from nativize.crawl.wikipedia import read_wikipedia
from nativize.errors import CrawlError
from nativize.recipe import CrawlSource


@dataclass(frozen=True)
class Format:
    """A kind of crawl file.

    Attributes:
        name: what the recipe's `format` calls it.
        suffixes: what its files' names end with, lower case, with or without a compression.
        read: its reader.
        bundled: whether small neighbours share a shard, as files of one document each should.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Reader
    bundled: bool = False


FORMATS = (
    Format("warc", (".warc",), read_warc),
    Format("wet", (".wet",), read_warc),
    Format("wat", (".wat",), read_warc),
    Format("arc", (".arc",), read_arc),
    Format("html", (".html", ".htm", ".xhtml"), read_html, bundled=True),
    Format("text", (".txt", ".text", ".md", ".markdown", ".rst"), read_text, bundled=True),
    Format("po", (".po",), read_po, bundled=True),
    Format("cc100", (".txt.xz",), read_cc100),
    Format("jsonl", (".jsonl", ".ndjson"), read_jsonl),
    Format("json", (".json",), read_json),
    Format("wikipedia", (".xml",), read_wikipedia),
    Format("parquet", (".parquet",), read_parquet),
)
BY_NAME: Mapping[str, Format] = {kind.name: kind for kind in FORMATS}
BY_SUFFIX = {suffix: kind.name for kind in FORMATS for suffix in kind.suffixes}
COMPRESSIONS = (".gz", ".zst", ".zstd", ".bz2", ".xz")
PART_OF_A_DUMP = re.compile(r"-p\d+p\d+$")
"""What Wikipedia appends to the suffix of a dump's parts: ``….xml-p1p114794.bz2``."""


def format_of(source: CrawlSource, path: PurePath) -> str:
    """The name of a file's format: what the source says, else what the file's name ends with.

    Raises:
        CrawlError: there is no such format, or the name does not tell; lists the known ones.
    """
    if source.format != "auto":
        return _known(source)
    name = path.name.lower()
    bare = name
    while bare.endswith(COMPRESSIONS):
        bare = bare.rpartition(".")[0]
    for candidate in (name, PART_OF_A_DUMP.sub("", bare)):
        fitting = [suffix for suffix in BY_SUFFIX if candidate.endswith(suffix)]
        if fitting:
            return BY_SUFFIX[max(fitting, key=len)]
    raise CrawlError(
        f"crawl source '{source.name}': cannot tell the format of {path} from its name. Set"
        f" 'format' in the recipe ({', '.join(BY_NAME)}), narrow 'path', or use one of the"
        f" suffixes {', '.join(BY_SUFFIX)} (also with {', '.join(COMPRESSIONS)})."
    )


def _known(source: CrawlSource) -> str:
    if source.format in BY_NAME:
        return source.format
    near = difflib.get_close_matches(source.format, BY_NAME, 1)
    meant = f"Did you mean '{near[0]}'? " if near else ""
    raise CrawlError(
        f"crawl source '{source.name}': there is no format '{source.format}'. {meant}Known are"
        f" auto, {', '.join(BY_NAME)}."
    )
