"""Mojibake: every wrong turn is seen, clean text of any language is not."""

import pytest

from benchmarks import real_text
from nativize.clean.mojibake import find_mojibake, is_mojibake
from nativize.texts import Texts

JAPANESE = (
    "柔道は、相手の力を利用して投げたり抑えたりする武道です。カタカナも、コーヒーも入ります。"
)
CLEAN = [
    JAPANESE,
    "柔道是利用对手的力量进行投摔和压制的武术。",
    "L’été dernier, Zoé a mangé des crêpes à Besançon où naît l’Œuvre.",
    "Größe, Übermut und Ärger über die Straße; naïve Schlüsse – „gewiss“.",
    "Жил-был у бабушки серенький козлик.",
    "บทความนี้เป็นภาษาไทย",
    "plain ASCII",
    "",
]


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_is_left_alone(text):
    assert not is_mojibake(text)


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp"])
@pytest.mark.parametrize("read_as", ["latin-1", "cp1252", "cp932"])
def test_every_wrong_turn_is_seen(encoding, read_as):
    garbled = JAPANESE.encode(encoding).decode(read_as, errors="replace")
    assert is_mojibake(garbled) == (encoding != read_as)


def test_replacement_characters_are_seen_from_one_in_two_hundred():
    assert is_mojibake("あ" * 100 + "\ufffd")
    assert not is_mojibake("あ" * 300 + "\ufffd")


def test_a_few_broken_characters_do_not_spoil_a_long_ascii_page():
    page = "An English page that says caf\ufffd and na\xc3\xafve once. "
    assert is_mojibake(page)
    assert not is_mojibake(page + "More of it in plain ASCII. " * 100)


def test_the_quick_look_over_many_texts_says_the_same():
    wrong_turns = [
        ("utf-8", "latin-1"),
        ("cp932", "cp1252"),
        ("euc_jp", "cp932"),
        ("utf-8", "cp932"),
    ]
    texts = [*CLEAN, "é", "¤", "\ufffd", "縺", "\uff61" * 4]
    for text in [*real_text.documents("ja", 300_000), *CLEAN]:
        texts.append(text)
        for encoding, read_as in wrong_turns:
            garbled = text[:500].encode(encoding, "replace").decode(read_as, "replace")
            texts += [garbled, text[:200] + garbled[:60]]
    assert find_mojibake(Texts.of(texts)).tolist() == [is_mojibake(text) for text in texts]
