"""Formats: what a file's name and the recipe say."""

from pathlib import Path

import pytest

from nativize.crawl.formats import format_of
from nativize.errors import CrawlError
from nativize.recipe import CrawlSource


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.warc", "warc"),
        ("a.warc.gz", "warc"),
        ("a.warc.zst", "warc"),
        ("a.warc.wet.gz", "wet"),
        ("A.JSONL", "jsonl"),
        ("a.v2.md", "text"),
        ("a.txt.gz", "text"),
        ("ja.txt.xz", "cc100"),
        ("a.warc.wat.gz", "wat"),
        ("a.arc.gz", "arc"),
        ("index.HTML", "html"),
        ("a.json.gz", "json"),
        ("a.po", "po"),
        ("jawiki-20251101-pages-articles.xml.bz2", "wikipedia"),
        ("jawiki-20251101-pages-articles1.xml-p1p114794.bz2", "wikipedia"),
    ],
)
def test_a_name_tells_the_format(name, kind):
    assert format_of(CrawlSource(name="s", path="*"), Path(name)) == kind


def test_the_recipe_overrules_the_name():
    source = CrawlSource(name="s", path="*", format="jsonl")
    assert format_of(source, Path("a.txt")) == "jsonl"


def test_a_misspelt_format_is_an_error_with_the_nearest_one():
    source = CrawlSource(name="s", path="*", format="jsnol")
    with pytest.raises(CrawlError, match="Did you mean 'jsonl'"):
        format_of(source, Path("a.txt"))


@pytest.mark.parametrize("name", ["CC-MAIN-00000.gz", "sample.wet.1", "crawl", "a.dat.zst"])
def test_a_name_that_tells_nothing_is_an_error_that_says_to_set_the_format(name):
    with pytest.raises(CrawlError, match=r"Set\s'format' in the recipe \(warc, wet"):
        format_of(CrawlSource(name="s", path="*"), Path(name))
