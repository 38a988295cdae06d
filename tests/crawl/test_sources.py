"""Sources that lie elsewhere: what they offer, what tells bytes apart, what is asked again."""

import gzip
import importlib.util
import json
import subprocess
import sys
from hashlib import sha1, sha256
from io import BytesIO
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nativize.artifact import ArtifactStore, Inputs
from nativize.crawl import (
    READ_CRAWL,
    crawl_identity,
    listing_digest,
    offers,
    partial,
    read_crawl,
)
from nativize.crawl.sources import crawl_files
from nativize.engine import LocalEngine
from nativize.errors import CrawlError
from nativize.recipe import Crawl, CrawlSource
from tests.crawl.crawl_files import jsonl, rows
from tests.crawl.file_server import Served, file_server

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ONE, TWO = jsonl("一。"), jsonl("二。", "三。")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, short pauses, and no memory of what other tests asked."""
    monkeypatch.setenv("NATIVIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(partial, "FIRST_PAUSE_SECONDS", 0.01)
    forget()
    return tmp_path / "home"


@pytest.fixture
def server():
    with file_server() as server:
        server.files["/crawl/a.jsonl"] = Served(ONE)
        server.files["/crawl/deep/b.jsonl"] = Served(TWO)
        yield server


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.pipe({"/crawl/a.jsonl": ONE, "/crawl/deep/b.jsonl": TWO})
    yield system
    system.rm("/crawl", recursive=True)


def forget() -> None:
    """As a new process, which was told nothing yet."""
    offers.LOOKS.forget()
    offers.LISTINGS.forget()


def crawl_of(**options) -> Crawl:
    return Crawl(source=(CrawlSource(name="s", **{"recheck_seconds": 0, **options}),))


def names(crawl: Crawl, directory: Path = Path("/")) -> list[str]:
    return [file.name for file in crawl_files(crawl, directory)]


def contents(crawl: Crawl, directory: Path = Path("/")) -> list[bytes]:
    return [file.path.read_bytes() for file in crawl_files(crawl, directory)]


# files of every kind


def test_a_url_is_a_file_named_by_its_last_part(server):
    crawl = crawl_of(path=f"{server.url}/crawl/a.jsonl")
    assert (names(crawl), contents(crawl)) == (["a.jsonl"], [ONE])


def test_a_list_of_urls_is_a_source(server):
    paths = [f"{server.url}/crawl/deep/b.jsonl", f"{server.url}/crawl/a.jsonl"]
    assert names(crawl_of(path=paths)) == ["a.jsonl", "b.jsonl"]


def test_globs_of_file_systems_name_files_below_their_fixed_part(memory):
    crawl = crawl_of(path="memory://crawl/**/*.jsonl")
    assert (names(crawl), contents(crawl)) == (["a.jsonl", "deep/b.jsonl"], [ONE, TWO])


def test_a_file_url_is_a_local_glob(tmp_path):
    (tmp_path / "my crawl").mkdir()
    (tmp_path / "my crawl" / "a.jsonl").write_bytes(ONE)
    crawl = crawl_of(path=f"{tmp_path.as_uri()}/my%20crawl/*.jsonl")
    assert contents(crawl) == [ONE]
    assert crawl_files(crawl, tmp_path)[0].path == tmp_path / "my crawl" / "a.jsonl"


def test_where_a_crawl_lies_moves_no_identity(server, memory, tmp_path):
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "a.jsonl").write_bytes(ONE)
    digest = sha256(ONE).hexdigest()
    places = ["crawl/a.jsonl", f"{server.url}/crawl/a.jsonl", "memory://crawl/a.jsonl"]
    crawls = [crawl_of(path=path, sha256=digest) for path in places]
    assert {str(crawl_identity(crawl, tmp_path)) for crawl in crawls} == {
        str({"s/a.jsonl": digest})
    }
    assert {str(names(crawl, tmp_path)) for crawl in crawls} == {"['a.jsonl']"}


# lists of paths


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("at", ["", "{url}/"])
def test_a_paths_file_lists_files_below_its_prefix(server, tmp_path, pack, at):
    listed = pack(b"crawl/deep/b.jsonl\n\ncrawl/a.jsonl\n")
    (tmp_path / "warc.paths.gz").write_bytes(listed)
    server.files["/warc.paths.gz"] = Served(listed)
    paths_file = at.format(url=server.url) + "warc.paths.gz"
    crawl = crawl_of(paths_file=paths_file, prefix=server.url)
    assert names(crawl, tmp_path) == ["crawl/a.jsonl", "crawl/deep/b.jsonl"]
    assert contents(crawl, tmp_path) == [ONE, TWO]


def test_the_first_files_of_a_list_can_be_taken_alone(server, tmp_path):
    (tmp_path / "a.paths").write_text("crawl/deep/b.jsonl\ncrawl/a.jsonl\n")
    crawl = crawl_of(paths_file="a.paths", prefix=server.url, maximum_files=1)
    assert names(crawl, tmp_path) == ["crawl/deep/b.jsonl"]
    assert [path for _, path, _ in server.requests] == ["/crawl/deep/b.jsonl"] * 2


def test_a_line_may_be_a_whole_url(server, tmp_path):
    (tmp_path / "a.paths").write_text(f"{server.url}/crawl/a.jsonl\n")
    (name,) = names(crawl_of(paths_file="a.paths"), tmp_path)
    assert name == f"{server.url.removeprefix('http://')}/crawl/a.jsonl"
    assert names(crawl_of(paths_file="a.paths", prefix=f"{server.url}/"), tmp_path) == [
        "crawl/a.jsonl"
    ]


def test_a_local_list_may_name_local_files(tmp_path):
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "a.jsonl").write_bytes(ONE)
    (tmp_path / "a.paths").write_text("a.jsonl\n")
    crawl = crawl_of(paths_file="a.paths", prefix="crawl")
    assert (names(crawl, tmp_path), contents(crawl, tmp_path)) == (["a.jsonl"], [ONE])


@pytest.mark.parametrize("line", ["../secret.txt", "/etc/passwd", "file:///etc/passwd", "a.txt"])
def test_a_list_from_elsewhere_names_no_local_file(server, tmp_path, line):
    server.files["/a.paths"] = Served(line.encode())
    with pytest.raises(CrawlError, match="names no local file"):
        crawl_identity(crawl_of(paths_file=f"{server.url}/a.paths"), tmp_path)


def test_a_list_that_was_cut_is_no_shorter_list(server, tmp_path):
    packed = gzip.compress(b"crawl/a.jsonl\n" * 1000)
    (tmp_path / "a.paths.gz").write_bytes(packed[:-4])
    crawl = crawl_of(paths_file="a.paths.gz", prefix=server.url)
    with pytest.raises(CrawlError, match="cannot be read"):
        crawl_identity(crawl, tmp_path)


# identity before anything is downloaded


def test_nothing_is_downloaded_to_know_what_is_offered(server):
    crawl = crawl_of(path=f"{server.url}/crawl/a.jsonl")
    assert crawl_identity(crawl, Path("/")) == {"s/a.jsonl": 'etag "one"'}
    listing_digest(crawl, Path("/"))
    assert set(server.methods()) == {"HEAD"}


def test_a_declared_digest_needs_no_server(tmp_path):
    crawl = crawl_of(path="http://127.0.0.1:9/a.jsonl", sha256="0" * 64)
    assert crawl_identity(crawl, tmp_path) == {"s/a.jsonl": "0" * 64}


@pytest.mark.parametrize(
    "change",
    [{"etag": '"two"'}, {"etag": "", "modified": "Tue, 07 Jan 2025 00:00:00 GMT"}],
)
def test_a_change_at_the_server_is_seen(server, change):
    crawl = crawl_of(path=f"{server.url}/crawl/a.jsonl")
    before = crawl_identity(crawl, Path("/")), listing_digest(crawl, Path("/"))
    assert contents(crawl) == [ONE]
    server.files["/crawl/a.jsonl"] = Served(TWO, **change)
    after = crawl_identity(crawl, Path("/")), listing_digest(crawl, Path("/"))
    assert (before[0] != after[0], before[1] != after[1]) == (True, True)
    assert contents(crawl) == [TWO]


def test_a_change_in_a_file_system_is_seen(memory):
    crawl = crawl_of(path="memory://crawl/*.jsonl")
    before = crawl_identity(crawl, Path("/"))
    assert contents(crawl) == [ONE]
    memory.pipe("/crawl/a.jsonl", TWO)
    assert crawl_identity(crawl, Path("/")) != before
    assert contents(crawl) == [TWO]


def test_what_a_server_said_is_trusted_for_a_while(server):
    crawl = crawl_of(path=f"{server.url}/crawl/a.jsonl", recheck_seconds=300)
    for _ in range(3):
        crawl_identity(crawl, Path("/"))
    assert server.methods() == ["HEAD"]


def test_a_file_that_changed_during_the_walk_stops_it_once(server):
    """The walk's fingerprint names the old bytes; the new ones must not stand under it."""
    crawl = crawl_of(path=f"{server.url}/crawl/a.jsonl", recheck_seconds=300)
    crawl_identity(crawl, Path("/"))
    server.files["/crawl/a.jsonl"] = Served(TWO, etag='"two"')
    with pytest.raises(CrawlError, match="start the walk again"):
        crawl_files(crawl, Path("/"))
    assert contents(crawl) == [TWO]


# without a network


def test_offline_a_downloaded_crawl_is_as_it_was(server, caplog):
    crawl = crawl_of(path=f"{server.url}/crawl/a.jsonl")
    assert contents(crawl) == [ONE]
    online = crawl_identity(crawl, Path("/"))
    server.shutdown()
    server.socket.close()
    assert crawl_identity(crawl, Path("/")) == online
    assert contents(crawl) == [ONE]
    assert "no answer from 127.0.0.1" in caplog.text


def test_offline_what_was_never_fetched_is_an_error(tmp_path):
    with pytest.raises(CrawlError, match="was not downloaded before"):
        crawl_identity(crawl_of(path="http://127.0.0.1:9/a.jsonl"), tmp_path)


# what is refused


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("{url}/crawl/*.jsonl", "nothing can be listed over HTTP"),
        ("{url}/crawl/", "names no single file"),
        ("{url}/crawl/none.jsonl", "answers 404"),
        ("memory://crawl/*.warc", "no file matches"),
        ("memory://crawl/deep", "cannot tell the format"),
        ("nothing://crawl/a.jsonl", "no file system opens it"),
        (["{url}/crawl/a.jsonl", "memory://crawl/a.jsonl"], "same name, a.jsonl"),
    ],
)
def test_what_cannot_be_fetched_is_refused_by_name(server, memory, path, says):
    given = [path] if isinstance(path, str) else path
    crawl = crawl_of(path=[one.format(url=server.url) for one in given])
    with pytest.raises(CrawlError, match=says) as error:
        crawl_identity(crawl, Path("/"))
    assert "'s'" in str(error.value) or "://" in str(error.value)


@pytest.mark.skipif(importlib.util.find_spec("s3fs") is not None, reason="s3fs is installed")
def test_s3_without_its_package_names_the_extra():
    with pytest.raises(CrawlError, match=r"nativize\[s3\]"):
        crawl_identity(crawl_of(path="s3://bucket/a.jsonl"), Path("/"))


def test_a_table_of_digests_is_checked_file_by_file(server, memory, tmp_path):
    wrong = {"a.jsonl": sha256(ONE).hexdigest(), "deep/b.jsonl": "0" * 64}
    with pytest.raises(CrawlError, match=r"deep/b\.jsonl has SHA-256"):
        crawl_files(crawl_of(path="memory://crawl/**/*.jsonl", sha256=wrong), tmp_path)


@pytest.mark.parametrize(
    ("digests", "says"),
    [({"c.jsonl": "0" * 64}, "'c.jsonl', which is no file"), ("0" * 64, "one sha256 for 2 files")],
)
def test_digests_that_fit_no_file_are_refused(memory, digests, says):
    with pytest.raises(CrawlError, match=says):
        crawl_identity(crawl_of(path="memory://crawl/**/*.jsonl", sha256=digests), Path("/"))


def test_a_local_file_may_have_a_declared_digest_too(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(ONE)
    with pytest.raises(CrawlError, match="Put the right file there"):
        crawl_identity(crawl_of(path="a.jsonl", sha256="0" * 64), tmp_path)


def test_a_name_of_a_url_leaves_the_downloads_never(server, home):
    for path in ("/crawl/..%2F..%2Fa.jsonl", "/crawl/..%5C..%5Ca.jsonl"):
        server.files[path] = Served(ONE)
        (file,) = crawl_files(crawl_of(path=server.url + path), Path("/"))
        assert (home / "downloads") in file.path.resolve().parents


# file systems: resumed and bounded like the web


class Cutting(MemoryFileSystem):
    """The memory, but the first file that is opened breaks off after a while."""

    protocol = "cutting"
    opened = 0

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("cutting://", "memory://"))

    def open(self, path, *rest, **options):
        Cutting.opened += 1
        stream = super().open(path, "rb")
        return stream if Cutting.opened > 1 else CutFile(stream.getvalue())


class CutFile(BytesIO):
    def read(self, size=-1):
        if self.tell() >= 50_000:
            raise OSError("connection lost")
        return super().read(50_000)


def test_a_copy_from_a_file_system_goes_on_where_it_was(memory, caplog):
    data = jsonl(*(str(number) for number in range(10_000)))
    memory.pipe("/crawl/a.jsonl", data)
    fsspec.register_implementation("cutting", Cutting, clobber=True)
    assert contents(crawl_of(path="cutting://crawl/*.jsonl")) == [data]
    assert Cutting.opened == 2
    assert "connection lost" in caplog.text


class Refusing(Cutting):
    """The memory, but one directory cannot be listed."""

    protocol = "refusing"
    find = fsspec.AbstractFileSystem.find

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("refusing://", "memory://"))

    def ls(self, path, detail=True, **options):
        if path == "/crawl/deep":
            raise OSError("slow down")
        return super().ls(path, detail=detail, **options)


@pytest.mark.parametrize("pattern", ["**/*.jsonl", "*/*.jsonl"])
def test_a_directory_that_cannot_be_listed_makes_no_shorter_crawl(memory, pattern):
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    with pytest.raises(CrawlError, match="slow down"):
        crawl_identity(crawl_of(path=f"refusing://crawl/{pattern}"), Path("/"))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jsonl", ["a.jsonl"]),
        ("*/*.jsonl", ["deep/b.jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "deep/b.jsonl"]),
        ("**", ["a.jsonl", "deep/b.jsonl"]),
        ("deep/?.jsonl", ["b.jsonl"]),
        ("[ab].jsonl", ["a.jsonl"]),
    ],
)
def test_globs_mean_the_same_everywhere(memory, tmp_path, pattern, found):
    (tmp_path / "crawl" / "deep").mkdir(parents=True)
    (tmp_path / "crawl" / "a.jsonl").write_bytes(ONE)
    (tmp_path / "crawl" / "deep" / "b.jsonl").write_bytes(TWO)
    assert names(crawl_of(path=f"crawl/{pattern}"), tmp_path) == found
    assert names(crawl_of(path=f"memory://crawl/{pattern}")) == found


def test_a_file_system_is_bounded_too(memory):
    with pytest.raises(CrawlError, match="maximum_file_bytes is 3"):
        crawl_files(crawl_of(path="memory://crawl/*.jsonl", maximum_file_bytes=3), Path("/"))


# the hub


@pytest.fixture
def hub(server, monkeypatch):
    """The hub's API as far as its file system calls it: revision, tree, resolve."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    api, files = "/api/datasets/org/name", {"data/a.jsonl": ONE, "data/deep/b.jsonl": TWO}
    tree = [{"type": "directory", "path": path, "oid": "0" * 40} for path in ("data", "data/deep")]
    for path, data in files.items():
        git = sha1(b"blob %d\0" % len(data) + data).hexdigest()
        entry = {"type": "file", "path": path, "size": len(data), "oid": git}
        if path.endswith("a.jsonl"):
            digest = sha256(data).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
        tree.append(entry)
        server.files[f"/datasets/org/name/resolve/{COMMIT}/{path}"] = Served(data)
    info = {"id": "org/name", "sha": COMMIT, "siblings": [], "tags": []}
    server.files[f"{api}/revision/{COMMIT}"] = Served(json.dumps(info).encode())
    for path in ("", "/data"):
        below = [entry for entry in tree if f"/{entry['path']}".startswith(f"{path}/")]
        server.files[f"{api}/tree/{COMMIT}{path}"] = Served(json.dumps(below).encode())
    return crawl_of(hub="org/name", revision=COMMIT, files="data/**/*.jsonl")


def test_a_hub_data_set_is_read_at_its_commit(hub, server):
    pytest.importorskip("huggingface_hub")
    assert (names(hub), contents(hub)) == (["a.jsonl", "deep/b.jsonl"], [ONE, TWO])


def test_the_hub_says_what_its_files_hold(hub, server):
    pytest.importorskip("huggingface_hub")
    identity = crawl_identity(hub, Path("/"))
    assert identity["s/a.jsonl"] == sha256(ONE).hexdigest()
    assert identity["s/deep/b.jsonl"].startswith("etag ")
    assert not any("/resolve/" in path for _, path, _ in server.requests)


def test_a_pinned_commit_is_asked_for_once(hub, server):
    pytest.importorskip("huggingface_hub")
    assert contents(hub) == [ONE, TWO]
    asked = len(server.requests)
    forget()
    assert contents(hub) == [ONE, TWO]
    assert len(server.requests) == asked


def test_the_hub_without_its_package_says_what_to_install():
    code = (
        "import sys; sys.modules['huggingface_hub'] = None;"
        "from nativize.crawl.filesystem import list_files;"
        f"list_files('hf://datasets/org/name@{COMMIT}/*')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install huggingface_hub" in done.stderr


# the walk


def test_a_second_walk_downloads_nothing_and_is_reused(server, tmp_path):
    crawl = crawl_of(path=[f"{server.url}/crawl/a.jsonl", f"{server.url}/crawl/deep/b.jsonl"])
    store = ArtifactStore(tmp_path / "store", "r")

    def walk():
        outside = crawl_identity(crawl, tmp_path)
        return store.materialise(
            READ_CRAWL,
            {},
            Inputs(outside=outside),
            lambda place: read_crawl(place, crawl=crawl, directory=tmp_path, engine=LocalEngine(1)),
        )

    first = walk()
    assert sorted(row["text"].strip() for row in rows(first.path)) == ["一。", "三。", "二。"]
    assert server.methods().count("GET") == 2
    assert walk().reused
    assert server.methods().count("GET") == 2
    server.files["/crawl/a.jsonl"] = Served(jsonl("四。"), etag='"new"')
    assert walk().metrics["shards_built"] == 1
    assert server.methods().count("GET") == 3


def test_a_name_may_hold_an_ideographic_space(tmp_path: Path) -> None:
    (tmp_path / "卷一\u3000报应").mkdir()
    (tmp_path / "卷一\u3000报应" / "a.txt").write_text("文")
    crawl = Crawl(source=(CrawlSource(name="s", path="**/*.txt"),))
    assert [file.name for file in crawl_files(crawl, tmp_path)] == ["卷一\u3000报应/a.txt"]
