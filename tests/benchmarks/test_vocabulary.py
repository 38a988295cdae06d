"""The vocabulary benchmark: what it counts, on vocabularies small enough to count by hand."""

from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pytest

from benchmarks import vocabulary
from benchmarks.vocabulary import (
    CLASSIC,
    OUR_BYTES,
    OURS,
    PUBLISHED,
    Grown,
    agreeing,
    exchanged,
    figures_of,
    overall,
    spread,
)
from benchmarks.vocabulary_ours import equally, first_pieces, merge_of, train, trained_ours
from benchmarks.vocabulary_tables import Row, readme_table
from benchmarks.vocabulary_text import EAST_ASIAN, english_lines, prose, up_to_characters
from nativize.vocabulary.piece_model import append_piece, copy_model, read_model
from tests.vocabulary.composed import ENGLISH, JAPANESE, sentences, write_base

UNIGRAM, BPE = CLASSIC.values()


def row(name: str, language: str = "ja", english: int = 0, **found: float) -> Row:
    return Row(name, language, 0, 10, found or {"books": 0.5, "manuals": 0.7}, english, 2, 3)


def test_books_and_manuals_count_half_and_half_and_nothing_else() -> None:
    assert overall(row(OURS, books=0.5, manuals=0.7, Wikipedia=9.0)) == pytest.approx(0.6)
    assert overall(row(OURS, composed=0.4)) == pytest.approx(0.4)


def test_the_figures_take_the_better_classic_way_and_all_of_ours() -> None:
    rows = [
        row(UNIGRAM, books=0.9, manuals=0.9),
        row(BPE, books=0.8, manuals=0.8, english=100),
        row(OURS, english=1),
        row(f"{OURS}, of books alone", books=0.1, manuals=0.1, english=1),
        row(OURS, "zh", english=1, books=0.2, manuals=0.2),
        row(OUR_BYTES, "zh", english=1),
        row(PUBLISHED, "zh", english=100),
    ]
    assert figures_of(rows) == {
        "ja_tokens_per_char": 0.6,
        "classic_tokens_per_char": 0.8,
        "english_ids_changed": 4,
        "unreachable": 8,
        "mismatches_added": 12,
    }


def test_the_last_line_has_the_figures_that_were_ordered() -> None:
    assert list(figures_of([row(UNIGRAM), row(BPE), row(OURS)])) == [
        *("ja_tokens_per_char", "classic_tokens_per_char", "english_ids_changed"),
        *("unreachable", "mismatches_added"),
    ]


def test_the_readmes_table_has_a_line_for_every_vocabulary() -> None:
    rows = [row(OURS, books=0.5, manuals=0.7, Wikipedia=0.6)]
    lines = readme_table({"rows": [asdict(one) for one in rows]}).split("\n")
    assert lines[-1] == "| ja: nativize | 10 | 0.500 | 0.700 | 0.600 | 0 | 2 | 3 |"
    assert {line.count("|") for line in lines} == {9}


def test_the_readme_says_time_and_memory_where_they_were_measured() -> None:
    point = Grown(1_000, 378_000_000, 16_000, 400.4, 2.04, 12_345.6)
    content = {"pieces": 16_000, "rows": [], "growth": [asdict(point)]}
    lines = readme_table(content).split("\n")
    assert lines[-3].startswith("| 16,000 pieces of |")
    assert lines[-1] == "| 1,000 MB | 378 million | 400 s | 2.0 s | 12.3 GB |"


def test_lines_that_are_compared_are_spread_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "COMPARED_LINES", 3)
    assert spread(list("abcdefghi")) == ["a", "d", "g"]
    assert spread(["a", "b"]) == ["a", "b"]


@pytest.mark.parametrize("kind", ["ours", "bpe", "unigram"])
def test_every_way_adds_as_many_pieces_as_it_is_told(kind: str, tmp_path: Path) -> None:
    base = read_model(write_base(tmp_path) / "tokenizer.model")
    merge = merge_of(kind, base, sentences(ENGLISH))
    sizes = {"ours": 80, "bpe": 130, "unigram": 98}
    new = train(kind, sentences(JAPANESE), sizes[kind])
    for added in (66, 70):
        merged = equally(new, merge, len(base.pieces) + added)
        assert len(merged.pieces) == len(base.pieces) + added
        assert [one.piece for one in merged.pieces[:400]] == [one.piece for one in base.pieces]


def test_a_training_with_fewer_pieces_gives_all_it_has(tmp_path: Path) -> None:
    base = read_model(write_base(tmp_path) / "tokenizer.model")
    new = trained_ours(sentences(JAPANESE), 10)
    merged = equally(new, merge_of("ours", base, sentences(ENGLISH)), 100_000)
    assert 400 < len(merged.pieces) <= 400 + len(new.pieces)


def test_single_characters_are_always_taken() -> None:
    new = trained_ours(sentences(JAPANESE), 20)
    pieces = [entry.piece for entry in new.pieces]
    some = [entry.piece for entry in first_pieces(new, 3).pieces]
    assert [len(piece) > 1 for piece in pieces] == [True] * 23 + [False] * (len(pieces) - 23)
    assert some == pieces[:6] + pieces[23:]


def test_lines_agree_where_both_programs_cut_alike(tmp_path: Path) -> None:
    base = read_model(write_base(tmp_path) / "tokenizer.model")
    lines = ["東京都の都", "The old library"]
    assert agreeing(base, lines) == [True, True]
    tied = copy_model(base)
    # sentencepiece joins the first of equal pairs, Hugging Face that of the lowest id
    for piece in ("東", "京", "都", "京都", "東京"):
        append_piece(tied, piece, 0.0)
    assert agreeing(tied, lines) == [False, True]


def test_prose_is_lines_that_are_mostly_of_the_languages_script() -> None:
    page = "春が来た。\nprint('春')\n\n  \n花が ab\nはな abc"
    assert list(prose([page, "no line of it"])) == ["春が来た。"]
    assert list(prose(["花が咲く b"])) == ["花が咲く b"]


def test_english_lines_hold_nothing_east_asian() -> None:
    text = "plain\n\nthat “—” is kept\nＡ full-width letter\nhangul 한\nkanji 春\n𠀋"
    assert list(english_lines([text])) == ["plain", "that “—” is kept"]
    assert not EAST_ASIAN.search("".join(map(chr, range(0x20, 0x1100))))


def test_texts_are_taken_until_there_are_so_many_characters() -> None:
    assert up_to_characters(4, ["abc", "de", "f"]) == ["abc", "de"]
    assert up_to_characters(0, ["abc"]) == []


def test_grown_text_is_the_text_and_then_others_of_the_same_lengths() -> None:
    pages = ["春が来た。花が咲く。", "The river is wide."]
    first, second, third, fourth = islice(exchanged(pages), 4)
    assert [first, second] == pages
    assert [len(third), len(fourth)] == [len(page) for page in pages]
    assert third != first
    assert [len(third.encode()), third[4]] == [len(first.encode()), "。"]
