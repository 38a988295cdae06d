"""Scoring: every document gets a perplexity and a bucket, and none is lost."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nativize.artifact import (
    REPORT,
    ArtifactStore,
    Inputs,
    Report,
    file_digests,
    standalone,
)
from nativize.engine import LocalEngine
from nativize.quality import SCORE, score_shards
from nativize.quality.model import Buckets, Scorer


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


def test_every_document_has_the_perplexity_that_its_text_has(scored: Path, model: Path) -> None:
    table = read(scored)
    scorer = Scorer.open(model, "characters")
    expected = np.array([scorer.perplexity(text) for text in table["text"].to_pylist()], np.float32)
    assert np.array_equal(table["perplexity"].to_numpy(), expected)


def test_row_groups_stay_as_they_were(filtered: Path, model: Path, tmp_path: Path) -> None:
    table = pq.read_table(next(filtered.glob("*.parquet")))
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in" / "a.parquet", row_group_size=7)
    score(tmp_path / "in", model, tmp_path / "scored")
    with pq.ParquetFile(tmp_path / "scored" / "a.parquet") as file:
        groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert groups == [7, 7, 7, 7, 7, 5]
    assert read(tmp_path / "scored")["id"].equals(table["id"])


def test_a_shard_without_documents_makes_no_file(
    filtered: Path, model: Path, tmp_path: Path
) -> None:
    table = pq.read_table(next(filtered.glob("*.parquet")))
    (tmp_path / "in").mkdir()
    pq.write_table(table.slice(0, 0), tmp_path / "in" / "a.parquet")
    pq.write_table(table, tmp_path / "in" / "b.parquet")
    report = score(tmp_path / "in", model, tmp_path / "scored")
    assert [path.name for path in (tmp_path / "scored").glob("*.parquet")] == ["b.parquet"]
    assert report.accounts is not None and report.accounts.kept.documents == 40


def samples(scored: Path) -> list[dict[str, object]]:
    table = json.loads((scored / REPORT / "samples.json").read_text(encoding="utf-8"))
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_samples_show_a_few_documents_of_each_bucket(scored: Path) -> None:
    documents = {row["id"]: row for row in read(scored).to_pylist()}
    shown = samples(scored)
    assert Counter(sample["bucket"] for sample in shown) == {"head": 5, "middle": 5, "tail": 5}
    for sample in shown:
        document = documents[sample["id"]]
        assert sample["bucket"] == document["bucket"] and sample["url"] == document["url"]
        assert np.float32(sample["perplexity"]) == np.float32(document["perplexity"])
        assert sample["text"] == document["text"][:300]


def test_samples_depend_on_the_documents_and_not_on_their_shards(
    filtered: Path, model: Path, scored: Path, tmp_path: Path
) -> None:
    tables = [pq.read_table(path) for path in sorted(filtered.glob("*.parquet"), reverse=True)]
    (tmp_path / "in").mkdir()
    pq.write_table(pa.concat_tables(tables), tmp_path / "in" / "all.parquet")
    score(tmp_path / "in", model, tmp_path / "scored")
    assert samples(tmp_path / "scored") == samples(scored)


def test_a_refresh_scores_only_the_new_shard_and_shows_all(
    filtered: Path, model: Path, scored: Path, tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path / "store", "test")
    shutil.copytree(filtered, tmp_path / "in")
    last = max((tmp_path / "in").glob("*.parquet"))
    last.rename(tmp_path / last.name)
    built = []
    for state in ("old", "new"):
        artifact = store.materialise(
            SCORE,
            {},
            Inputs(outside={"filtered": state}),
            lambda place: score_shards(tmp_path / "in", model, place, engine=LocalEngine(1)),
        )
        built.append(artifact.metrics["shards_built"])
        shutil.copy(tmp_path / last.name, tmp_path / "in")
    assert built == [2, 1]
    assert samples(artifact.path) == samples(scored)
