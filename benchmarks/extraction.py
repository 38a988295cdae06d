"""Main content of HTML pages: resiliparse, which we use, beside trafilatura, on the same pages.

The pages are the captures and HTML files beside the project whose markup names the element of the
content (`CONTENT`); pages without such an element are left out. The truth is derived from that
structure, not written by hand: blocks of at least 20 characters within the element ought to be
kept, blocks of at least 4 outside it ought not. So an extractor that drops a comment or a table of
contents within the element is blamed for it, and pages whose markup names nothing, the hard ones,
are not judged at all; there are few pages, most of them English.

trafilatura is no dependency of ours: name the Python of an environment that has it. Run it by
`python -m benchmarks.extraction --peer-python /path/to/bin/python`.
"""

import argparse
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.parse.html import DOMNode, HTMLTree

from nativize.crawl.encoding import decode, meta_charset
from nativize.crawl.extraction import extract_text

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT.parent / "shared" / "data" / "crawl"
CAPTURES = (
    "commoncrawl_whirlwind/whirlwind.warc.gz",
    "dolma/sample-0000.warc.gz",
    "jwarc/cc.warc.gz",
    "webarchive_test_suite/post-blackout.warc.gz",
)
CONTENT = (
    "#mw-content-text", "#bodyContent", ".PodBody", ".post", ".page__content", ".entry-content",
    "main", "article", ".uw-content", ".container.content",
)  # fmt: skip
BLOCKS = "p, li, h1, h2, h3, h4, dt, dd, blockquote, td"
KEPT_CHARACTERS = 20
LEAKED_CHARACTERS = 4
ROUNDS = 3

PEER = """
import json, sys, time, trafilatura
pages = json.load(sys.stdin)
options = dict(include_comments=False, include_tables=True)
trafilatura.extract(pages[0], **options)
best = 1e9
for _ in range({rounds}):
    started = time.perf_counter()
    texts = [trafilatura.extract(page, **options) or "" for page in pages]
    best = min(best, time.perf_counter() - started)
json.dump({{"texts": texts, "seconds": best, "version": trafilatura.__version__}}, sys.stdout)
"""


@dataclass(frozen=True)
class Page:
    """A page, and which of its blocks are content and which are not; without white space."""

    name: str
    html: str
    content: frozenset[str]
    around: frozenset[str]


@dataclass(frozen=True)
class Quality:
    """Shares of content blocks that were kept, and of the blocks around it that leaked."""

    kept: float
    leaked: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", help="a Python that has trafilatura")
    options = parser.parse_args()
    pages = [page for name, html in sources() if (page := judged(name, html))]
    if not pages:
        sys.exit(f"no pages: {PAGES} is not here")
    megabytes = sum(len(page.html.encode()) for page in pages) / 1e6
    print(f"{len(pages)} pages, {megabytes:.2f} MB")
    texts, seconds = ours(pages)
    report("resiliparse", pages, texts, megabytes / seconds)
    if options.peer_python:
        found = peer(options.peer_python, pages)
        name = f"trafilatura {found['version']}"
        report(name, pages, found["texts"], megabytes / found["seconds"])


def sources() -> Iterator[tuple[str, str]]:
    """The pages there are, decoded as the readers do."""
    for name in CAPTURES if PAGES.is_dir() else ():
        with (PAGES / name).open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
                if record.http_content_type == "text/html":
                    data = record.reader.read()
                    address = record.headers["WARC-Target-URI"]
                    yield address, decode(data, [record.http_charset, meta_charset(data)])
    for path in sorted(PAGES.glob("uzushio/*.html")):
        data = path.read_bytes()
        yield path.name, decode(data, [meta_charset(data)])


def judged(name: str, html: str) -> Page | None:
    """A page whose markup names its content, or several posts; None for others."""
    body = HTMLTree.parse(html).body
    found = next((nodes for css in CONTENT if (nodes := list(body.query_selector_all(css)))), [])
    content = {block for node in found for block in blocks(node, KEPT_CHARACTERS)}
    within = "".join("".join(node.text.split()) for node in found)
    around = {block for block in blocks(body, LEAKED_CHARACTERS) if block not in within}
    return Page(name, html, frozenset(content), frozenset(around)) if content else None


def blocks(node: DOMNode, characters: int) -> set[str]:
    """The innermost blocks of text below a node, without white space."""
    texts = (
        "".join(block.text.split())
        for block in node.query_selector_all(BLOCKS)
        if not block.query_selector(BLOCKS)
    )
    return {text for text in texts if len(text) >= characters}


def ours(pages: Sequence[Page]) -> tuple[list[str], float]:
    best, texts = float("inf"), []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        texts = [extract_text(page.html) for page in pages]
        best = min(best, time.perf_counter() - started)
    return texts, best


def peer(python: str, pages: Sequence[Page]) -> dict[str, object]:
    """What trafilatura makes of the pages in an environment of its own."""
    run = subprocess.run(
        [python, "-c", PEER.format(rounds=ROUNDS)],
        input=json.dumps([page.html for page in pages]),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.load(io.StringIO(run.stdout))


def quality(page: Page, text: str) -> Quality:
    found = "".join(text.split())
    kept = sum(block in found for block in page.content) / len(page.content)
    leaked = sum(block in found for block in page.around) / max(1, len(page.around))
    return Quality(kept, leaked)


def report(name: str, pages: Sequence[Page], texts: Sequence[str], speed: float) -> None:
    each = [quality(page, text) for page, text in zip(pages, texts, strict=True)]
    kept = sum(one.kept for one in each) / len(each)
    leaked = sum(one.leaked for one in each) / len(each)
    lost = sum(one.kept < 0.5 for one in each)
    print(f"\n{name}: {speed:.1f} MB/s, kept {kept:.3f}, leaked {leaked:.3f}, lost {lost} pages")
    for page, one in zip(pages, each, strict=True):
        print(f"  kept {one.kept:.2f} leaked {one.leaked:.2f}  {page.name[:70]}")


if __name__ == "__main__":
    main()
