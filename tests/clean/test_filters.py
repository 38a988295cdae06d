"""Filters: each figure on a text where it can be counted by hand."""

import pytest

from nativize.clean.filters import (
    duplicate_line_share,
    line_punctuation_share,
    script_share,
    symbol_share,
    top_ngram_share,
)

PROSE = (
    "柔道は、相手の力を利用して投げたり抑えたりする武道です。六月の木曜日、港町で大会が開かれました。"
    "参加したのは四十組で、朝から熱のこもった試合が続きました。結果よりも、礼をして終わる姿が心に残ります。"
)


@pytest.mark.parametrize(
    ("text", "code", "share"),
    [
        ("あア漢", "ja", 1.0),
        ("あア漢x", "ja", 0.75),
        ("漢字かな", "zh", 0.5),
        ("བོད་ཡིག", "bo", 1.0),
        ("abc", "en", 1.0),
        ("12.!", "ja", 0.0),
    ],
)
def test_script_share_counts_letters_only(text, code, share):
    assert script_share(text, code) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "share"),
    [("あいう", 0.0), ("あい!!", 0.5), ("1 2 あ い", 0.5), ("", 1.0), ("བོད", 0.0)],
)
def test_symbol_share_counts_what_is_no_letter(text, share):
    assert symbol_share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "share"), [("a\nb\nc", 0.0), ("a\n a\n\nb\nb", 0.5), ("", 0.0), ("a\na\na\na", 0.75)]
)
def test_duplicate_line_share_counts_repeated_lines(text, share):
    assert duplicate_line_share(text) == pytest.approx(share)


def test_prose_has_no_top_ngram():
    assert top_ngram_share(PROSE, "characters") == 0.0


def test_a_phrase_said_over_and_over_is_the_top_ngram():
    assert top_ngram_share("送料無料最安値!" * 20 + PROSE, "characters") > 0.4


def test_a_run_of_one_character_is_counted_once():
    assert top_ngram_share("ー" * 80, "characters") == 1.0


def test_words_are_counted_where_spaces_part_them():
    assert top_ngram_share("buy now " * 10 + "and then something else", "words") > 0.5
    assert top_ngram_share("each word here stands just once", "words") == 0.0


def test_line_punctuation_share_counts_sentence_ends():
    assert line_punctuation_share("一。\n二\n三」\n\n四") == 0.5
