"""The sample crawl on disk: equal bytes, readable files, and the damage that was planted."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import zstandard
from fastwarc.warc import ArchiveIterator, WarcRecordType
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from nativize.sample import add_crawl_file, write_sample
from nativize.sample.crawl import GROUPS
from nativize.sample.dirt import SOILS
from nativize.sample.material import SampleError

SCALE = 0.05
KINDS = {"clean", "truncated", *SOILS}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lines_of(path: Path) -> list[bytes]:
    return zstandard.ZstdDecompressor().decompress(path.read_bytes()).split(b"\n")[:-1]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample")
    write_sample(out, scale=SCALE)
    return out


@pytest.fixture(scope="module")
def truth(sample: Path) -> dict[str, dict[str, str]]:
    rows = map(json.loads, (sample / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["url"]: row for row in rows}


def warc_bodies(sample: Path, pattern: str, kind: WarcRecordType) -> dict[str, bytes]:
    bodies = {}
    for path in sorted(sample.glob(pattern)):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=kind):
                bodies[record.headers["WARC-Target-URI"]] = record.reader.read()
    return bodies


def test_another_process_with_another_hash_seed_writes_the_same_bytes(
    sample: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "nativize.sample", str(tmp_path), "--scale", str(SCALE)]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert digests(tmp_path) == digests(sample)


def test_another_seed_writes_other_documents(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, seed=1, scale=SCALE)
    ours, theirs = digests(sample), digests(tmp_path)
    assert ours.keys() == theirs.keys()
    assert not set(ours.values()) & set(theirs.values())


def test_counts_are_those_of_the_truth(tmp_path: Path, truth: dict[str, dict[str, str]]) -> None:
    counts = write_sample(tmp_path, scale=SCALE)
    planted = Counter(row["kind"] for row in truth.values())
    pairs = {"instruction_train": 400, "instruction_heldout": 30}
    assert counts == {**planted, **pairs}
    assert set(planted) == KINDS


def test_addresses_are_unique(sample: Path, truth: dict[str, dict[str, str]]) -> None:
    assert len(truth) == len((sample / "truth.jsonl").read_bytes().splitlines())


def test_every_file_of_the_truth_exists_and_nothing_else(
    sample: Path, truth: dict[str, dict[str, str]]
) -> None:
    extra = {"truth.jsonl", "instruction/train.jsonl", "instruction/heldout.jsonl"}
    assert set(digests(sample)) == {row["file"] for row in truth.values()} | extra
    assert len(digests(sample)) - len(extra) == sum(group.files for group in GROUPS)


def test_jsonl_is_readable_but_for_the_planted_damage(
    sample: Path, truth: dict[str, dict[str, str]]
) -> None:
    damaged: Counter[str] = Counter()
    for path in sorted(sample.rglob("*.jsonl.zst")):
        for line in lines_of(path):
            try:
                assert truth[json.loads(line)["url"]]["file"].endswith(path.name)
            except UnicodeDecodeError:
                damaged["invalid_byte"] += 1
            except json.JSONDecodeError:
                damaged["not_json"] += 1
    assert damaged == {"invalid_byte": 1, "not_json": 1}


def test_warc_responses_are_those_of_the_truth(
    sample: Path, truth: dict[str, dict[str, str]]
) -> None:
    found = warc_bodies(sample, "crawl/warc/*", WarcRecordType.response)
    assert set(found) == {url for url, row in truth.items() if "/warc/" in row["file"]}


def test_wet_texts_are_those_of_the_truth(sample: Path, truth: dict[str, dict[str, str]]) -> None:
    found = warc_bodies(sample, "*/**/*.wet.gz", WarcRecordType.conversion)
    assert set(found) == {url for url, row in truth.items() if "wet.gz" in row["file"]}


def test_warcio_reads_every_kind_of_record(sample: Path) -> None:
    with (sample / "crawl/warc/pages-000.warc.gz").open("rb") as file:
        kinds = {record.rec_type for record in WarcioIterator(file)}
    assert kinds == {"warcinfo", "request", "response", "metadata"}


def test_the_last_warc_file_ends_inside_a_gzip_member(sample: Path) -> None:
    with pytest.raises(EOFError), gzip.open(sample / "crawl/warc/pages-003.warc.gz") as file:
        file.read()


def test_pages_in_older_encodings_are_in_the_encoding_they_declare(
    sample: Path, truth: dict[str, dict[str, str]]
) -> None:
    bodies = warc_bodies(sample, "crawl/warc/*", WarcRecordType.response)
    encoded = {
        url: row["encoding"]
        for url, row in truth.items()
        if row["kind"] == "clean" and "encoding" in row
    }
    assert set(encoded.values()) == {"shift_jis", "euc_jp"}
    for url, encoding in encoded.items():
        assert f"charset={encoding}".encode() in bodies[url].replace(b'"', b"")
        assert "。" in bodies[url].decode(encoding)


def test_an_exact_duplicate_has_the_words_of_its_original(
    sample: Path, truth: dict[str, dict[str, str]]
) -> None:
    texts = warc_bodies(sample, "*/**/*.wet.gz", WarcRecordType.conversion)
    copies = [row for row in truth.values() if row["kind"] == "exact_duplicate"]
    copies = [row for row in copies if row["url"] in texts]
    assert copies
    assert all(texts[row["url"]] == texts[row["duplicate_of"]] for row in copies)


def test_a_near_duplicate_shares_most_of_its_words_but_not_all(
    sample: Path, truth: dict[str, dict[str, str]]
) -> None:
    texts = warc_bodies(sample, "*/**/*.wet.gz", WarcRecordType.conversion)
    for row in truth.values():
        if row["kind"] == "near_duplicate" and row["url"] in texts:
            ours, theirs = (
                {text[place : place + 5] for place in range(len(text) - 4)}
                for text in (texts[row[key]].decode() for key in ("url", "duplicate_of"))
            )
            assert 0.75 < len(ours & theirs) / len(ours | theirs) < 1


def test_clean_bytes_follow_the_scale(sample: Path, truth: dict[str, dict[str, str]]) -> None:
    rows = [json.loads(line) for line in lines_of(sample / "reference/encyclopedia-000.jsonl.zst")]
    size = sum(len(row["text"].encode()) for row in rows)
    assert 700_000 * SCALE <= size < 700_000 * SCALE + 10_000
    assert {truth[row["url"]]["kind"] for row in rows} == {"clean"}


def test_held_out_questions_are_not_trained_on(sample: Path) -> None:
    parts = [
        {
            (pair["instruction"], pair["input"])
            for pair in map(json.loads, (sample / f"instruction/{name}.jsonl").open())
        }
        for name in ("train", "heldout")
    ]
    assert not parts[0] & parts[1]
    assert [len(part) for part in parts] == [400, 30]


def test_the_crawl_grows_by_one_file_of_new_documents(
    tmp_path: Path, truth: dict[str, dict[str, str]]
) -> None:
    path = add_crawl_file(tmp_path, number=4, documents=5)
    urls = {json.loads(line)["url"] for line in lines_of(path)}
    assert path == tmp_path / "crawl/jsonl/news-004.jsonl.zst"
    assert len(urls) == 5
    assert not urls & set(truth)


def test_a_file_that_is_there_is_not_overwritten(sample: Path) -> None:
    with pytest.raises(SampleError, match="choose a number"):
        add_crawl_file(sample, number=0)


def test_a_scale_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="positive"):
        write_sample(tmp_path, scale=0)
