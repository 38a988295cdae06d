"""Normalisation: one form for equal text, and nothing lost that means something."""

import random
import re
import unicodedata

import pytest

from nativize.clean.code_points import FULL_WIDTH, INVISIBLE, SELECTORS, Policy
from nativize.clean.normalise import AUTO, JAPANESE, OTHERS, normalise, normalise_all, policy_of
from nativize.recipe import Language, Normalisation
from nativize.texts import Texts

NFKC = Policy("NFKC", "keep", "keep", "keep")
NFC = Policy("NFC", "keep", "keep", "keep")
NONE = Policy("none", "keep", "keep", "keep")
COMMAS = Policy("NFKC", "narrow", "，．", "drop")
PIECES = [
    *" \n\r\ta１．，、。か①㈱…é한하Ｑ漢！～x」㍿Åq（）)", "\u3000", "\u3099", "ｶﾞ", "e\u0301",
    "\u200b", "\u2028", "\u0f43", "ﷺ", "\xa0", "\u2003", "\ufeff", "\ufe0f", "\U000e0100",
    "\u0e33", "\r\n",
]  # fmt: skip


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
    assert normalise(text, NFKC) == result


def test_full_width_letters_stay_without_compatibility():
    assert normalise("ＡＢＣ\u3000か\u3099", NFC) == "ＡＢＣ\u3000が"
    assert normalise("か\u3099", NONE) == "か\u3099"


@pytest.mark.parametrize(
    ("code", "text", "result"),
    [
        ("ja", "東京，大阪．「はい」。３．１４，Ｗｅｂ！", "東京、大阪。「はい」。3.14,Web!"),
        ("zh", "你好，世界。Ｗｅｂ２（全角）！", "你好，世界。Web2（全角）！"),
        ("bo", "བོད་ཡིག\u0f0c། \u0f43 \u0f73", "བོད་ཡིག\u0f0c། \u0f43 \u0f73"),
        ("en", "naïve ﬁne e\u0301", "naïve ﬁne é"),
        ("ja", "葛\U000e0100城☂\ufe0f", "葛城☂\ufe0f"),
    ],
)
def test_each_language_has_its_own_form(code, text, result):
    assert normalise(text, policy_of(Language(code=code), Normalisation())) == result


@pytest.mark.parametrize(
    ("choice", "result"),
    [("、。", "春、夏。秋、冬。"), ("，．", "春，夏．秋，冬．"), ("keep", "春、夏。秋，冬．")],
)
def test_the_recipe_chooses_comma_and_full_stop(choice, result):
    wanted = Normalisation(punctuation=choice)
    assert normalise("春、夏。秋，冬．", policy_of(Language(code="ja"), wanted)) == result


def test_the_recipe_chooses_variation_selectors():
    language = Language(code="ja")
    for choice, result in (("keep", "葛\U000e0100☂\ufe0f"), ("drop", "葛☂")):
        policy = policy_of(language, Normalisation(variation_selectors=choice))
        assert normalise("葛\U000e0100☂\ufe0f", policy) == result


def plainly(text: str, policy: Policy) -> str:
    """The same, character by character in plain Python."""
    ranges = (*INVISIBLE, *SELECTORS[policy.variation_selectors])
    text = "".join(c for c in text if not any(a <= ord(c) <= b for a, b in ranges))
    if policy.full_width == "narrow":
        text = text.translate(FULL_WIDTH)
    text = re.sub("\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n", text)
    text = text.translate({ord("，"): 0xFDD0, ord("．"): 0xFDD1})
    if policy.form != "none":
        text = unicodedata.normalize(policy.form, text)
    out = ""
    for character in text:
        if character in "\ufdd0\ufdd1、。":
            is_comma = character in "\ufdd0、"
            after_japanese = bool(re.match(f"[{JAPANESE}]", out[-1:]))
            wide = {"\ufdd0": "，", "\ufdd1": "．"}.get(character, character)
            if after_japanese and policy.punctuation != "keep":
                character = policy.punctuation[0 if is_comma else 1]
            elif not after_japanese and wide in "，．" and policy.form == "NFKC":
                character = "," if is_comma else "."
            else:
                character = wide
        out += character
    out = re.sub("[ \t\u3000\xa0]+(?=\n|\\Z)", "", out)
    return re.sub("\n{3,}", "\n\n", out).strip("\n")


@pytest.mark.parametrize(
    "policy", [*AUTO.values(), OTHERS, NFKC, NONE, COMMAS], ids=lambda p: "-".join(vars(p).values())
)
def test_the_tables_do_what_unicodedata_does_and_twice_is_once(policy):
    generator = random.Random(5)
    texts = ["".join(generator.choices(PIECES, k=generator.randrange(12))) for _ in range(1_500)]
    planes = [(0x20, 0x3100), (0x3000, 0xD800), (0xE000, 0x20000)]
    for _ in range(1_500):
        points = [generator.randrange(*generator.choice(planes)) for _ in range(8)]
        texts.append("".join(map(chr, points)))
    normal = normalise_all(Texts.of(texts), policy)
    again = normalise_all(normal, policy)
    for number, text in enumerate(texts):
        assert normal[number] == plainly(text, policy), ascii(text)
        assert again[number] == normal[number], ascii(text)
