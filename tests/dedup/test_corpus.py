"""A corpus on disk: documents that are never written again, and the fates that readers apply."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nativize.artifact import file_digests, standalone
from nativize.crawl.document import ROW_GROUP_ROWS
from nativize.dedup.corpus import (
    BATCH_ROWS,
    SPLITS,
    Split,
    count_fates,
    count_kept,
    cut_texts,
    fates_path,
    read_fates,
    read_shard,
    shard_digest,
    shard_names,
    shard_path,
    write_fates,
)
from nativize.dedup.plain import write_plain
from nativize.engine import LocalEngine
from nativize.errors import CorpusError
from nativize.texts import Texts

SCRIPTS = (
    "plain words",
    "ひらがなと漢字、",
    "བོད་ཡིག་",
    "Ελληνικά й ё",
    "𠮷野家🍣👩‍👩‍👧",
    "é\u0301 ﬁ\u200d",
)
FATES = ("train", "heldout", "near_duplicate", "bucket:tail", "train")


def write_shard(
    corpus: Path,
    name: str,
    texts: Sequence[str],
    fates: Sequence[str] | None = None,
    cuts: Sequence[Sequence[int]] | None = None,
    rows_in_group: int = 1_000_000,
) -> Path:
    """A shard whose documents are numbered, all of them training text without other fates."""
    path = shard_path(corpus, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = [f"{name}-{number}" for number in range(len(texts))]
    table = pa.table({"id": ids, "text": pa.array(texts, pa.string()), "url": ["u"] * len(texts)})
    pq.write_table(table, path, row_group_size=rows_in_group)
    write_fates(fates_path(corpus, name), fates or ["train"] * len(texts), cuts)
    return corpus


def read(corpus: Path, split: Split, column: str = "text") -> list[str]:
    """A column of all documents of a split."""
    return [
        value
        for name in shard_names(corpus)
        for batch in read_shard(corpus, name, split, [column])
        for value in batch.column(0).to_pylist()
    ]


def fates_file(path: Path, *fates_and_cuts: object) -> bytes:
    write_fates(path, *fates_and_cuts)  # type: ignore[arg-type]
    return path.read_bytes()


def test_each_split_is_read_in_the_order_of_its_shards_and_rows(tmp_path: Path) -> None:
    write_shard(tmp_path, "b", ["b0", "b1"], ["heldout", "train"])
    write_shard(tmp_path, "a", ["a0", "a1", "a2"], ["train", "exact_duplicate", "train"])
    assert read(tmp_path, "train") == ["a0", "a2", "b1"]
    assert read(tmp_path, "heldout", "id") == ["b-0"]


def test_shards_stand_in_the_order_of_their_files(tmp_path: Path) -> None:
    for name in ("web", "web-1", "web.2"):
        write_shard(tmp_path, name, ["text"])
    assert shard_names(tmp_path) == ["web-1", "web.2", "web"]


def test_of_a_split_only_shards_that_hold_some_of_it_are_named(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["text"], ["heldout"])
    write_shard(tmp_path, "b", ["text"], ["url_duplicate"])
    assert shard_names(tmp_path) == ["a", "b"]
    assert shard_names(tmp_path, "heldout") == ["a"]
    assert shard_names(tmp_path, "train") == []


def test_a_fate_that_nobody_knows_is_not_read(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["one", "two", "three"], ["Train", "train ", "some day's reason"])
    assert read(tmp_path, "train") == read(tmp_path, "heldout") == []
    assert count_kept(tmp_path) == 0


def test_cuts_are_bytes_of_the_text_and_leave_other_columns_alone(tmp_path: Path) -> None:
    text = "最初\ncookies\n最後"
    write_shard(tmp_path, "a", [text, text], cuts=[[7, 15], []])
    assert read(tmp_path, "train") == ["最初\n最後", text]
    (batch,) = read_shard(tmp_path, "a", "train", ["url", "text"])
    assert batch.schema.names == ["url", "text"]
    assert batch["url"].to_pylist() == ["u", "u"]
    assert read(tmp_path, "train", "id") == ["a-0", "a-1"]


def test_without_columns_all_are_read_under_the_shards_schema(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["cut me", "not me"], cuts=[[0, 4], []])
    schema = pq.read_schema(shard_path(tmp_path, "a"))
    (batch,) = read_shard(tmp_path, "a", "train")
    assert batch.schema.equals(schema)
    assert batch["text"].to_pylist() == ["me", "not me"]


@pytest.mark.parametrize("seed", range(8))
def test_lines_cut_from_any_script_leave_what_python_leaves(tmp_path: Path, seed: int) -> None:
    """Random texts of several scripts lose random lines; row groups and batches fall anywhere."""
    chance = random.Random(seed)
    expected: dict[str, list[str]] = {split: [] for split in SPLITS}
    texts, fates, cuts = [], [], []
    for _ in range(chance.choice((1, 700, 3 * BATCH_ROWS + 5))):
        lines = [
            "".join(chance.choices(SCRIPTS, k=chance.randrange(4))) + chance.choice(("\n", "\r\n"))
            for _ in range(chance.randrange(6))
        ]
        gone = [chance.random() < chance.choice((0, 0.3)) for _ in lines]
        ends = np.cumsum([0, *(len(line.encode()) for line in lines)]).tolist()
        texts.append("".join(lines))
        fates.append(chance.choice(FATES))
        cuts.append([end for at, cut in enumerate(gone) if cut for end in ends[at : at + 2]])
        if fates[-1] in expected:
            kept = (line for line, cut in zip(lines, gone, strict=True) if not cut)
            expected[fates[-1]].append("".join(kept))
    write_shard(tmp_path, "a", texts, fates, cuts, chance.choice((1, 97, 1_500, 10_000)))
    assert {split: read(tmp_path, split) for split in SPLITS} == expected
    for split in SPLITS:
        assert all(0 < len(b) <= BATCH_ROWS for b in read_shard(tmp_path, "a", split, ["text"]))


def test_a_batch_holds_no_more_than_a_row_group(tmp_path: Path) -> None:
    """Row groups are cut by the size of their text, which so bounds what is held at once."""
    write_shard(tmp_path, "a", ["long text"] * 10, rows_in_group=4)
    assert [len(batch) for batch in read_shard(tmp_path, "a", "train")] == [4, 4, 2]


def test_row_groups_without_the_split_are_not_touched(tmp_path: Path) -> None:
    texts = [f"text {number} " * 50 for number in range(30)]
    write_shard(tmp_path, "a", texts, ["train"] * 20 + ["heldout"] * 10, rows_in_group=10)
    path = shard_path(tmp_path, "a")
    column = pq.read_metadata(path).row_group(0).column(1)
    content = bytearray(path.read_bytes())
    begin = column.dictionary_page_offset or column.data_page_offset
    content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    assert read(tmp_path, "heldout") == texts[20:]
    with pytest.raises(OSError):
        read(tmp_path, "train")


def test_texts_that_begin_within_their_buffer_are_cut_as_well() -> None:
    column = pa.chunked_array([pa.array(["never seen", "ab\ncd", "", "最後"])]).slice(1)
    cuts = pa.array([[9, 9], [0, 3], [], [0, 3]], pa.list_(pa.int32())).slice(1)
    left = cut_texts(Texts.of_column(column), cuts, range(3), Path("a.parquet"))
    assert left.column().to_pylist() == ["cd", "", "後"]


@pytest.mark.parametrize(
    ("cuts", "why"),
    [
        ([0, 7], "beyond the end"),
        ([1, 3], "begins inside a character"),
        ([0, 1], "ends inside a character"),
    ],
)
def test_cuts_that_do_not_fit_their_text_are_refused_by_the_shard(
    tmp_path: Path, cuts: list[int], why: str
) -> None:
    texts = ["fits", "is lost"] * BATCH_ROWS + ["京都"]
    fates = ["train", "exact_duplicate"] * BATCH_ROWS + ["train"]
    write_shard(tmp_path, "a", texts, fates, [[]] * 2 * BATCH_ROWS + [cuts])
    with pytest.raises(CorpusError, match=rf"a\.parquet.* row {2 * BATCH_ROWS} "):
        read(tmp_path, "train")


@pytest.mark.parametrize(
    "cuts", [[[4, 2]], [[2, 2]], [[0, 2, 1, 3]], [[-1, 2]], [[0]], [[0, 2, 3]], [[], []], []]
)
def test_cuts_that_are_no_ascending_pairs_are_not_written(
    tmp_path: Path, cuts: list[list[int]]
) -> None:
    with pytest.raises(ValueError, match="cut"):
        write_fates(tmp_path / "a.parquet", ["train"], cuts)
    assert not (tmp_path / "a.parquet").exists()


def test_touching_cuts_and_lists_that_begin_anew_are_written(tmp_path: Path) -> None:
    cuts = [[5, 6], [], [0, 2, 2, 3], [1, 2], []]
    write_shard(tmp_path, "a", ["0123456789"] * 5, cuts=cuts)
    assert read_fates(tmp_path, "a")["cuts"].to_pylist() == cuts
    assert read(tmp_path, "train")[2] == "3456789"


def test_a_document_without_a_fate_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 of 2 documents have no fate"):
        write_fates(tmp_path / "a.parquet", pa.array(["train", None]))


def test_equal_fates_are_equal_bytes_however_they_are_given(tmp_path: Path) -> None:
    fates, cuts = ["train", "near_duplicate", "train"], [[], [], [2, 5]]
    numbers = pa.array([2, 0, 2], pa.int8())
    encoded = pa.DictionaryArray.from_arrays(numbers, ["near_duplicate", "unused", "train"])
    lists = pa.array(cuts, pa.large_list(pa.int64()))
    forms = [
        fates_file(tmp_path / "1", fates, cuts),
        fates_file(tmp_path / "2", np.array(fates), lists),
        fates_file(tmp_path / "3", encoded, pa.chunked_array([lists[:1], lists[1:]])),
        fates_file(tmp_path / "4", pa.chunked_array([fates[:2], fates[2:]]), tuple(cuts)),
    ]
    assert len(set(forms)) == 1
    nothing = pa.array([[], [], []], pa.list_(pa.int32()))
    assert fates_file(tmp_path / "5", fates) == fates_file(tmp_path / "6", encoded, nothing)


def test_fates_are_a_dictionary_and_lists_of_numbers_to_other_tools(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["text", "text"], ["train", "exact_duplicate"])
    table = pq.read_table(fates_path(tmp_path, "a"))
    assert table.schema.field("fate").type == pa.dictionary(pa.int32(), pa.string())
    assert table.schema.field("cuts").type.value_type == pa.int32()
    assert table.to_pydict() == {"fate": ["train", "exact_duplicate"], "cuts": [[], []]}
    assert pq.read_metadata(fates_path(tmp_path, "a")).row_group(0).column(0).compression == "ZSTD"


def test_a_shard_of_no_documents_is_read_as_none(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", [], [], [])
    assert read(tmp_path, "train") == []
    assert count_fates(tmp_path) == {}


def test_fates_are_counted_over_all_shards(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["x"] * 4, ["train", "train", "heldout", "near_duplicate"])
    write_shard(tmp_path, "b", ["x"] * 2, ["near_duplicate", "train"])
    assert count_fates(tmp_path) == {"train": 3, "heldout": 1, "near_duplicate": 2}
    assert count_kept(tmp_path) == 4


def test_a_shards_digest_tells_other_text_and_other_fates_apart(tmp_path: Path) -> None:
    for name, texts, fates in [
        ("same", ["one", "two"], None),
        ("text", ["one", "six"], None),
        ("fate", ["one", "two"], ["train", "heldout"]),
    ]:
        write_shard(tmp_path / name, "a", texts, fates)
        write_shard(tmp_path / name, "b", ["stays"])
    digests = {p.name: file_digests(p, ".parquet") for p in sorted(tmp_path.iterdir())}
    assert len({shard_digest(files, "a") for files in digests.values()}) == 3
    assert len({shard_digest(files, "b") for files in digests.values()}) == 1
    del digests["same"]["fates/a.parquet"]
    with pytest.raises(CorpusError, match=r"fates/a\.parquet is missing"):
        shard_digest(digests["same"], "a")


def test_a_directory_that_is_no_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    pq.write_table(pa.table({"text": ["of an older shape"]}), tmp_path / "train" / "a.parquet")
    with pytest.raises(CorpusError, match=r"no shards/\*\.parquet"):
        read(tmp_path, "train")


def test_a_shard_without_fates_is_refused(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["text"])
    fates_path(tmp_path, "a").unlink()
    with pytest.raises(CorpusError, match=r"fates/a\.parquet: no fates"):
        read(tmp_path, "train")


def test_damaged_or_foreign_fates_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["text"])
    fates_path(tmp_path, "a").write_bytes(b"PAR1, but nothing else")
    with pytest.raises(CorpusError, match=r"fates/a\.parquet: no fates"):
        read(tmp_path, "train")
    pq.write_table(pa.table({"fate": ["train"]}), fates_path(tmp_path, "a"))
    with pytest.raises(CorpusError, match=r"fates/a\.parquet: .* cuts"):
        read(tmp_path, "train")


def test_as_many_fates_as_documents_or_none_is_read(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["one", "two"], ["train"])
    for reading in (
        lambda: read(tmp_path, "train"),
        lambda: shard_names(tmp_path, "train"),
        lambda: count_kept(tmp_path),
    ):
        with pytest.raises(CorpusError, match="1 fates for the 2 documents"):
            reading()


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", ["text"])
    with pytest.raises(CorpusError, match="no column 'perplexity'"):
        read(tmp_path, "train", "perplexity")


def test_a_plain_corpus_holds_both_splits_with_all_columns(tmp_path: Path) -> None:
    corpus, plain = tmp_path / "corpus", tmp_path / "plain"
    rows = ROW_GROUP_ROWS + 7
    fates = [FATES[number % len(FATES)] for number in range(rows)]
    cuts = [[0, 5] if number % 3 == 0 else [] for number in range(rows)]
    write_shard(corpus, "a", [f"head {number}" for number in range(rows)], fates, cuts)
    write_shard(corpus, "b", ["text"], ["heldout"])
    write_shard(corpus, "c", ["text"], ["url_duplicate"])
    with standalone(plain) as place:
        report = write_plain(corpus, place, engine=LocalEngine(2))
    files = {str(path.relative_to(plain)) for path in plain.rglob("*.parquet")}
    assert files == {"train/a.parquet", "heldout/a.parquet", "heldout/b.parquet"}
    for split in SPLITS:
        tables = [pq.read_table(path) for path in sorted((plain / split).iterdir())]
        assert tables[0].schema.equals(pq.read_schema(shard_path(corpus, "a")))
        whole = pa.concat_tables(tables)
        assert whole["text"].to_pylist() == read(corpus, split)
        assert whole["id"].to_pylist() == read(corpus, split, "id")
        assert report.metrics[f"{split}_documents"] == len(whole)
    assert report.metrics["heldout_shards"] == 2
    assert pq.read_metadata(plain / "heldout" / "a.parquet").num_row_groups == 1


def test_a_plain_corpus_is_the_same_bytes_on_any_number_of_workers(tmp_path: Path) -> None:
    for name in "abc":
        write_shard(tmp_path / "corpus", name, [f"{name} {i}" for i in range(50)])
    for workers in (1, 2):
        with standalone(tmp_path / str(workers)) as place:
            write_plain(tmp_path / "corpus", place, engine=LocalEngine(workers))
    assert file_digests(tmp_path / "1") == file_digests(tmp_path / "2")
    assert not (tmp_path / "1" / "heldout").exists()
