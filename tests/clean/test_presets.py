"""Presets: a language has its filters, a recipe changes single values."""

from typing import get_args

import pytest

from nativize.clean.filters import FILTERS
from nativize.clean.presets import PRESETS, thresholds
from nativize.recipe import Clean, Language
from nativize.recipe.clean import HojiChar, Length, Preset


@pytest.mark.parametrize(
    ("language", "filters"),
    [
        (Language(code="ja"), {"gopher_repetition", "hojichar"}),
        (Language(code="zh"), {"gopher_repetition"}),
        (Language(code="bo", shingle="syllables"), {"gopher_repetition"}),
        (Language(code="en", shingle="words"), {"gopher_quality", "gopher_repetition"}),
        (Language(code="th"), set()),
    ],
)
def test_auto_goes_by_language(language, filters):
    assert set(thresholds(language, Clean())) == {"length", "language_score", "script"} | filters


def test_english_stop_words_are_asked_of_english_only():
    english, german = (Language(code=code, shingle="words") for code in ("en", "de"))
    assert thresholds(english, Clean())["gopher_quality"].minimum_stop_words == 2
    assert thresholds(german, Clean())["gopher_quality"].minimum_stop_words == 0


def test_a_table_changes_what_it_says_and_keeps_the_rest_of_the_preset():
    clean = Clean(hojichar={"maximum_run": 50}, script=False, swallow={})
    found = thresholds(Language(code="ja"), clean)
    assert found["hojichar"].maximum_run == 50
    assert found["hojichar"].maximum_bulletin_marks == 0, "of the preset"
    assert HojiChar().maximum_bulletin_marks == 14, "as published"
    assert "script" not in found
    assert found["swallow"].minimum_letters == 400


def test_every_name_of_a_preset_is_known_and_holds_known_filters():
    assert set(get_args(Preset)) == {"auto", *PRESETS}
    assert all(set(preset) <= set(FILTERS) for preset in PRESETS.values())
    assert set(FILTERS) <= set(Clean.model_fields)
    assert PRESETS["cc_net"]["length"] == Length(minimum_characters=300, maximum_characters=0)
