"""What is known of all documents: columns on disk, equals, the best of a group."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nativize.artifact import Accounts, Count
from nativize.dedup import documents as module
from nativize.dedup.documents import COLUMNS, Documents, read_documents, write_documents
from nativize.errors import CorpusError


def written(directory: Path, shards: list[list[dict[str, Any]]]) -> Documents:
    """Documents of some shards; what is not said of one is 0."""
    books = []
    for number, rows in enumerate(shards):
        ids = pa.array([row["id"] for row in rows], pa.string())
        columns = {
            name: np.array([row.get(name, 0) for row in rows], kind)
            for name, kind in COLUMNS.items()
        }
        columns["id_hash"] = np.array([hash(row["id"]) & (2**64 - 1) for row in rows], np.uint64)
        write_documents(directory, f"web-{number}.warc", ids, columns)
        count = Count(len(rows), len(rows), len(rows))
        books.append(Accounts(entered=count, kept=count))
    paths = [Path(f"web-{number}.warc.parquet") for number in range(len(shards))]
    return read_documents(directory, paths, ["digest"] * len(shards), books)


SHARDS = [
    [{"id": "a", "bytes": 1, "row": 0}, {"id": "b", "bytes": 2, "row": 7, "shingled": True}],
    [],
    [{"id": "c", "bytes": 3, "date": -5}, {"id": "é", "bytes": 2**32 - 1}, {"id": "", "bytes": 0}],
]


def test_a_column_is_read_as_a_whole_of_a_shard_or_of_some_in_any_order(tmp_path: Path) -> None:
    documents = written(tmp_path, SHARDS)
    assert documents.column("bytes").tolist() == [1, 2, 3, 2**32 - 1, 0]
    assert documents.column("shingled").tolist() == [False, True, False, False, False]
    assert documents.of_shard("date", 2).tolist() == [-5, 0, 0]
    assert documents.of_shard("date", 1).tolist() == []
    some = np.array([[3, 0], [0, 2]])
    assert documents.of("bytes", some).tolist() == [[2**32 - 1, 1], [1, 3]]


def test_ids_are_read_in_any_order_and_more_than_once(tmp_path: Path) -> None:
    documents = written(tmp_path, SHARDS)
    assert documents.ids(np.array([4, 1, 3, 1, 0])).to_pylist() == ["", "b", "é", "b", "a"]
    assert documents.ids(np.array([], np.int64)).to_pylist() == []
    assert documents.id(2) == "c"
    assert documents.place_of(1) == "row 7 of web-0.warc.parquet"


def test_an_id_that_stands_twice_is_refused_with_both_places(tmp_path: Path) -> None:
    shards = [[{"id": "a", "row": 3}], [{"id": "b"}, {"id": "a", "row": 9}]]
    with pytest.raises(CorpusError, match=r"id a stands twice, in row 3 of web-0.* row 9 of web-1"):
        written(tmp_path, shards)


def test_more_documents_than_have_numbers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DOCUMENTS", 4)
    with pytest.raises(CorpusError, match=r"5 documents are more than one corpus can hold \(4\)"):
        written(tmp_path, SHARDS)


HASHES = st.integers(0, 2**64 - 1) | st.integers(0, 3) | st.sampled_from([5 << 32, 5 << 32 | 1])


@given(st.lists(st.tuples(HASHES, st.integers(0, 2), st.booleans()), max_size=60))
def test_equals_are_all_that_take_part_and_have_an_equal(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, bool]]
) -> None:
    shards = [
        [
            {"id": str(number), "digest_high": high, "digest_low": low}
            for number, (high, low, _) in enumerate(rows)
            if number % 3 == shard
        ]
        for shard in range(3)
    ]
    documents = written(tmp_path_factory.mktemp("equals"), shards)
    order = [int(row["id"]) for shard in shards for row in shard]
    takes_part = np.array([rows[number][2] for number in order], bool)
    found = documents.equals(takes_part, "digest_high", "digest_low")
    expected = defaultdict(set)
    for place, number in enumerate(order):
        if rows[number][2]:
            expected[rows[number][:2]].add(place)
    groups = defaultdict(set)
    for member, group in zip(found.members.tolist(), found.groups.tolist(), strict=True):
        groups[group].add(member)
    assert sorted(groups) == list(range(len(groups)))
    assert sorted(map(sorted, groups.values())) == sorted(
        sorted(places) for places in expected.values() if len(places) > 1
    )


MERITS = st.fixed_dictionaries(
    {
        "perplexity": st.sampled_from([1.0, 1.5, 300.0, float("inf")]),
        "characters": st.sampled_from([1, 2, 2**31]),
        "date": st.sampled_from([20190101000000, 2**63 - 1]),
    }
)


@given(st.lists(st.tuples(MERITS, st.integers(0, 4)), min_size=1, max_size=40), st.randoms())
def test_the_best_of_a_group_has_quality_then_length_then_date_then_the_smallest_id(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[dict[str, Any], int]], random: Any
) -> None:
    names = [f"{number:03d}" for number in range(len(rows))]
    random.shuffle(names)
    found = [{"id": name, **merits} for name, (merits, _) in zip(names, rows, strict=True)]
    documents = written(tmp_path_factory.mktemp("best"), [found[::2], found[1::2]])
    order = [*range(0, len(rows), 2), *range(1, len(rows), 2)]
    labels, groups = np.unique([rows[at][1] for at in order], return_inverse=True)
    best = documents.best(np.arange(len(rows)), groups)

    def merit(document: int) -> tuple[Any, ...]:
        row = found[order[document]]
        return row["perplexity"], -row["characters"], row["date"], row["id"]

    expected = [
        min((document for document in range(len(rows)) if groups[document] == group), key=merit)
        for group in range(len(labels))
    ]
    assert best.tolist() == expected
