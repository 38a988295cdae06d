"""A line of many documents stays in the best of them; nothing else of any text is lost."""

import json
import random
import re
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nativize.artifact import REPORT, Report, file_digests
from nativize.dedup import DEDUPLICATE, BucketRule, frequent_lines
from nativize.dedup.corpus import read_fates, shard_names, shard_path
from nativize.dedup.fold import fold
from nativize.recipe import BucketShares, Dedup, Fold, FrequentLines
from tests.dedup import composed
from tests.dedup.composed import (
    document,
    fates,
    kept_texts,
    run,
    survivors,
    text_of,
    write_shards,
)

NOTICE = "著作権は全て編集部にあります。無断転載を禁じます。"
PAGES = [text_of(number, 60) for number in range(12)]


def pages(lines: list[str]) -> list[dict[str, Any]]:
    """Documents of one page each, the first the best, with some lines in the same places."""
    return [
        document(f"{number:02d}", text.replace("@", PAGES[number]), perplexity=float(number))
        for number, text in enumerate(lines)
    ]


def cut(
    tmp_path: Path,
    documents: list[dict[str, Any]],
    shards: int = 3,
    buckets: BucketRule | None = None,
    **lines: int,
) -> Report:
    """The stage with frequent lines and nothing else that loses text."""
    scored = write_shards(tmp_path / "in", documents, shards)
    found = FrequentLines(**{"minimum_documents": 3, "minimum_characters": 10, **lines})
    return run(
        scored, tmp_path / "out", heldout_share=0.0, near=False, lines=found, buckets=buckets
    )


def cuts(tmp_path: Path) -> dict[str, list[int]]:
    """The spans that are cut out of each document that loses any."""
    return {
        identifier: spans
        for name in shard_names(tmp_path / "out")
        for identifier, spans in zip(
            pq.read_table(shard_path(tmp_path / "out", name))["id"].to_pylist(),
            read_fates(tmp_path / "out", name)["cuts"].to_pylist(),
            strict=True,
        )
        if spans
    }


def test_a_line_of_many_documents_stays_in_the_best_of_them_alone(tmp_path: Path) -> None:
    report = cut(tmp_path, pages([f"@\n{NOTICE}\nend {n}" for n in range(4)]))
    texts = kept_texts(tmp_path / "out")
    assert texts["00"] == f"{PAGES[0]}\n{NOTICE}\nend 0"
    assert [texts[f"{n:02d}"] for n in (1, 2, 3)] == [f"{PAGES[n]}\nend {n}" for n in (1, 2, 3)]
    assert report.metrics["frequent_lines"] == 1


def test_the_best_is_the_longest_of_equal_quality_and_then_has_the_smallest_id(
    tmp_path: Path,
) -> None:
    long, short = text_of(1, 70), [text_of(number, 60) for number in (2, 3)]
    documents = [document(name, f"{NOTICE}\n{short[0]}") for name in ("c", "b")]
    documents[1]["text"] = f"{NOTICE}\n{short[1]}"
    cut(tmp_path / "ids", documents, minimum_documents=2)
    assert set(cuts(tmp_path / "ids")) == {"c"}
    cut(tmp_path / "long", [*documents, document("d", f"{NOTICE}\n{long}")], minimum_documents=2)
    assert set(cuts(tmp_path / "long")) == {"b", "c"}


def test_lines_of_fewer_documents_and_short_lines_stay(tmp_path: Path) -> None:
    documents = pages(
        ["@\nはい、そうです。", f"@\nはい、そうです。\n{NOTICE}", f"@\nはい、そうです。\n{NOTICE}"]
    )
    cut(tmp_path, documents)
    assert kept_texts(tmp_path / "out") == {one["id"]: one["text"] for one in documents}


@pytest.mark.parametrize(
    "other",
    [f"  {NOTICE}  ", NOTICE.replace("。", " "), f"{NOTICE}\r"],
    ids=["blanks", "marks", "cr"],
)
def test_a_line_is_compared_folded(tmp_path: Path, other: str) -> None:
    cut(tmp_path, pages([f"{NOTICE}\n@", f"{other}\n@", f"{other}\n@"]))
    texts = kept_texts(tmp_path / "out")
    assert (texts["01"], texts["02"]) == (PAGES[1], PAGES[2])


def test_neither_width_nor_case_hides_a_line(tmp_path: Path) -> None:
    forms = [
        "All Rights Reserved 2024",
        "ＡＬＬ　ｒｉｇｈｔｓ reserved ２０２４",
        "all rights reserved 2024",
    ]
    cut(tmp_path, pages([f"{form}\n@" for form in forms]))
    texts = kept_texts(tmp_path / "out")
    assert (texts["01"], texts["02"]) == (PAGES[1], PAGES[2])


def test_a_line_with_uncomposed_marks_is_the_composed_one(tmp_path: Path) -> None:
    composed, apart = (
        "がぎぐげござじずぜぞだぢづ",
        "".join(f"{kana}\u3099" for kana in "かきくけこさしすせそたちつ"),
    )
    cut(tmp_path, pages([f"{composed}\n@", f"{apart}\n@", f"{apart}\n@"]))
    assert kept_texts(tmp_path / "out")["02"] == PAGES[2]


def test_what_repeats_in_one_document_alone_is_not_frequent(tmp_path: Path) -> None:
    documents = pages([f"@\n{NOTICE}\n{NOTICE}\n{NOTICE}", f"@\n{NOTICE}"])
    cut(tmp_path, documents)
    assert kept_texts(tmp_path / "out") == {one["id"]: one["text"] for one in documents}


def test_a_text_without_a_newline_at_its_end_still_has_none(tmp_path: Path) -> None:
    cut(
        tmp_path,
        pages([f"@\n{NOTICE}", f"@\n{NOTICE}", f"@\n{NOTICE}\n{NOTICE}", f"@\n{NOTICE}\n"]),
    )
    texts = kept_texts(tmp_path / "out")
    assert [texts["01"], texts["02"], texts["03"]] == [PAGES[1], PAGES[2], f"{PAGES[3]}\n"]


def test_a_line_takes_its_own_newline_along_of_whichever_kind(tmp_path: Path) -> None:
    cut(
        tmp_path,
        pages(
            [
                f"@\r\n{NOTICE}\r\n",
                f"@\r\n{NOTICE}\r\nend",
                f"@\r\n{NOTICE}",
                f"@\r\n{NOTICE}\n{NOTICE}",
                f"@\n{NOTICE}\r\n{NOTICE}",
                f"@\r\n\r\n{NOTICE}",
            ]
        ),
    )
    texts = kept_texts(tmp_path / "out")
    assert [texts[f"{n:02d}"].replace(PAGES[n], "@") for n in range(1, 6)] == [
        "@\r\nend", "@", "@", "@", "@\r\n",
    ]  # fmt: skip


def test_neighbouring_lines_are_cut_as_one_span(tmp_path: Path) -> None:
    other = NOTICE.replace("編集部", "出版社")
    documents = pages([f"@\n{NOTICE}\n{other}\nend"] * 3 + [f"@\n{NOTICE}\n\n{other}"])
    cut(tmp_path, documents)
    begin, size = len(PAGES[0].encode()), len(NOTICE.encode())
    assert cuts(tmp_path) == {
        "01": [begin + 1, begin + 2 * size + 3],
        "02": [begin + 1, begin + 2 * size + 3],
        # without its last line the text ends in the newline of the page, not in that behind it
        "03": [begin + 1, begin + 2 * size + 3],
    }
    assert kept_texts(tmp_path / "out")["03"] == f"{PAGES[3]}\n"


def test_characters_of_every_length_stay_whole(tmp_path: Path) -> None:
    line = "aéあ😀" * 5
    cut(tmp_path, pages([f"é😀\n{line}\né😀@あ"] * 3))
    assert kept_texts(tmp_path / "out")["02"] == f"é😀\né😀{PAGES[2]}あ"


def test_a_document_of_frequent_lines_alone_is_lost_with_that_reason(tmp_path: Path) -> None:
    other = NOTICE.replace("編集部", "出版社")
    documents = pages([f"@\n{NOTICE}\n{other}"] * 3)
    documents.append(document("empty", f"{NOTICE}\n\n{other} ", perplexity=9.0))
    report = cut(tmp_path, documents)
    assert fates(tmp_path / "out")["empty"] == "frequent_lines"
    assert survivors(tmp_path / "out") == {"00", "01", "02"}
    assert report.accounts is not None
    assert report.accounts.dropped["frequent_lines"].documents == 1
    assert report.metrics["documents_with_cut_lines"] == 2
    report.accounts.verify("test")


def test_every_character_that_is_cut_stands_in_the_books(tmp_path: Path) -> None:
    report = cut(tmp_path, pages([f"@\n{NOTICE}", f"{NOTICE}\n@", f"@\n{NOTICE}\nend"]))
    assert report.accounts is not None
    report.accounts.verify("test")
    texts = kept_texts(tmp_path / "out").values()
    assert report.accounts.kept.characters == sum(map(len, texts))
    assert report.accounts.kept.bytes == sum(len(text.encode()) for text in texts)


def test_copies_of_one_page_do_not_make_its_lines_frequent(tmp_path: Path) -> None:
    documents = [
        document(str(number), f"{PAGES[0]}\n{NOTICE}{' ' * number}") for number in range(5)
    ]
    cut(tmp_path, documents)
    assert list(kept_texts(tmp_path / "out").values()) == [documents[-1]["text"]]


def test_documents_that_their_bucket_keeps_back_are_not_counted(tmp_path: Path) -> None:
    has, lacks = f"@\n{NOTICE}", "@"
    documents = pages([has, lacks, has, has, lacks, has])
    for number in (0, 5):
        documents[number]["bucket"] = "tail"
    rule = BucketRule(BucketShares(tail=0.0))
    cut(tmp_path / "three", documents, shards=1, buckets=rule)
    assert cuts(tmp_path / "three") == {}
    cut(tmp_path / "two", documents, shards=1, buckets=rule, minimum_documents=2)
    assert set(cuts(tmp_path / "two")) == {"03"}


def test_lines_that_most_documents_have_are_shown(tmp_path: Path) -> None:
    cut(tmp_path, pages([f"@\n{NOTICE}"] * 3))
    shown = (tmp_path / "out" / REPORT / "frequent_lines.json").read_text(encoding="utf-8")
    assert f'["{NOTICE}", 3, "00"]' in shown


def test_the_report_shows_twenty_lines_at_most_and_long_ones_shortened(tmp_path: Path) -> None:
    lines = "\n".join(text_of(1_000 + number, 200) for number in range(30))
    report = cut(tmp_path, pages([f"@\n{lines}", f"@\n{lines}", f"@\n{lines}\n{lines}"]))
    shown = json.loads((tmp_path / "out" / REPORT / "frequent_lines.json").read_text())
    assert report.metrics["frequent_lines"] == 30
    assert [len(line) for line, *_ in shown["rows"]] == [150] * 20


CUT = Dedup(lines=FrequentLines(minimum_documents=3))
materialise = partial(composed.materialise, dedup=CUT)


def some_pages() -> list[dict[str, Any]]:
    generator = random.Random(5)
    notices = [text_of(1_000 + number, 20) for number in range(6)]
    return [
        document(f"{n:03d}", "\n".join([text_of(n, 80), *generator.sample(notices, 3)]))
        for n in range(40)
    ]


def test_neither_the_order_of_shards_nor_workers_matter(tmp_path: Path) -> None:
    documents = some_pages()
    one = materialise(tmp_path / "a", write_shards(tmp_path / "1", documents, 4), "1")
    two = materialise(tmp_path / "b", write_shards(tmp_path / "2", documents, 4), "1", workers=2)
    assert one.content == two.content
    assert one.record.report["metrics"]["documents_with_cut_lines"] > 30
    turned = materialise(tmp_path / "c", write_shards(tmp_path / "3", documents[::-1], 7), "1")
    assert kept_texts(turned.path) == kept_texts(one.path)
    assert len(set(kept_texts(one.path).values())) == 40


def test_a_refresh_reads_new_shards_alone_and_equals_a_run_from_scratch(tmp_path: Path) -> None:
    documents = some_pages()
    scored = write_shards(tmp_path / "in", documents[:30], 3)
    materialise(tmp_path / "store", scored, "old")
    read = tmp_path / "store" / "shards" / DEDUPLICATE.name
    assert len(list(read.glob("*/*.lines.npy"))) == 3
    more = write_shards(tmp_path / "more", documents[30:], 1) / "web-00000.parquet"
    more.rename(scored / "web-00009.parquet")
    second = materialise(tmp_path / "store", scored, "new")
    assert len(list(read.glob("*/*.lines.npy"))) == 4
    assert second.content == materialise(tmp_path / "another", scored, "new").content
    assert file_digests(second.path) != {}


def test_hashes_are_joined_by_ranges_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = write_shards(tmp_path / "in", some_pages(), 4)
    whole = materialise(tmp_path / "whole", scored, "1")
    for size in (1, 50):
        monkeypatch.setattr(frequent_lines, "LINES_IN_ONE_RANGE", size)
        parts = materialise(tmp_path / str(size), scored, "1")
        assert parts.content == whole.content
        shown = [one.path / REPORT / "frequent_lines.json" for one in (parts, whole)]
        assert shown[0].read_bytes() == shown[1].read_bytes()


LINES = st.lists(
    st.sampled_from(["", " ", "a", "ab!", "Ａｂ", "か\u3099き", "がき", "…", "xy z", "漢字"]),
    max_size=5,
)


@st.composite
def broken_text(draw: st.DrawFn) -> str:
    """Some lines, with newlines of both kinds between them and perhaps behind the last."""
    lines = draw(LINES)
    newlines = [draw(st.sampled_from(["\n", "\r\n"])) for _ in lines]
    text = "".join(line + newline for line, newline in zip(lines, newlines, strict=True))
    return text if draw(st.booleans()) else text.removesuffix("\n").removesuffix("\r")


def without_frequent(texts: list[str], minimum: int) -> dict[int, str]:
    """What remains of each text, by the definition: folded lines in a dictionary."""
    lines = [re.findall(r"[^\n]*\n|[^\n]+", text) for text in texts]
    folded = [[fold(line, Fold()) for line in some] for some in lines]
    owners: dict[str, list[int]] = defaultdict(list)
    for number, some in enumerate(folded):
        for line in set(some):
            owners[line].append(number)
    remaining = {}
    for number, some in enumerate(folded):
        kept = [
            len(line) < 2 or len(owners[line]) < minimum or owners[line][0] == number
            for line in some
        ]
        text = "".join(line for line, stays in zip(lines[number], kept, strict=True) if stays)
        if kept and not kept[-1] and not lines[number][-1].endswith("\n"):
            text = text.removesuffix("\n").removesuffix("\r")
        if all(kept) or fold(text, Fold()):
            remaining[number] = text
    return remaining


@settings(max_examples=60, deadline=None)
@given(st.lists(broken_text(), min_size=1, max_size=6), st.integers(2, 3))
def test_what_is_kept_is_what_plain_python_keeps(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], minimum: int
) -> None:
    documents = [document(f"{n}", text, perplexity=float(n)) for n, text in enumerate(texts)]
    root = tmp_path_factory.mktemp("lines")
    scored = write_shards(root / "in", documents, 2)
    lines = FrequentLines(minimum_documents=minimum, minimum_characters=2)
    report = run(scored, root / "out", heldout_share=0.0, near=False, exact=False, lines=lines)
    kept = kept_texts(root / "out")
    assert kept == {str(n): text for n, text in without_frequent(texts, minimum).items()}
    assert report.accounts is not None
    assert report.accounts.kept.characters == sum(map(len, kept.values()))
