"""The reference definitions themselves: by hand, and against the projects that published them.

The second half needs the peers' environment, which `python -m benchmarks.corpus` makes.
"""

import json
from pathlib import Path

import pytest

from benchmarks import real_text
from benchmarks.peers import environment
from tests.clean import published as gopher
from tests.clean import published_hojichar as hojichar
from tests.clean import published_swallow as swallow
from tests.clean import published_web as web

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PEERS_HOME = environment.directory().parent
"""Where the peers are installed, looked up before tests get a home of their own."""


def test_each_occurrence_but_the_first_is_a_duplicate():
    assert gopher.duplicates(["a", "bb", "bb", "bb"]) == (2, 4)


def test_lines_are_cut_at_runs_of_newlines_and_keep_empty_ends():
    assert gopher.gopher_lines("\na\n\n\nb\n") == ["", "a", "b", ""]


def test_the_top_ngram_counts_its_spaces_and_overlaps():
    assert gopher.top_ngram_share(["a", "a", "a", "a"], 2, "a a a a") == pytest.approx(9 / 7)


def test_a_text_of_one_ngram_is_all_top_ngram():
    assert gopher.top_ngram_share(["ab", "cd"], 2, "ab cd") == 1.0


def test_without_ngrams_no_share():
    assert gopher.top_ngram_share(["a"], 2, "a") == 0.0
    assert gopher.duplicate_ngram_share(["a"], 5, "a") == 0.0


def test_a_known_ngram_is_stepped_over_whole():
    # ab bc ca ab: the fourth is known, its two letters count, and nothing is left after it
    assert gopher.duplicate_ngram_share(list("abcab"), 2, "abcab") == pytest.approx(2 / 5)


def test_what_is_stepped_over_is_not_remembered():
    # the first "bc" begins inside the known "ab", so the second is new
    assert gopher.duplicate_ngram_share(list("ababcbc"), 2, "ababcbc") == pytest.approx(2 / 7)


def test_units_run_together_are_one_key():
    assert gopher.duplicate_ngram_share(["ab", "c", "a", "bc"], 2, "abcabc") == pytest.approx(0.5)


def test_characters_leave_white_space_out():
    assert gopher.characters("一 二\n三\u3000四") == list("一二三四")


def test_syllables_are_cut_at_tsheg_and_shad():
    assert gopher.tibetan_syllables("བོད་སྐད། དེ་") == ["བོད", "སྐད", "དེ"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("a\n\na\n\nb", "dup_para_frac"),
        ("\n\n", "dup_line_frac"),
        ("one\ntwo\nsame\nsame\nsame", "dup_line_frac"),
        ("few words", "top_2_gram"),
        (" ".join(f"{first}{second}" for first in LETTERS for second in LETTERS), None),
    ],
)
def test_gopher_repetition_reasons(text, reason):
    assert gopher.gopher_repetition(text) == reason


def test_punctuation_alone_is_no_real_word_but_counts_for_ratios():
    words = ["the", ",", "…", "１"]
    assert gopher.real_words(words) == ["the"]
    assert gopher.alphabetic_word_share(words) == 0.25


def test_stop_words_keep_their_case():
    assert gopher.distinct_stop_words(["The", "of", "of"]) == 1


def test_blank_lines_are_lines_to_gopher():
    assert gopher.bullet_line_share("- a\n\n• b\nc") == 0.5


def test_three_points_are_one_ellipsis_and_six_are_two():
    assert gopher.ellipsis_ratio("a... b...... c.... d…", ["w"] * 10) == pytest.approx(0.5)


def test_c4_looks_for_brackets_only_where_a_line_ends_like_a_sentence():
    sentence = "This is one whole sentence."
    assert web.c4("\n".join(["if (x) {", *[sentence] * 5])).reason is None
    assert web.c4("\n".join(["Here is { a bracket.", *[sentence] * 5])).reason == "curly_bracket"


def test_c4_returns_the_lines_it_keeps():
    lines = ["Menu", "One two three.", "Use cookies, they say.", "Javascript is not on."]
    kept = ["One two three."] * 5
    assert web.c4("\n".join([*lines, *kept])).text == "\n".join(["One two three."] * 6)


def test_a_citation_at_the_end_costs_the_line():
    assert web.c4("One two three. [1]\n" * 9).reason == "too_few_sentences"
    assert web.c4("One two three.[1]\n" * 9).reason is None


def test_a_space_hides_the_mark_at_the_end():
    assert web.line_punctuation_share("終わり。\n終わり。 \n終わり」\n\n") == pytest.approx(1 / 3)


def test_fineweb_counts_duplicate_characters_without_newlines():
    assert web.fineweb_duplicate_character_share("ab\nab\n\ncd") == pytest.approx(2 / 6)


def test_fineweb2_goes_by_the_words_it_is_given():
    text = "のに" * 60
    assert web.fineweb2(text, "ja", gopher.characters) == "top_2_gram"
    assert web.fineweb2(text, "ja", lambda text: [text]) == "line_punct_ratio"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a" * 49 + "あ", None), ("a" * 50 + "あ", "not_japanese"), ("ヴー", "not_japanese")],
)
def test_one_kana_in_the_head_is_japanese_to_hojichar(text, reason):
    assert hojichar.accept_japanese(text) == reason


def test_a_text_without_full_stops_has_infinite_sentences():
    assert hojichar.characters_to_full_stop("あ") == float("inf")
    assert hojichar.discard_rare_kuten("あ" * 99 + "。") is None
    assert hojichar.discard_rare_kuten("あ" * 100 + "。") == "rare_kuten"


def test_hyphens_are_forum_words():
    assert hojichar.bbs_words("2026-01-02 に投稿 - (月)") == 4


def test_as_many_ngrams_are_looked_at_as_the_square_root_of_their_kinds():
    # 12 grams of 9 kinds, so three are looked at, but only one of them occurs twice or more
    text = "aaaaaaaa" + LETTERS[1:9]
    assert hojichar.character_repetition_ratio(text) == pytest.approx(4 / 12)


def test_a_warrior_is_a_special_character():
    assert hojichar.special_character_ratio("士官") == 0.5


def test_the_last_line_without_newline_is_not_seen():
    assert hojichar.ending_ellipsis_ratio("a…\nb...\nc…") == 1.0
    assert hojichar.ending_ellipsis_ratio("a…") == 0.0


def test_an_empty_last_line_is_short():
    assert hojichar.hojichar_short_line_ratio("あ" * 20 + "\n") == 0.5


def test_words_repeated_as_ngrams():
    assert hojichar.word_repetition_ratio(list("abcab"), 2) == 0.5


def test_a_second_end_mark_belongs_to_no_sentence():
    assert swallow.swallow_sentences("本当！？　そう。\n。") == ["本当！", "　そう。"]


def test_blank_lines_are_duplicates_to_swallow():
    assert gopher.duplicates(swallow.swallow_lines("a\n\n\n\nb")) == (2, 0)


def test_swallow_counts_kinds_of_ngrams():
    assert swallow.duplicate_character_ngram_share("ababab", 2) == 1.0
    assert swallow.top_character_ngram_share("ababab", 2) == 0.6


def test_the_long_vowel_mark_is_no_katakana_to_swallow():
    assert swallow.letters("カーあ亜。、") == {
        "hiragana": 1,
        "katakana": 1,
        "kanji": 1,
        "kuten": 1,
        "toten": 1,
    }


def test_a_sentence_of_more_than_200_letters_drops_a_document():
    letters = [chr(code) for code in range(0x4E00, 0x4E00 + 600)]
    kana = "".join(f"{letter}の" for letter in letters)
    sentences = [kana[at : at + 60] + "。" for at in range(0, 780, 60)]
    assert swallow.swallow_v1("".join(sentences)) is None
    long_one = kana[780:1000] + "。"
    assert swallow.swallow_v1("".join([*sentences, long_one])) == "max_sentence_length"


def test_compression_reads_repetition():
    assert swallow.llm_jp_compression("同じ文。" * 99) == "compression"


NASTY = (
    "\n\n",
    "\n先頭と末尾に改行。\n",
    "...\n…\n......\n" * 9 + "end",
    "- one\n• two\n-three\n\n" * 12,
    "# # # a b c\n" * 20,
    "同じ行です。\n" * 12 + "違う行です。",
    "あ" * 250,
    "2026-01-02 (月) コメント 3話 " * 8,
    "①②③④⑤⑥送料" * 4,
    "続きを読む...\n" * 5 + "終わり",
    "短い\n短い行\n\n" * 6,
    "士官と兵士！？【重要】★★★☆☆ 。、・「」" * 6,
    "\x1c\x85a\u2028b\x0bc" * 9,
    "The use of cookies { is } lorem ipsum.\nJavascript of the web.\n[1] Word [edit] here. [2]",
    "to be of and that have with the " * 30,
    "end. \nend.\nend”\n" * 9,
)


def samples(language: str) -> dict[str, str]:
    """Real pages where they lie beside the project, composed ones elsewhere, and hand-made ones."""
    real = [text[:6_000] for text in real_text.documents(language, 600_000)]
    return {str(number): text for number, text in enumerate((*NASTY, *real))}


def of_peers(script: str, place: Path, texts: dict[str, str], *arguments: str):
    """A peer's answer about texts."""
    path = place / "documents.jsonl"
    rows = ({"id": name, "text": text} for name, text in texts.items())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATIVIZE_HOME", str(PEERS_HOME))
        if not environment.is_installed():
            pytest.skip("the peers are not installed; `python -m benchmarks.corpus` does it")
        return environment.run(script, str(path), *arguments)


@pytest.fixture(scope="module", params=("en", "ja", "zh"))
def datatrove(request, tmp_path_factory):
    """Language, texts and what datatrove says of them."""
    texts = samples(request.param)
    place = tmp_path_factory.mktemp(request.param)
    answer = of_peers("run_datatrove.py", place, texts, request.param, "each")
    return request.param, texts, answer


DATATROVE = {
    "GopherRepetitionFilter": (gopher.gopher_repetition, web.fineweb2_repetition),
    "GopherQualityFilter": (gopher.gopher_quality, web.fineweb2_quality),
    "FineWebQualityFilter": (web.fineweb_quality, web.fineweb2_lines),
}
"""Our definition of each filter: FineWeb's for English, FineWeb-2's for other languages."""

HOJICHAR = {
    "DocumentLengthFilter": lambda text: hojichar.hojichar_length(text, 100, 200_000),
    "AcceptJapanese": hojichar.accept_japanese,
    "DiscardBBSComments": hojichar.discard_bbs_comments,
    "DiscardRareKuten": hojichar.discard_rare_kuten,
    "CharRepetitionRatioFilter": hojichar.discard_character_repetition,
    "DiscardTooManySpecialToken": hojichar.discard_special_characters,
    "SingleCharacterRepetitionFilter": hojichar.discard_single_character_repetition,
    "DiscardTooManyEndingEllipsis": hojichar.discard_ending_ellipsis,
    "DiscardTooShortLines": hojichar.discard_short_lines,
}


@pytest.mark.parametrize("name", DATATROVE)
def test_reasons_are_those_of_datatrove(datatrove, name):
    language, texts, answer = datatrove
    in_english, elsewhere = DATATROVE[name]
    ours = {}
    for key, text in texts.items():
        units = lambda _, key=key: answer["words"][key]  # noqa: E731
        limits = web.FINEWEB2.get(language)
        ours[key] = elsewhere(text, limits, units) if limits else in_english(text, units)
    theirs = answer["reasons"][name]
    assert {key: reason for key, reason in ours.items() if reason} == theirs
    print(f"\n{language} {name}: {len(theirs)} of {len(texts)} texts dropped, for equal reasons")


def test_c4_keeps_the_lines_that_datatrove_keeps(datatrove):
    _, texts, answer = datatrove
    ours = {key: web.c4(text, least_sentences=-1) for key, text in texts.items()}
    assert {key: [made.reason, made.text] for key, made in ours.items()} == answer["c4"]


@pytest.fixture(scope="module")
def of_hojichar(tmp_path_factory):
    """Texts and the ones that each filter of HojiChar drops."""
    texts = samples("ja")
    answer = of_peers("run_hojichar.py", tmp_path_factory.mktemp("ja"), texts, "each")
    return texts, answer


@pytest.mark.parametrize("name", HOJICHAR)
def test_drops_are_those_of_hojichar(of_hojichar, name):
    texts, answer = of_hojichar
    ours = [key for key, text in texts.items() if HOJICHAR[name](text)]
    assert ours == answer["dropped"][name]
    print(f"\n{name}: the same {len(ours)} of {len(texts)} texts dropped")


def test_advertisements_are_those_of_hojichar(of_hojichar):
    texts, answer = of_hojichar
    ours = [key for key, text in texts.items() if hojichar.discard_ads(text, answer["advertising"])]
    assert ours == answer["dropped"]["DiscardAds"]


def test_repeated_words_are_those_of_hojichar(of_hojichar):
    texts, answer = of_hojichar
    words = answer["words"]
    ours = [key for key in texts if hojichar.discard_word_repetition(words[key])]
    assert ours == answer["dropped"]["WordRepetitionRatioFilter"]
