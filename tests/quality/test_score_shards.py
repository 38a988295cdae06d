"""Scoring: every document gets a perplexity and a bucket, and none is lost."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nativize.artifact import REPORT, Report, file_digests, standalone
from nativize.engine import LocalEngine
from nativize.quality import score_shards
from nativize.quality.model import Buckets


def score(filtered: Path, model: Path, out: Path, workers: int = 1) -> Report:
    with standalone(out) as place:
        return score_shards(filtered, model, place, engine=LocalEngine(workers))


def read(scored: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(scored.glob("*.parquet")))


@pytest.fixture(scope="module")
def scored(filtered: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored") / "scored"
    score(filtered, model, out)
    return out


def test_every_document_is_kept_with_its_columns(filtered: Path, scored: Path) -> None:
    for path in sorted(filtered.glob("*.parquet")):
        before, after = pq.read_table(path), pq.read_table(scored / path.name)
        assert after.drop_columns(["perplexity", "bucket"]).equals(before)


def test_buckets_partition_the_corpus_at_the_thresholds(scored: Path, model: Path) -> None:
    table = read(scored)
    buckets = Buckets.read(model)
    counts = Counter(table["bucket"].to_pylist())
    assert (counts["head"], counts["middle"], counts["tail"]) == (36, 36, 48)
    highest = np.asarray(table["perplexity"])[np.asarray(table["bucket"]) == "head"].max()
    assert highest == np.float32(buckets.head)


def test_noise_lands_in_the_tail(scored: Path) -> None:
    noise = [row["bucket"] for row in read(scored).to_pylist() if int(row["id"][2:]) % 5 == 4]
    assert noise == ["tail"] * 24


def test_two_workers_write_the_same_bytes_as_one(
    filtered: Path, model: Path, scored: Path, tmp_path: Path
) -> None:
    score(filtered, model, tmp_path / "two", workers=2)
    assert file_digests(tmp_path / "two", ".parquet") == file_digests(scored, ".parquet")


def test_the_books_balance_and_the_picture_is_drawn(
    filtered: Path, model: Path, tmp_path: Path
) -> None:
    report = score(filtered, model, tmp_path / "scored")
    assert report.accounts is not None
    report.accounts.verify("test")
    assert report.accounts.kept.documents == 120
    assert (tmp_path / "scored" / REPORT / "perplexity.png").read_bytes()[1:4] == b"PNG"
