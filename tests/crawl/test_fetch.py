"""Fetching over real connections: whole or not there, resumed, bounded, once."""

import json
import logging
import subprocess
import sys
import time
import traceback
from hashlib import sha256
from pathlib import Path

import pytest

from nativize.crawl import offers, partial
from nativize.crawl.fetch import fetch_files, place_of
from nativize.crawl.offers import with_offers
from nativize.crawl.remote import Remote, without_secrets
from nativize.errors import CrawlError
from nativize.recipe import CrawlSource
from tests.crawl.file_server import FileServer, Served, file_server

DATA = bytes(range(256)) * 40_000  # 10 MB, so that a cut falls between two blocks
OTHER = DATA[::-1]
FETCH = (
    "import sys; from nativize.crawl.fetch import fetch_files;"
    "from nativize.crawl.offers import with_offers; from nativize.crawl.remote import Remote;"
    "from nativize.recipe import CrawlSource; source = CrawlSource(name='s', path='x');"
    "fetch_files(with_offers([Remote(source, sys.argv[1], 'a.warc')]))"
)
"""A program that fetches the URL it is given."""


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("NATIVIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(partial, "FIRST_PAUSE_SECONDS", 0.01)
    with file_server() as server:
        yield server


def remote(server: FileServer, name: str = "a.warc", **options) -> Remote:
    """A file of the server, looked at just now."""
    source = CrawlSource(name="s", path="x", recheck_seconds=0, **options)
    (found,) = with_offers([Remote(source, f"{server.url}/{name}", name)])
    return found


def fetched(*remotes: Remote) -> bytes:
    fetch_files(remotes)
    return place_of(remotes[0]).file.read_bytes()


def leftovers(tmp_path: Path) -> list[str]:
    return [p.name for p in (tmp_path / "home" / "downloads").rglob("*.part*")]


def test_a_file_is_fetched_once(server, tmp_path):
    server.files["/a.warc"] = Served(DATA)
    assert fetched(remote(server)) == DATA
    assert fetched(remote(server)) == DATA
    assert server.methods() == ["HEAD", "GET", "HEAD"]
    assert leftovers(tmp_path) == []


def test_a_cut_download_goes_on_where_it_was(server):
    server.files["/a.warc"] = Served(DATA, cuts=[3_000_000, 4_000_000])
    assert fetched(remote(server)) == DATA
    ranges = [range for method, _, range in server.requests if method == "GET"]
    assert ranges == ["", "bytes=3000000-", "bytes=7000000-"]


@pytest.mark.parametrize("how", [{"etag": ""}, {"etag": 'W/"weak"'}])
def test_without_a_strong_etag_the_date_guards_the_resumption(server, how):
    server.files["/a.warc"] = Served(DATA, cuts=[3_000_000], **how)
    assert fetched(remote(server)) == DATA
    assert server.requests[-1][2] == "bytes=3000000-"


def test_without_any_strong_validator_it_starts_over(server):
    server.files["/a.warc"] = Served(DATA, etag='W/"weak"', modified="", cuts=[3_000_000])
    assert fetched(remote(server)) == DATA
    assert server.requests[-1][2] == ""


def test_a_server_without_ranges_sends_all_again(server):
    server.files["/a.warc"] = Served(DATA, ranges=False, cuts=[3_000_000])
    assert fetched(remote(server)) == DATA


def test_a_file_that_changed_between_two_attempts_is_never_mixed(server):
    changed = Served(OTHER, etag='"two"')
    server.files["/a.warc"] = Served(DATA, cuts=[3_000_000], then=changed)
    assert fetched(remote(server)) == OTHER


def test_a_server_that_ignores_the_condition_is_seen_by_its_etag(server):
    """A broken server that sends the rest of the new file behind the begin of the old one."""
    changed = Served(OTHER, etag='"two"')
    server.files["/a.warc"] = Served(DATA, cuts=[3_000_000], then=changed)
    changed.etag, kept = '"one"', changed.etag  # the condition fits, the answer says otherwise
    begin = server.RequestHandlerClass._begin

    def lying(handler, served, *rest):
        if served is changed:
            served.etag = kept
        begin(handler, served, *rest)

    server.RequestHandlerClass = type("Lying", (server.RequestHandlerClass,), {"_begin": lying})
    assert fetched(remote(server)) == OTHER


def test_a_length_that_is_too_long_is_a_cut_that_stays(server):
    server.files["/a.warc"] = Served(b"x" * 1000, length="2000", ranges=False)
    with pytest.raises(CrawlError, match=r"6 attempts failed"):
        fetched(remote(server))
    assert not place_of(remote(server)).file.exists()


def test_without_any_length_a_cut_would_pass_unseen(server):
    server.files["/a.warc"] = Served(DATA, length="")
    with pytest.raises(CrawlError, match="does not say how long"):
        fetched(remote(server))
    assert fetched(remote(server, sha256=sha256(DATA).hexdigest())) == DATA


def test_chunks_tell_a_cut_from_an_end(server):
    server.files["/a.warc"] = Served(DATA, length="", chunked=True, cuts=[3_000_000])
    assert fetched(remote(server)) == DATA
    assert server.methods() == ["HEAD", "GET", "GET"]


def test_a_passing_fault_is_waited_for(server):
    server.files["/a.warc"] = Served(DATA, statuses=[503, 429])
    assert fetched(remote(server)) == DATA


@pytest.mark.parametrize("status", [404, 403])
def test_a_lasting_fault_is_said_at_once(server, status):
    server.files["/a.warc"] = Served(DATA)
    found = remote(server)
    server.files["/a.warc"].statuses = [status]
    with pytest.raises(CrawlError, match=f"answers {status}"):
        fetched(found)
    assert server.methods() == ["HEAD", "GET"]


def test_a_server_without_head_is_asked_for_one_byte(server):
    server.files["/a.warc"] = Served(DATA, head=405)
    assert fetched(remote(server)) == DATA


def test_a_file_that_says_its_size_is_refused_before_it_is_fetched(server, tmp_path):
    server.files["/a.warc"] = Served(DATA)
    with pytest.raises(CrawlError, match=r"10,240,000 bytes.*maximum_file_bytes is 1,000") as error:
        fetched(remote(server, maximum_file_bytes=1000))
    assert f"{server.url}/a.warc" in str(error.value)
    assert leftovers(tmp_path) == []


def test_a_file_that_does_not_is_refused_on_its_way(server, tmp_path):
    server.files["/a.warc"] = Served(DATA, length="")
    digest = sha256(DATA).hexdigest()
    with pytest.raises(CrawlError, match="maximum_file_bytes is 3,000,000"):
        fetched(remote(server, maximum_file_bytes=3_000_000, sha256=digest))
    assert leftovers(tmp_path) == []


def test_a_wrong_digest_names_both_and_keeps_nothing(server, tmp_path):
    server.files["/a.warc"] = Served(DATA)
    wanted = remote(server, sha256="0" * 64)
    with pytest.raises(CrawlError, match=f"{sha256(DATA).hexdigest()}, expected was {'0' * 64}"):
        fetched(wanted)
    assert leftovers(tmp_path) == []
    assert not place_of(wanted).file.exists()


def test_a_redirect_is_followed(server):
    server.files["/a.warc"] = Served(redirect=f"{server.url}/b.warc")
    server.files["/b.warc"] = Served(DATA)
    assert fetched(remote(server)) == DATA


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://a.example/a", "data:,x"])
def test_a_redirect_to_another_protocol_is_refused(server, target):
    server.files["/a.warc"] = Served(redirect=target)
    with pytest.raises(CrawlError, match="neither http nor https"):
        remote(server)


def test_what_is_encoded_on_the_way_is_refused(server):
    server.files["/a.warc"] = Served(DATA, encoding="gzip")
    with pytest.raises(CrawlError, match=r"encoded \(gzip\)"):
        fetched(remote(server))


def test_gzip_files_come_as_they_lie_there(server):
    server.files["/a.warc.gz"] = Served(DATA, encoding="gzip")
    assert fetched(remote(server, "a.warc.gz")) == DATA


def test_without_etag_and_time_a_digest_must_be_declared(server):
    server.files["/a.warc"] = Served(DATA, etag="", modified="")
    with pytest.raises(CrawlError, match="neither ETag nor Last-Modified"):
        remote(server)


def test_a_damaged_download_is_fetched_again(server):
    server.files["/a.warc"] = Served(DATA)
    found = remote(server)
    fetched(found)
    place_of(found).file.write_bytes(OTHER)
    assert fetched(found) == DATA


def test_a_kill_before_the_renaming_costs_no_second_download(server):
    server.files["/a.warc"] = Served(DATA)
    found = remote(server)
    place = place_of(found)
    place.stem.parent.mkdir(parents=True)
    place.partial.file.write_bytes(DATA)
    state = {"offer": {"size": len(DATA), "etag": '"one"'}, "synced": len(DATA)}
    place.partial.state.write_text(json.dumps(state))
    assert fetched(found) == DATA
    assert server.methods() == ["HEAD"]


def test_a_kill_costs_what_was_not_yet_synced(server):
    server.files["/a.warc"] = Served(DATA, stalls=5_000_000)
    found = remote(server)
    code = f"from nativize.crawl import partial; partial.SYNC_BYTES = 1_000_000; {FETCH}"
    process = subprocess.Popen([sys.executable, "-c", code, found.url])
    for _ in range(600):
        if place_of(found).partial.begun()[0] > 2_000_000:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    begun = place_of(found).partial.begun()[0]
    server.files["/a.warc"].stalls = 0
    assert fetched(found) == DATA
    assert server.requests[-1][2] == f"bytes={begun}-"
    assert begun > 2_000_000


def test_two_processes_fetch_a_file_once(server, tmp_path):
    server.files["/a.warc"] = Served(DATA)
    command = [sys.executable, "-c", FETCH, f"{server.url}/a.warc"]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert server.methods().count("GET") == 1
    assert place_of(remote(server)).file.read_bytes() == DATA


def test_a_failure_keeps_what_arrived_of_it(server):
    server.files["/a.warc"] = Served(DATA, cuts=[500_000] + [0] * 5)
    found = remote(server)
    with pytest.raises(CrawlError, match="500,000 bytes are kept"):
        fetched(found)
    assert fetched(found) == DATA
    assert server.requests[-1][2] == "bytes=500000-"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:word@h.example/a?id=5", "https://h.example/a?id=5"),
        ("https://h.example/a?X-Amz-Signature=s&X-Amz-Date=d&id=5", "https://h.example/a?id=5"),
        ("https://h.example/a?sv=2024&se=2025&sig=s%2B", "https://h.example/a"),
        ("https://h.example/a?AWSAccessKeyId=k&Expires=1&Signature=s", "https://h.example/a"),
        ("s3://key:word@bucket/a#b?c", "s3://bucket/a#b?c"),
        ("hf://datasets/o/n@main/a", "hf://datasets/o/n@main/a"),
        ("crawl/*.warc?", "crawl/*.warc?"),
    ],
)
def test_secrets_of_a_url_are_never_shown(url, shown):
    assert without_secrets(url) == shown


def test_no_secret_is_logged_or_written(server, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="nativize")
    server.files["/a.warc?token=hunter2"] = Served(DATA, statuses=[503], cuts=[1])
    address = server.url.replace("//", "//user:swordfish@")
    source = CrawlSource(name="s", path="x")
    fetch_files(with_offers([Remote(source, f"{address}/a.warc?token=hunter2", "a.warc")]))
    files = sorted((tmp_path / "home").rglob("*.json"))
    said = caplog.text + str(files) + "".join(path.read_text() for path in files)
    assert f"{server.url}/a.warc" in said
    assert not any(word in said for word in ("hunter2", "swordfish"))


@pytest.mark.parametrize(
    "address", ["http://user:swordfish@127.0.0.1:9", "http://a..b", "http://["]
)
def test_no_secret_is_in_an_error_or_in_what_caused_it(server, monkeypatch, address):
    monkeypatch.setattr(offers, "ATTEMPTS", 1)
    source = CrawlSource(name="s", path="x")
    with pytest.raises(CrawlError) as error:
        with_offers([Remote(source, f"{address}/a.warc?token=hunter2", "a.warc")])
    said, shown = "", traceback.TracebackException.from_exception(error.value)
    while shown:
        said += str(shown)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    assert not any(word in said for word in ("hunter2", "swordfish"))
