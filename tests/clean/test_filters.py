"""Filters decide as their publications do, on real pages and on heaps of odd pieces."""

from collections.abc import Callable

import numpy as np
import pytest

from nativize.clean.filters import FILTERS, drops
from nativize.clean.presets import LINES_JA, REPETITION_JA
from nativize.clean.statistics import COUNTS, SHARES, measure
from nativize.recipe.clean import (
    FineWeb,
    GopherQuality,
    GopherRepetition,
    HojiChar,
    Length,
    Script,
    Swallow,
)
from nativize.texts import Texts
from tests.clean import published as gopher
from tests.clean import published_hojichar as hojichar
from tests.clean import published_swallow as swallow
from tests.clean import published_web as web
from tests.clean.test_statistics import ENGLISH, JAPANESE, STOP_WORDS, pages, repeats

Definition = Callable[[str], str | None]


def decisions(name, wanted, texts, language):
    columns = measure(Texts.of(texts), language, STOP_WORDS)
    dropped = np.zeros(len(texts), bool)
    for _, mask in FILTERS[name](columns, wanted):
        dropped |= mask
    return dropped.tolist()


def disagreements(name, wanted, texts, language, definition: Definition) -> list[str]:
    ours = decisions(name, wanted, texts, language)
    return [t for t, drop in zip(texts, ours, strict=True) if drop != bool(definition(t))]


@pytest.fixture(scope="module")
def english():
    return pages(ENGLISH)


@pytest.fixture(scope="module")
def japanese():
    return pages(JAPANESE)


def test_gopher_repetition_decides_as_published_but_for_what_occurs_once(english):
    """By the letter an n-gram that occurs once is the top one; a text of four words is all that."""

    def definition(text):
        words = text.split()
        most = {n: t for n, t in gopher.TOP_NGRAMS.items() if repeats(words, n)}
        return gopher.gopher_repetition(text, top_ngrams=most)

    found = disagreements("gopher_repetition", GopherRepetition(), english, ENGLISH, definition)
    assert found == []
    longer = [text for text in english if len(text) >= 200]
    plain = gopher.gopher_repetition
    assert disagreements("gopher_repetition", GopherRepetition(), longer, ENGLISH, plain) == []


def test_gopher_quality_decides_as_published_but_for_words_in_quotes(english):
    """The definition counts "the," as another word than "the"; datatrove cuts the comma off."""

    def definition(text):
        own = gopher.gopher_quality(text, least_stop_words=0)
        cores = [word.strip("".join(gopher.PUNCTUATION)) for word in text.split()]
        return own or ("stop" if gopher.distinct_stop_words(cores) < 2 else None)

    texts = [text for text in english if "１" not in text]
    assert disagreements("gopher_quality", GopherQuality(), texts, ENGLISH, definition) == []


def test_fineweb_decides_as_published(english):
    found = disagreements("fineweb", FineWeb(), english, ENGLISH, web.fineweb_quality)
    assert found == []


def test_fineweb_2_lines_decide_as_published_with_two_characters_a_word(japanese):
    def definition(text):
        words = ["字"] * (len(gopher.characters(text)) // 2) or ["字"]
        lines = web.fineweb_quality(
            text, lambda _: words, line_punctuation=0.096, short_lines=999,
            duplicate_characters=0.1, newlines=0.13,
        )  # fmt: skip
        return lines

    assert disagreements("fineweb", LINES_JA, japanese, JAPANESE, definition) == []


@pytest.mark.parametrize(
    ("wanted", "definition"),
    [
        ({"kana_in_head": True}, hojichar.accept_japanese),
        ({"maximum_characters_per_stop": 100}, hojichar.discard_rare_kuten),
        ({"maximum_bulletin_marks": 14}, hojichar.discard_bbs_comments),
        ({"maximum_repetition": 0.33}, hojichar.discard_character_repetition),
        ({"maximum_ellipsis_ends": 0.7}, hojichar.discard_ending_ellipsis),
        ({"maximum_short_lines": 0.5}, hojichar.discard_short_lines),
        ({"maximum_run": 200}, hojichar.discard_single_character_repetition),
    ],
)
def test_each_rule_of_hojichar_decides_as_published(japanese, wanted, definition):
    off = {name: 0 for name in HojiChar.model_fields}
    rule = HojiChar(**{**off, **wanted})
    assert disagreements("hojichar", rule, japanese, JAPANESE, definition) == []


def test_special_characters_decide_as_published_but_for_its_letters(japanese):
    off = {name: 0 for name in HojiChar.model_fields}
    rule = HojiChar(**{**off, "maximum_special_share": 0.4})
    texts = [text.translate({0x58EB: "武"}) for text in japanese]
    definition = hojichar.discard_special_characters
    assert disagreements("hojichar", rule, texts, JAPANESE, definition) == []


def test_swallow_decides_as_published_but_for_repetition_and_narrow_marks(japanese):
    """Its marks are full-width, a cleaned text may have narrow ones; and ... for …."""

    def definition(text):
        wide = text.replace("!", "！").replace("?", "？").replace("...", "…")
        return swallow.swallow_v1(wide) if not swallow.swallow_repetition(wide) else "repetition"

    def ours(text):
        return text.replace("!", "！").replace("?", "？").replace("...", "…")

    wide = [ours(text) for text in japanese]
    kept = [text for text in wide if not swallow.swallow_repetition(text)]
    assert len(kept) > 20
    assert disagreements("swallow", Swallow(), kept, JAPANESE, definition) == []


def test_japanese_repetition_is_that_of_twice_as_many_characters(japanese):
    def definition(text):
        units = gopher.characters(text)
        if gopher.duplicate_share(gopher.gopher_lines(text)) > 0.328:
            return "lines"
        for n, most in zip((2, 3, 4), REPETITION_JA.maximum_top_ngrams, strict=True):
            share = gopher.top_ngram_share(units, 2 * n, text, "") * (3 * n - 1) / (2 * n)
            if repeats(units, 2 * n) and share > most:
                return "top"
        for n, most in zip(range(5, 11), REPETITION_JA.maximum_duplicate_ngrams, strict=True):
            if gopher.duplicate_ngram_share(units, 2 * n, text) > most:
                return "duplicate"
        return None

    found = disagreements("gopher_repetition", REPETITION_JA, japanese, JAPANESE, definition)
    assert found == []


@pytest.mark.parametrize(
    ("length", "reasons"),
    [(99, ["too_short"]), (100, []), (200, []), (201, ["too_long"]), (0, ["too_short"])],
)
def test_length_bounds_are_inclusive(length, reasons):
    columns = measure(Texts.of(["あ" * length]), JAPANESE)
    wanted = {"length": Length(minimum_characters=100, maximum_characters=200)}
    assert [reason for reason, mask in drops(columns, wanted) if mask[0]] == reasons


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("ひらがな", []),
        ("latin letters only", ["script", "ascii"]),
        ("あ" + "!?" * 9, ["symbols", "ascii"]),
        ("あいう" + "12345" * 4, ["symbols", "digits", "ascii"]),
    ],
)
def test_script_asks_for_letters_of_the_language(text, reasons):
    columns = measure(Texts.of([text]), JAPANESE)
    wanted = {"script": Script(minimum_share=0.5, maximum_ascii_share=0.8)}
    assert [reason for reason, mask in drops(columns, wanted) if mask[0]] == reasons


@pytest.mark.parametrize("name", [name for name in FILTERS if name not in ("c4", "language_score")])
def test_zero_switches_every_rule_off(name):
    texts = ["", "!" * 500, "あ" * 300 + "\n" * 3, "word " * 100, "- …\n" * 50]
    section = {
        "length": Length, "script": Script, "gopher_quality": GopherQuality,
        "gopher_repetition": GopherRepetition, "fineweb": FineWeb, "hojichar": HojiChar,
        "swallow": Swallow,
    }[name]  # fmt: skip
    zeros = {
        field: (0.0,) * len(default.default) if isinstance(default.default, tuple) else 0
        for field, default in section.model_fields.items()
        if field != "stop_words"
    }
    assert not any(decisions(name, section(**zeros), texts, ENGLISH))


def test_every_filter_reads_columns_that_are_measured():
    known = {*COUNTS, *SHARES, "language_score", "c4_marks", "c4_sentences"}
    columns = {name: np.ones(1, np.int32) for name in known}
    published = (
        Length(), Script(), GopherQuality(), GopherRepetition(), FineWeb(), HojiChar(), Swallow(),
    )  # fmt: skip
    names = ("length", "script", "gopher_quality", "gopher_repetition", "fineweb", "hojichar",
             "swallow")  # fmt: skip
    assert all(
        len(mask) == 1 for _, mask in drops(columns, dict(zip(names, published, strict=True)))
    )
