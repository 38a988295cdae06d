"""Personal data: found, typed, and what only looks like it is left alone."""

import pytest

from nativize.clean.personal import luhn, replace_personal_data
from nativize.clean.tidy import tidy
from nativize.recipe import Clean, Language
from nativize.texts import Texts


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("連絡はtaro.yamada@mail.exampleまで。", "連絡は<mail>まで。"),
        ("電話は03-0123-4567です", "電話は<phone>です"),
        ("電話は(03) 0987-6543。", "電話は<phone>。"),
        ("携帯090-0123-4567、09001234567", "携帯<phone>、<phone>"),
        ("call +1-202-555-0143 or +81 3 1234 5678.", "call <phone> or <phone>."),
        ("番号4111111111111111で", "番号<card>で"),
        ("番号 4242 4242 4242 4242 で", "番号 <card> で"),
        ("5555-5555-5555-4444", "<card>"),
        ("個人番号は1234 5678 9018です", "個人番号は<my_number>です"),
        ("192.0.2.17から、2001:db8::1fから", "<ip>から、<ip>から"),
    ],
)
def test_personal_data_becomes_a_typed_placeholder(text, result):
    assert replace_personal_data(text)[0] == result


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "1234 5678 9019",
        "1234-5678 9018",
        "0000000000000000",
        "2026-11-22 03:34:18",
        "999.1.2.3",
        "1.2.3.4.5",
        "10,000円、3-4人、第0123号",
        "std::vector::iterator",
        "ISBN 978-4-00-310101-8",
        "a @ b.c",
        "午前10:30:45:99",
    ],
)
def test_what_only_looks_like_it_stays(text):
    assert replace_personal_data(text) == (text, {})


def test_replacements_are_counted_by_kind():
    text = "a@b.example c@d.example 03-0123-4567"
    assert replace_personal_data(text)[1] == {"mail": 2, "phone": 1}


@pytest.mark.parametrize(("number", "valid"), [("4111111111111111", True), ("79927398713", True)])
def test_luhn_accepts_only_the_right_last_digit(number, valid):
    assert luhn(number) is valid
    assert [luhn(number[:-1] + digit) for digit in "0123456789"].count(True) == 1


def test_only_the_named_kinds_are_replaced():
    text = "a@b.example 03-0123-4567 123456789018"
    assert replace_personal_data(text, ["phone"])[0] == "a@b.example <phone> 123456789018"


@pytest.mark.parametrize(("code", "result"), [("ja", "<my_number>"), ("en", "123456789018")])
def test_my_number_is_looked_for_in_japanese_text_only(code, result):
    assert tidy(Texts.of(["123456789018"]), Language(code=code), Clean()).texts[0] == result
