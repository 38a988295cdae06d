"""Single texts are decoded out of their pages, and equal what Parquet's own reader says."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nativize.artifact import file_digests
from nativize.crawl.document import open_writer
from nativize.dedup.pages import places_in_pages, text_pages, texts_in_pages
from nativize.errors import CorpusError
from tests.dedup.composed import SCORED, document, planted, run, text_of, write_shards

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def write(path: Path, texts: list[str], rows: int = 1 << 20) -> Path:
    """A shard as scoring writes it, with so many rows in a row group."""
    documents = [document(str(number), text) for number, text in enumerate(texts)]
    with open_writer(path, SCORED, small_pages=True) as shard:
        shard.write_table(pa.Table.from_pylist(documents, SCORED), row_group_size=rows)
    return path


def read(path: Path, rows: list[int], texts: list[str]) -> list[str]:
    """Some of these texts, out of the pages of the shard that has them."""
    sizes, pages = np.array([len(text.encode()) for text in texts]), text_pages(path)
    places = places_in_pages(sizes, pages)[rows]
    found = texts_in_pages(path, pages, np.array(rows), places, sizes[rows].astype(np.uint32))
    return [found[number] for number in range(len(rows))]


@given(st.lists(TEXTS, min_size=1, max_size=40), st.integers(1, 50), st.data())
def test_any_texts_of_any_row_groups_are_found(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], rows: int, data: st.DataObject
) -> None:
    path = write(tmp_path_factory.mktemp("pages") / "web.parquet", texts, rows)
    chosen = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, unique=True))
    assert read(path, sorted(chosen), texts) == [texts[row] for row in sorted(chosen)]


def test_a_long_shard_has_many_pages_and_each_text_is_in_one(tmp_path: Path) -> None:
    texts = [text_of(number, 50 + 300 * (number % 13)) for number in range(400)]
    texts[200] = text_of(1_000, 500_000)
    path = write(tmp_path / "web.parquet", texts, rows=300)
    pages = text_pages(path)
    assert len(pages) > 10
    assert pages[0, 0] == 0 and 300 in pages[:, 0] and (np.diff(pages[:, 0]) > 0).all()
    assert read(path, list(range(400)), texts) == texts
    assert read(path, [399], texts) == texts[399:]


@pytest.mark.parametrize(
    "layout",
    [
        {"compression": "snappy"},
        {"compression": "zstd", "use_dictionary": True},
        {"compression": "zstd", "use_dictionary": False, "data_page_version": "2.0"},
        {
            "compression": "zstd",
            "use_dictionary": False,
            "column_encoding": {"text": "DELTA_LENGTH_BYTE_ARRAY"},
        },
    ],
    ids=["snappy", "dictionary", "pages of version 2", "delta encoding"],
)
def test_a_shard_of_another_layout_has_no_pages_and_gives_the_same_corpus(
    tmp_path: Path, layout: dict[str, Any]
) -> None:
    ours = write_shards(tmp_path / "ours", planted())
    assert all(len(text_pages(path)) for path in ours.iterdir())
    (tmp_path / "theirs").mkdir()
    for path in ours.iterdir():
        pq.write_table(pq.read_table(path), tmp_path / "theirs" / path.name, **layout)
    assert not any(len(text_pages(path)) for path in (tmp_path / "theirs").iterdir())
    run(ours, tmp_path / "one")
    run(tmp_path / "theirs", tmp_path / "two")
    assert file_digests(tmp_path / "one" / "fates") == file_digests(tmp_path / "two" / "fates")


def test_texts_that_may_be_missing_have_no_pages(tmp_path: Path) -> None:
    table = pa.table({"text": [text_of(1)]})
    pq.write_table(table, tmp_path / "web.parquet", compression="zstd", use_dictionary=False)
    assert len(text_pages(tmp_path / "web.parquet")) == 0


def test_a_shard_without_documents_has_no_pages(tmp_path: Path) -> None:
    assert len(text_pages(write(tmp_path / "web.parquet", []))) == 0


def test_a_page_that_ends_too_early_is_named(tmp_path: Path) -> None:
    texts = [text_of(number) for number in range(3)]
    path = write(tmp_path / "web.parquet", texts)
    sizes = np.full(1, 1_000_000, np.uint32)
    with pytest.raises(CorpusError, match=r"web\.parquet: ends before row 2"):
        texts_in_pages(path, text_pages(path), np.array([2]), np.zeros(1, np.uint32), sizes)
