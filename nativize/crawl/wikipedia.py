"""Wikipedia's ``pages-articles`` dumps: articles as text, one page in memory at a time.

Pages are found in the bytes (within a page ``<`` is always written ``&lt;``) and each is parsed by
itself: a broken page costs that page, and a document type declaration, the one place where entities
can be declared, is a syntax error within it. So there is nothing that an entity could blow up to or
reach for.

An article is its title, a blank line, its text. Its address carries title and page id; its id stays
the same from dump to dump.

Source: https://www.mediawiki.org/wiki/Help:Export, https://www.mediawiki.org/xml/export-0.11.xsd
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote
from xml.etree import ElementTree

from nativize.crawl.reader import CrawlFile, Dropped, Item, Quarantined
from nativize.crawl.split import Piece, split
from nativize.crawl.wikitext import plain_text

MARK = re.compile(rb"</?page>")
MARK_BYTES = len(b"</page>")
BASE = re.compile(rb"<base>([^<]{1,500})</base>")
DATABASE = re.compile(rb"<dbname>([a-z_\-]{2,20})wiki</dbname>")
NAMESPACE = re.compile(rb'<namespace key="(6|14)"[^>]*>([^<]{1,100})</namespace>')
AROUND = re.compile(rb"<mediawiki|</mediawiki>")
"""What an export begins and ends with; parts that others made may lack both."""
ARTICLE = "0"


@dataclass(frozen=True)
class Site:
    """What a dump says of itself before its first page.

    Attributes:
        address: where its pages lie, up to their titles; empty where the dump does not say.
        language: the language of its name.
        hidden: what the site calls its namespaces of files and of categories.
    """

    address: str = ""
    language: str = ""
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, head: bytes) -> "Site":
        base, database = BASE.search(head), DATABASE.search(head)
        return cls(
            address=_text(base[1]).rpartition("/")[0] + "/" if base else "",
            language=_text(database[1]).replace("_", "-") if database else "",
            hidden=frozenset(_text(name).lower() for _, name in NAMESPACE.findall(head)),
        )


def read_wikipedia(file: CrawlFile, maximum_bytes: int) -> Iterator[Item]:
    """Every page: articles as documents, other pages and redirects dropped by their reason."""
    site: Site | None = None
    is_open, pages, told, around = False, 0, False, b""
    for piece in split(file, MARK, MARK_BYTES, maximum_bytes):
        if isinstance(piece, Quarantined):
            yield piece
            is_open, told = False, True
            continue
        site = site or Site.of(piece.data or b"")
        if is_open or piece.mark == b"</page>":
            yield _item(file, site, piece, is_open, maximum_bytes)
            told = piece.mark != b"</page>"
        else:
            around = [around, *AROUND.findall(piece.data or b"")][-1]
        is_open = piece.mark == b"<page>"
        pages += is_open
    size = file.path.stat().st_size
    if not pages:
        yield Quarantined("no MediaWiki export: there is no <page> in it", 0, size, size)
    elif around == b"<mediawiki" and not told:
        yield Quarantined("the export is cut: it has no </mediawiki>", size, 0, 0)


def _item(file: CrawlFile, site: Site, piece: Piece, is_open: bool, maximum_bytes: int) -> Item:
    if not is_open:
        return piece.refused("page without its beginning")
    if piece.mark != b"</page>":
        return piece.refused("page without its end")
    if piece.data is None:
        return piece.refused(f"longer than max_document_bytes ({maximum_bytes})")
    try:
        page = ElementTree.fromstring(b"<page>" + piece.data + b"</page>")
    except ElementTree.ParseError as error:
        return piece.refused(f"no XML: {error}")
    return _article(file, site, piece, page)


def _article(file: CrawlFile, site: Site, piece: Piece, page: ElementTree.Element) -> Item:
    title, identifier = page.findtext("title", ""), page.findtext("id", "")
    revisions = page.findall("revision")
    if not title or not identifier.isdecimal() or not revisions:
        return piece.refused("page without title, id or revision")
    if page.findtext("ns", ARTICLE) != ARTICLE:
        return Dropped("not_an_article", piece.length)
    if page.find("redirect") is not None:
        return Dropped("redirect", piece.length)
    newest = revisions[-1]
    if newest.findtext("model", "wikitext") != "wikitext":
        return Dropped("not_wikitext", piece.length)
    try:
        text = plain_text(newest.findtext("text") or "", site.hidden)
    except (ValueError, RecursionError) as error:
        return piece.refused(f"no wikitext to parse: {error}")
    return file.document(
        f"{title}\n\n{text}" if text else "",
        offset=piece.offset,
        length=piece.length,
        locator=f"page {identifier}",
        url=_address(site, title, identifier),
        fetched_at=newest.findtext("timestamp", ""),
        language=site.language,
    )


def _address(site: Site, title: str, identifier: str) -> str:
    if not site.address:
        return ""
    return f"{site.address}{quote(title.replace(' ', '_'), safe=':/,()')}?curid={identifier}"


def _text(data: bytes) -> str:
    return html.unescape(data.decode("utf-8", "replace"))
