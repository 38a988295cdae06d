"""The stage: sources, shards, books, and the same bytes however it is run."""

import hashlib
import json
import tarfile
import zlib
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from nativize.artifact import ArtifactStore, Inputs, file_digests
from nativize.crawl import READ_CRAWL, crawl_identity, listing_digest, read_crawl
from nativize.engine import LocalEngine
from nativize.errors import CrawlError
from nativize.recipe import Crawl, CrawlSource
from tests.crawl.crawl_files import jsonl, members, page, rows, run, warc_record


@pytest.fixture
def crawl_directory(tmp_path):
    directory = tmp_path / "crawl"
    (directory / "deep").mkdir(parents=True)
    (directory / "a.warc.gz").write_bytes(
        members(warc_record(b"", kind="request"), page("一。"), page("二。"))[:-10]
    )
    (directory / "deep" / "b.jsonl").write_bytes(jsonl("三。", "四。") + b"broken\n")
    (directory / "c.txt").write_bytes("五番目の文書です。".encode("cp932"))
    (directory / "d.md").write_bytes(b"")
    pq.write_table(pa.table({"text": ["六。", None, "七。"]}), directory / "e.parquet")
    return directory


def test_the_books_balance_and_name_every_refusal(crawl_directory, tmp_path):
    report = run(crawl_directory, tmp_path / "out")
    report.accounts.verify("test")
    assert sorted(row["text"].strip() for row in rows(tmp_path / "out")) == sorted(
        ["一。", "三。", "四。", "五番目の文書です。", "六。", "七。"]
    )
    assert {k: v.documents for k, v in report.accounts.dropped.items()} == {
        "empty": 1,
        "record_request": 1,
    }
    assert report.accounts.quarantined.documents == 3


def test_a_document_carries_the_digest_of_its_text(crawl_directory, tmp_path):
    run(crawl_directory, tmp_path / "out")
    for row in rows(tmp_path / "out"):
        assert row["sha256"] == hashlib.sha256(row["text"].encode()).hexdigest()


def test_quarantine_names_file_place_and_reason(crawl_directory, tmp_path):
    run(crawl_directory, tmp_path / "out")
    (path,) = (tmp_path / "out").glob("s-deep_b.jsonl-*.quarantine.jsonl")
    entry = json.loads(path.read_text(encoding="utf-8"))
    assert (entry["file"], entry["within"]) == ("deep/b.jsonl", "uncompressed")
    assert (entry["offset"], entry["length"]) == (len(jsonl("三。", "四。")), len("broken"))
    assert "no JSON" in entry["reason"]


def test_without_a_refused_record_there_is_no_quarantine(tmp_path):
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "a.jsonl").write_bytes(jsonl("一。"))
    run(tmp_path / "crawl", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*quarantine*"))


def test_samples_may_hold_line_separators(tmp_path):
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "a.jsonl").write_bytes(jsonl("一\u2028二\u2029三\x85四。"))
    run(tmp_path / "crawl", tmp_path / "out")
    samples = json.loads((tmp_path / "out/report/samples.json").read_text(encoding="utf-8"))
    assert samples["rows"][0][3] == "一\u2028二\u2029三四。"


def test_one_or_two_workers_make_the_same_bytes(crawl_directory, tmp_path):
    run(crawl_directory, tmp_path / "one", workers=1)
    run(crawl_directory, tmp_path / "two", workers=2)
    assert file_digests(tmp_path / "one") == file_digests(tmp_path / "two")


def test_shards_are_cut_by_text_size_and_keep_the_order(tmp_path):
    directory = tmp_path / "crawl"
    directory.mkdir()
    texts = [f"{number:04}" * 25 for number in range(10)]
    (directory / "a.jsonl").write_bytes(jsonl(*texts))
    run(directory, tmp_path / "out", shard_text_bytes=300)
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 4
    assert [row["text"] for row in rows(tmp_path / "out")] == texts


def test_moving_the_crawl_moves_no_id(crawl_directory, tmp_path):
    run(crawl_directory, tmp_path / "before")
    moved = crawl_directory.rename(tmp_path / "elsewhere")
    run(moved, tmp_path / "after")
    assert file_digests(tmp_path / "before") == file_digests(tmp_path / "after")


def test_a_new_file_makes_only_its_own_shards(crawl_directory, tmp_path):
    store = ArtifactStore(tmp_path / "store", "r")
    crawl = Crawl(source=(CrawlSource(name="s", path="**/*.jsonl"),))

    def build(place):
        return read_crawl(place, crawl=crawl, directory=crawl_directory, engine=LocalEngine(1))

    def materialise():
        outside = crawl_identity(crawl, crawl_directory)
        return store.materialise(READ_CRAWL, {}, Inputs(outside=outside), build)

    assert materialise().metrics["shards_built"] == 1
    (crawl_directory / "new.jsonl").write_bytes(jsonl("八。"))
    grown = materialise()
    assert (grown.metrics["files"], grown.metrics["shards_built"]) == (2, 1)


def test_many_small_text_files_share_shards(tmp_path):
    directory = tmp_path / "crawl"
    directory.mkdir()
    for number in range(300):
        (directory / f"{number:03}.txt").write_text(f"文書{number}。")
    report = run(directory, tmp_path / "out")
    assert report.metrics["documents"] == 300
    assert report.metrics["shards"] < 20
    assert [row["file"] for row in rows(tmp_path / "out")] == [f"{n:03}.txt" for n in range(300)]


def test_a_text_over_the_bound_is_quarantined(tmp_path):
    directory = tmp_path / "crawl"
    directory.mkdir()
    (directory / "long.txt").write_text("長" * 1000)
    (directory / "bomb.txt.gz").write_bytes(zlib.compress(b"a" * 100_000, wbits=31))
    (directory / "short.txt").write_text("短")
    report = run(directory, tmp_path / "out", max_document_bytes=100)
    assert (report.accounts.kept.documents, report.accounts.quarantined.documents) == (1, 2)


def test_a_damaged_parquet_file_is_quarantined_whole(tmp_path):
    directory = tmp_path / "crawl"
    directory.mkdir()
    (directory / "a.parquet").write_bytes(b"PAR1 nothing of the kind PAR1")
    (directory / "b.txt").write_text("短")
    assert run(directory, tmp_path / "out").accounts.quarantined.documents == 1


@pytest.mark.parametrize(
    ("path", "says"),
    [("nowhere/*.jsonl", "no directory"), ("*.warc", "none fits"), ("deep", "add /")],
)
def test_a_source_that_matches_nothing_says_what_to_do(crawl_directory, tmp_path, path, says):
    crawl = Crawl(source=(CrawlSource(name="s", path=path),))
    with pytest.raises(CrawlError, match=says):
        crawl_identity(crawl, crawl_directory)


def test_an_unknown_format_is_an_error_that_lists_the_known_ones(tmp_path):
    (tmp_path / "a.docx").write_bytes(b"x")
    crawl = Crawl(source=(CrawlSource(name="s", path="*.docx"),))
    with pytest.raises(CrawlError, match=r"\.parquet"):
        crawl_identity(crawl, tmp_path)


def test_a_crawl_without_any_document_is_an_error_with_the_counts(tmp_path):
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "a.jsonl").write_bytes(b'{"body": "x"}\n')
    with pytest.raises(CrawlError, match="quarantined 1"):
        run(tmp_path / "crawl", tmp_path / "out")


def test_a_crawl_without_any_document_says_why_the_first_record_was_refused(tmp_path):
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "a.jsonl").write_bytes(b'{"body": "x"}\n')
    with pytest.raises(CrawlError, match="field 'text' is missing"):
        run(tmp_path / "crawl", tmp_path / "out")


def test_a_crawl_of_metadata_alone_says_that_wet_or_warc_is_wanted(tmp_path):
    (tmp_path / "crawl").mkdir()
    records = (warc_record(b"", kind=kind) for kind in ("warcinfo", "metadata", "metadata"))
    (tmp_path / "crawl" / "a.warc.wat.gz").write_bytes(members(*records))
    with pytest.raises(CrawlError, match=r"WAT file.*Name the WET.*or the WARC"):
        run(tmp_path / "crawl", tmp_path / "out")


@pytest.mark.parametrize("name", ["a.warc.txt", "a.wet.txt", "a.md"])
def test_warc_records_under_the_name_of_a_text_are_refused_with_what_to_set(tmp_path, name):
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / name).write_bytes(page("一。"))
    with pytest.raises(CrawlError, match='set format = "wet"'):
        run(tmp_path / "crawl", tmp_path / "out")


def test_the_listing_changes_with_the_files(crawl_directory):
    crawl = Crawl(source=(CrawlSource(name="s", path="**/*.jsonl"),))
    before = listing_digest(crawl, crawl_directory)
    assert before == listing_digest(crawl, crawl_directory)
    (crawl_directory / "new.jsonl").write_bytes(b"")
    assert before != listing_digest(crawl, crawl_directory)


def test_aozora_is_read_from_shift_jis(shared_data, tmp_path):
    directory = tmp_path / "crawl"
    with (shared_data / "text" / "ja_aozora_a.tar.zst").open("rb") as pack:
        stream = zstandard.ZstdDecompressor().stream_reader(pack)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in islice((m for m in tar if m.name.endswith(".txt")), 20):
                tar.extract(member, directory, filter="data")
    report = run(directory, tmp_path / "out")
    assert (report.accounts.kept.documents, report.accounts.quarantined.documents) == (20, 0)
    assert all("底本" in row["text"] for row in rows(tmp_path / "out"))
