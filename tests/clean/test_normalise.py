"""Normalisation: one form for equal text, and nothing lost that means something."""

import pytest

from nativize.clean.normalise import normalise


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("一\r\n二\r三\u2028四", "一\n二\n三\n四"),
        ("ＡＢＣ１２３", "ABC123"),
        ("ｶﾞｷﾞ", "ガギ"),
        ("か\u3099", "が"),
        ("a\x00b\x1b\ufeffc\u200bd\xad", "abcd"),
        ("一   \n二\t", "一\n二"),
        ("一\n\n\n\n二", "一\n\n二"),
        ("\n\n一\n", "一"),
        ("if x:\n    y()", "if x:\n    y()"),
        ("👩\u200d🍳", "👩\u200d🍳"),
    ],
)
def test_a_text_has_one_form(text, result):
    assert normalise(text, "NFKC") == result


def test_full_width_letters_stay_without_compatibility():
    assert normalise("ＡＢＣ\u3000か\u3099", "NFC") == "ＡＢＣ\u3000が"
    assert normalise("か\u3099", "none") == "か\u3099"


def test_normalising_twice_changes_nothing_more():
    once = normalise("ﾊﾟ　\r\n\r\n\r\n\r\n①　\x85x", "NFKC")
    assert normalise(once, "NFKC") == once
