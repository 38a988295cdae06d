"""A crawl source names one place, and none of what names it is identity."""

import pytest
from pydantic import ValidationError

from nativize.recipe import CrawlSource, identity

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "exactly one of path, paths_file, hub, got none"),
        ({"path": ""}, "exactly one of"),
        ({"path": []}, "exactly one of"),
        ({"path": ["a", ""]}, "at least 1 character"),
        ({"path": "a", "hub": "org/name", "revision": COMMIT}, r"got \['path', 'hub'\]"),
        ({"hub": "org/name"}, "a commit of 40 hex digits"),
        ({"hub": "org/name", "revision": "main"}, "a commit of 40 hex digits"),
        ({"hub": "name", "revision": COMMIT}, "should match pattern"),
        ({"hub": "../name/x", "revision": COMMIT}, "should match pattern"),
        ({"path": "a", "files": "*"}, "'files' belongs to 'hub'"),
        ({"path": "a", "prefix": "b"}, "'prefix' belongs to 'paths_file'"),
        ({"path": "a", "sha256": "12"}, "should match pattern"),
        ({"path": "a", "sha256": {"a": "12"}}, "should match pattern"),
        ({"paths_file": "a", "maximum_files": -1}, "greater than or equal to 0"),
        ({"path": "a", "maximum_file_bytes": 0}, "greater than or equal to 1"),
    ],
)
def test_a_contradiction_is_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CrawlSource.model_validate({"name": "s", **given})


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"path": ["https://a.example/1.warc", "b/*.warc"]},
        {"path": "s3://bucket/*.warc", "sha256": {"1.warc": DIGEST}, "recheck_seconds": 0},
        {"paths_file": "warc.paths.gz", "prefix": "https://a.example/", "maximum_files": 3},
        {"hub": "org/name", "revision": COMMIT, "files": "*.warc", "maximum_file_bytes": 7},
    ],
)
def test_where_a_crawl_lies_is_no_identity(elsewhere: dict[str, object]) -> None:
    here = CrawlSource(name="s", path="crawl/*.warc")
    assert identity(CrawlSource.model_validate({"name": "s", **elsewhere})) == identity(here)
