"""Statistics: every column is what the published definition counts, on real and odd pages."""

import random

import numpy as np
import pytest

from benchmarks import real_text
from nativize.clean.marks import HIRAGANA, KANJI, KATAKANA, SPECIAL, marks
from nativize.clean.normalise import normalise, policy_of
from nativize.clean.scripts import LETTERS, script_of
from nativize.clean.statistics import COUNTS, SHARES, measure
from nativize.recipe import Language, Normalisation
from nativize.texts import Texts
from tests.clean import published as gopher
from tests.clean import published_hojichar as hojichar
from tests.clean import published_swallow as swallow
from tests.clean import published_web as web
from tests.clean.published_characters import HOJICHAR_SPECIAL, PUNCTUATION

JAPANESE = Language(code="ja")
ENGLISH = Language(code="en", shingle="words")
TIBETAN = Language(code="bo", shingle="syllables")
STOP_WORDS = sorted(gopher.STOP_WORDS)
PIECES = [
    "春が来た。", "花が咲く！？", "「そうか」", "コメント", "2025年1月6日", "(月)", "-", "…", "...",
    "…\n", "\n", "\n\n", "・", "- 一", "• two", "word", "The end.", "the", "{", "lorem ipsum",
    "#", "12話", " ", "\u3000", "a a a a", "བོད་ཡིག་", "།", "ア", "士", "１", "😀", "é", "SOLD OUT",
    "。", "  x",
]  # fmt: skip


def pages(language: Language) -> list[str]:
    """Real pages where they are, composed ones elsewhere, and heaps of odd pieces."""
    code = language.code if language.code != "bo" else "ja"
    generator = random.Random(7)
    odd = ["".join(generator.choices(PIECES, k=generator.randrange(1, 40))) for _ in range(150)]
    policy = policy_of(language, Normalisation())
    texts = [normalise(text, policy) for text in (*real_text.documents(code, 400_000), *odd)]
    return [text for text in texts if text]


@pytest.fixture(scope="module", params=[JAPANESE, ENGLISH, TIBETAN], ids=lambda item: item.code)
def measured(request):
    texts = pages(request.param)
    return request.param, texts, measure(Texts.of(texts), request.param, STOP_WORDS)


ONLY_WITHOUT_WORDS = ("bulletin_marks", "sentences", "sentence_characters", "longest_sentence")


def agree(values, texts, expected):
    wanted = [expected(text) for text in texts]
    different = np.flatnonzero(~np.isclose(values, wanted, rtol=1e-5))
    assert not len(different), (texts[different[0]], values[different[0]], wanted[different[0]])


def units_of(language, text):
    if language.shingle == "words":
        return gopher.whitespace_words(text)
    return gopher.tibetan_syllables(text)


def test_every_column_is_there(measured):
    _, texts, columns = measured
    assert list(columns) == [*COUNTS, *SHARES]
    assert all(len(column) == len(texts) for column in columns.values())


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("characters", len),
        ("visible", lambda text: sum(not c.isspace() for c in text)),
        ("letters", lambda text: sum(map(len, LETTERS.findall(text)))),
        ("digits", lambda text: sum(c.isdecimal() for c in text)),
        ("ascii", lambda text: sum(c < "\x80" for c in text)),
        ("hiragana", lambda text: swallow.letters(text)["hiragana"]),
        ("katakana", lambda text: swallow.letters(text)["katakana"]),
        ("hashes", lambda text: text.count("#")),
        ("ellipses", lambda text: text.count("...") + text.count("…")),
        ("ideographic_stops", lambda text: text.count("。")),
        ("longest_run", hojichar.longest_run),
        ("kana_in_head", lambda text: hojichar.accept_japanese(text) is None),
        ("bulletin_marks", hojichar.bbs_words),
        ("lines", lambda text: text.count("\n") + 1),
        ("longest_line", lambda text: max(map(len, text.split("\n")))),
        ("short_lines_10", lambda text: sum(len(line) <= 10 for line in text.split("\n"))),
        ("text_lines", lambda text: len(web.fineweb_lines(text))),
        ("duplicate_lines", lambda text: gopher.duplicates(gopher.gopher_lines(text))[0]),
        ("duplicate_line_characters", lambda t: gopher.duplicates(gopher.gopher_lines(t))[1]),
        ("paragraphs", lambda text: len(gopher.gopher_paragraphs(text))),
        ("duplicate_paragraphs", lambda t: gopher.duplicates(gopher.gopher_paragraphs(t))[0]),
        (
            "duplicate_paragraph_characters",
            lambda text: gopher.duplicates(gopher.gopher_paragraphs(text))[1],
        ),
        ("sentences", lambda text: len(swallow.swallow_sentences(text))),
        ("sentence_characters", lambda t: sum(map(len, swallow.swallow_sentences(t)))),
        ("longest_sentence", lambda t: max(map(len, swallow.swallow_sentences(t)), default=0)),
    ],
)
def test_a_count_is_what_the_definition_says(measured, column, expected):
    language, texts, columns = measured
    if language.shingle != "characters" and column in ONLY_WITHOUT_WORDS:
        assert not columns[column].any()
        return
    if column == "kana_in_head":  # HojiChar's own ranges of kana lack a few rare ones
        texts = [text for text in texts if not set(text[:50]) & set("ゔゕゖヴヵヶヷヸヹヺ")]
        columns = measure(Texts.of(texts), JAPANESE)
    agree(columns[column], texts, expected)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        ("terminal_lines", "text_lines", web.line_punctuation_share),
        ("short_lines_30", "text_lines", web.short_line_share),
        ("bullet_lines", "lines", gopher.bullet_line_share),
        ("ellipsis_lines", "lines", gopher.ellipsis_line_share),
        ("duplicate_lines", "text_lines", lambda t: gopher.duplicate_share(gopher.gopher_lines(t))),
    ],
)
def test_a_share_of_lines_is_what_the_definition_says(measured, part, whole, expected):
    _, texts, columns = measured
    agree(columns[part] / columns[whole], texts, expected)


def test_ellipsis_ends_are_counted_before_newlines(measured):
    _, texts, columns = measured
    newlines = np.maximum(columns["lines"] - 1, 1)
    agree(columns["ellipsis_ends"] / newlines, texts, hojichar.ending_ellipsis_ratio)


def test_words_are_what_white_space_or_tsheg_parts(measured):
    language, texts, columns = measured
    if language.shingle == "characters":
        assert not columns["words"].any()
        return
    words = [units_of(language, text) for text in texts]
    assert columns["words"].tolist() == [len(units) for units in words]
    # datatrove takes the full-width digit one for punctuation, by accident
    real = [gopher.real_words([unit.replace("１", "2") for unit in units]) for units in words]
    assert columns["real_words"].tolist() == [len(units) for units in real]
    letters = [sum(map(len, units)) for units in real]
    assert columns["real_word_characters"].tolist() == letters
    some = [sum(any(c.isalpha() for c in word) for word in units) for units in words]
    assert columns["alphabetic_words"].tolist() == some


def test_stop_words_are_found_behind_punctuation(measured):
    """datatrove cuts punctuation off as words of its own, which comes to the same."""
    language, texts, columns = measured
    if language.code != "en":
        return
    marks_around = "".join(PUNCTUATION)
    agree(
        columns["stop_words"],
        texts,
        lambda text: gopher.distinct_stop_words([w.strip(marks_around) for w in text.split()]),
    )


def repeats(units, n):
    grams = [tuple(units[at : at + n]) for at in range(len(units) - n + 1)]
    return len(set(grams)) < len(grams)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_top_ngram_is_the_published_one_where_it_occurs_twice(measured, n):
    """The definition takes a first n-gram that nothing repeats, so short texts are all one."""
    language, texts, columns = measured

    def expected(text):
        if language.shingle != "characters":
            units = units_of(language, text)
            return gopher.top_ngram_share(units, n, text) if repeats(units, n) else 0.0
        units = gopher.characters(text)
        if not repeats(units, 2 * n):
            return 0.0
        share = gopher.top_ngram_share(units, 2 * n, text, "")
        return share * (3 * n - 1) / (2 * n)  # with the n - 1 spaces that words have

    agree(columns[f"top_{n}"], texts, expected)


@pytest.mark.parametrize("n", [5, 7, 10])
def test_duplicate_ngrams_are_the_published_ones(measured, n):
    """An n-gram is told by its units; datatrove runs them together ("ab c" is "a bc")."""
    language, texts, columns = measured

    def expected(text):
        if language.shingle == "characters":
            return gopher.duplicate_ngram_share(gopher.characters(text), 2 * n, text)
        units = units_of(language, text)
        marked = [unit + "\0" for unit in units]
        own = gopher.duplicate_ngram_share(marked, n, text)
        return own - own_marks(marked, n, text)

    def own_marks(marked, n, text):
        """What the marks added: each counted n-gram holds n of them."""
        known, repeated, place = set(), 0, 0
        while place + n <= len(marked):
            gram = tuple(marked[place : place + n])
            repeated += n if gram in known else 0
            place += n if gram in known else 1
            known.add(gram)
        return repeated / len(text)

    agree(columns[f"duplicate_{n}"], texts, expected)


def test_repetition_is_hojichars(measured):
    language, texts, columns = measured
    if language.shingle == "characters":
        agree(columns["repeated_5_characters"], texts, hojichar.character_repetition_ratio)


def test_special_characters_are_hojichars_without_its_letters():
    table = marks("ja")
    ours = {chr(point) for point in np.flatnonzero(table & SPECIAL)}
    assert ours < HOJICHAR_SPECIAL
    assert all(character.isalnum() or not character.isprintable() or character in "ʺˈˌːा्ীো"
               or LETTERS.match(character) or character in "¼½¾²³¹"
               for character in HOJICHAR_SPECIAL - ours), HOJICHAR_SPECIAL - ours  # fmt: skip


@pytest.mark.parametrize("code", ["ja", "zh", "en", "bo", "th", "ru"])
def test_letters_of_the_script_are_letters(code):
    every = "".join(chr(p) for p in range(0x30000) if not 0xD800 <= p < 0xE000)
    letters = "".join(LETTERS.findall(every))
    expected = sum(map(len, script_of(code).findall(letters)))
    columns = measure(Texts.of([every]), Language(code=code))
    assert columns["script_letters"][0] == expected


def test_kana_and_kanji_are_swallows():
    table = marks("ja")
    for point in range(0x3000, 0x10000):
        counts = swallow.letters(chr(point))
        assert bool(table[point] & HIRAGANA) == counts["hiragana"], hex(point)
        assert bool(table[point] & KATAKANA) == counts["katakana"], hex(point)
        # unassigned code points between the blocks of ideographs are no letters here
        assert not table[point] & KANJI or counts["kanji"], hex(point)


def test_a_book_is_measured_by_its_head_and_an_empty_text_by_nothing():
    book = "".join(chr(0x4E00 + n % 7_919) for n in range(60_000)) + "繰り返し。" * 20_000
    columns = measure(Texts.of([book, ""]), JAPANESE)
    assert columns["duplicate_10"][0] > 0.5
    assert columns["top_2"][0] < 0.01
    assert all(column[1] == 0 for name, column in columns.items() if "lines" not in name)
