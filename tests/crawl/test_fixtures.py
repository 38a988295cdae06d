"""Real crawl files, several broken on purpose: each is read to its end and its books balance."""

from pathlib import Path

import pytest

from nativize.crawl.formats import format_of
from nativize.crawl.reader import CrawlFile
from nativize.crawl.stage import read_bundle
from nativize.recipe import CrawlSource
from tests.crawl.crawl_files import rows

CRAWL = Path(__file__).resolve().parents[3] / "shared" / "data" / "crawl"
FILES = sorted(path.relative_to(CRAWL).as_posix() for path in CRAWL.rglob("*.*") if path.is_file())
FORMATS = {"cc_net/sample.warc.txt": "wet"}
WITHOUT_A_DOCUMENT = {
    "cc_net/sample.warc.txt",  # its lengths are those of other texts
    "commoncrawl_whirlwind/whirlwind.warc.wat",
    "commoncrawl_whirlwind/whirlwind.warc.wat.gz",
    "resiliparse/block-sized-records.warc",
    "resiliparse/block-sized-records.warc.gz",
    "warcio/bad.arc",
    "warcio/example-digest.warc",  # requests only
    "warcio/example-space-in-target-uri.warc.gz",  # its one page is of another kind
    "warcio/example-trunc.warc",  # its one page is cut
    "warcio/post-test.warc.gz",  # JSON only
}


@pytest.mark.parametrize("name", FILES or ["none"])
def test_every_real_file_is_read_with_balanced_books(shared_data, tmp_path, name):
    path = shared_data / "crawl" / name
    source = CrawlSource(name="real", path=name, format=FORMATS.get(name, "auto"))
    file = CrawlFile(source, path, path.name, format_of(source, path))
    accounts = read_bundle((file,), 16_000_000, 64_000_000, tmp_path).accounts
    accounts.verify(name)
    assert accounts.kept.documents == len(rows(tmp_path))
    assert (accounts.kept.documents == 0) == (name in WITHOUT_A_DOCUMENT)
