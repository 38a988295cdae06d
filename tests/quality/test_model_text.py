"""What the n-gram model reads."""

import pytest

from nativize.quality.text import ModelText, units_in


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("東京", ["東 京"]),
        ("東 京", ["東 ▁ 京"]),
        ("ＡＢ　c\t\td", ["a b ▁ c ▁ d"]),
        ("2026年", ["0 0 0 0 年"]),
        ("一\n\n \n二\r\n", ["一", "二"]),
        ("\x00a\x1bb", ["a ▁ b"]),
        ("", []),
    ],
)
def test_characters_are_the_units_of_a_text_without_spaces(text: str, lines: list[str]) -> None:
    assert ModelText("characters").lines(text) == lines


def test_words_are_separated_by_single_spaces() -> None:
    assert ModelText("words").lines("  The\u00a0 cat\x0bsat \u2028 12 times") == [
        "the cat",
        "sat",
        "00 times",
    ]


def test_units_are_counted_as_the_model_counts_them() -> None:
    assert [units_in(line) for line in ModelText("characters").lines("東 京\nあ")] == [3, 1]
