"""What would take forever or all memory where pairs were compared with pairs; some of it slow."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nativize.recipe import FrequentLines
from tests.dedup.composed import SCORED, document, run, survivors, text_of, write_shards

SLOW = bool(os.environ.get("NATIVIZE_SLOW"))
MANY = 1_000_000 if SLOW else 20_000
LONG = 100_000_000 if SLOW else 5_000_000


def write_many(directory: Path, texts: pa.Array) -> Path:
    """One shard of these texts, whose ids are their numbers."""
    directory.mkdir(parents=True)
    count = len(texts)
    columns = {
        field.name: pa.repeat(pa.scalar("", pa.string()), count)
        if field.type == pa.string()
        else pa.repeat(pa.scalar(0, field.type), count)
        for field in SCORED
    }
    columns |= {"id": pa.array([f"{number:08d}" for number in range(count)]), "text": texts}
    pq.write_table(pa.table(columns, SCORED), directory / "web-00000.parquet")
    return directory


@pytest.mark.parametrize("exact", [True, False])
def test_as_many_copies_of_one_text_as_there_are_leave_one(tmp_path: Path, exact: bool) -> None:
    texts = pa.repeat(pa.scalar(text_of(1, 60)), MANY)
    report = run(write_many(tmp_path / "in", texts), tmp_path / "out", exact=exact)
    assert survivors(tmp_path / "out") == {"00000000"}
    assert report.metrics["compared_pairs"] <= MANY


def test_as_many_near_copies_of_one_text_leave_one_and_cost_a_few_comparisons_each(
    tmp_path: Path,
) -> None:
    head = text_of(1, 300)
    texts = pa.array([f"{head}{number:08d}" for number in range(MANY // 10)])
    report = run(write_many(tmp_path / "in", texts), tmp_path / "out")
    assert len(survivors(tmp_path / "out")) == 1
    # bands have other best documents, and removals are explained: 2.2 each of 100,000
    assert report.metrics["compared_pairs"] <= 4 * MANY // 10


@pytest.mark.parametrize("own", [200, 60], ids=["alike by .43", "alike by .7"])
def test_pages_that_share_a_template_alone_all_stay_and_cost_a_few_comparisons_each(
    tmp_path: Path, own: int
) -> None:
    template = text_of(1, 300)
    texts = pa.array([template + text_of(number, own) for number in range(2, MANY // 10)])
    report = run(write_many(tmp_path / "in", texts), tmp_path / "out")
    assert len(survivors(tmp_path / "out")) == len(texts)
    # with the best page of each band's group; pairs with each other would be 2,000,000
    assert report.metrics["compared_pairs"] < 8 * len(texts)


def test_long_texts_are_compared_line_by_line_and_as_a_whole(tmp_path: Path) -> None:
    part = "\n".join(text_of(number, 97) for number in range(1_000))
    text = "\n".join(f"{number}{part}" for number in range(LONG // len(part.encode())))
    edited = text.replace("あ", "い", len(text) // 500)
    documents = [document("a", text), document("b", edited), document("c", text_of(5_000))]
    scored = write_shards(tmp_path / "in", documents, 1)
    lines = FrequentLines(minimum_documents=2)
    report = run(scored, tmp_path / "out", lines=lines)
    assert report.metrics["near_duplicates"] == 1
    assert len(survivors(tmp_path / "out")) == 2
