"""The quick look at lines never misses one that the exact patterns match."""

import random
import re

import pytest

from benchmarks import real_text
from nativize.clean import boilerplate
from nativize.clean.boilerplate import is_chain, is_menu, is_notice
from nativize.clean.lines import CHAIN, MENU, PERSONAL, SIGN, suspect_lines
from nativize.clean.normalise import normalise, policy_of
from nativize.clean.personal import replace_personal_data
from nativize.recipe import Language, Normalisation
from nativize.texts import Texts

OTHER_FURNITURE = [
    "Copyright 2025 Example. All rights reserved.", "copyright", "(c) 2025 someone", "© 町だより",
    "ⓒ x", "Texts 2024 ALL RIGHTS RESERVED", "All Rights Reserved.", "投稿日:2025-10-08",
    "更新日 2025", "Category: travel", "Posted on 2025", "filed under Judo", "Tags: a, b",
    "当サイトではクッキーを使用しています。", "このWebサイトではCookieを使います。",
    "ログインすると続きを読めます", "この記事は会員登録すると全文が読めます",
    "We use cookies to improve.", "This site uses cookies.",
    "ホーム > 製品 > 腕時計", "一 → 二 → 三", "Home » Blog » Post", "a|漢|b",
]  # fmt: skip
PERSONAL_LINES = [
    "a@b.example", "03-0123-4567", "(03) 0987-6543", "09001234567", "+1-202-555-0143",
    "+81 3 1234 5678", "+33 12345678", "4111111111111111", "4242 4242 4242 4242", "192.0.2.17",
    "1.2.3.4", "2001:db8::1f", "::1", "fe80::1:2", "1:2:3:4:5:6:7:8", "123456789018",
    "x 1::8 y", "電話0312345678まで",
]  # fmt: skip


def spelled(pattern: str) -> set[str]:
    """Every text of a pattern without repetition: choices, groups, optional parts."""
    texts = {""}
    place = 0
    while place < len(pattern):
        if pattern[place] == "(":
            end, depth = place + 1, 1
            while depth:
                depth += {"(": 1, ")": -1}.get(pattern[end], 0)
                end += 1
            part = set().union(*map(spelled, _choices(pattern[place + 1 : end - 1])))
        elif pattern[place] == "[":
            end = pattern.index("]", place) + 1
            part = set(pattern[place + 1 : end - 1])
        else:
            end, part = place + 1, {pattern[place]}
        if pattern[end : end + 1] == "?":
            end, part = end + 1, part | {""}
        texts = {text + more for text in texts for more in part}
        place = end
    return texts


def _choices(pattern: str) -> list[str]:
    choices, depth = [""], 0
    for character in pattern:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and not depth:
            choices.append("")
        else:
            choices[-1] += character
    return choices


MENU_WORDS = sorted(set().union(*map(spelled, _choices(boilerplate.WORDS))))


def missed(texts: list[str]) -> list[tuple[str, str]]:
    """Lines that a pattern matches and the quick look does not name for it."""
    columns = Texts.of(texts)
    found = {(begin, end): kind for _, begin, end, kind in suspect_lines(columns)}
    wrong = []
    for number in range(len(columns)):
        begin = int(columns.offsets[number])
        for line in columns.bytes_of(number).split(b"\n"):
            kind, text = found.get((begin, begin + len(line)), 0), line.decode().strip()
            text = text if len(text) <= boilerplate.MAXIMUM_LINE_CHARACTERS else ""
            wrong += [(text, "menu")] * (is_menu(text) and not kind & MENU)
            wrong += [(text, "notice")] * (is_notice(text) and not kind & SIGN)
            wrong += [(text, "chain")] * (is_chain(text) and not kind & CHAIN)
            has_data = bool(replace_personal_data(line.decode())[1])
            wrong += [(line.decode(), "data")] * (has_data and not kind & PERSONAL)
            begin += len(line) + 1
    return wrong


def test_the_words_are_words_of_a_menu():
    assert len(MENU_WORDS) > 200
    assert all(is_menu(word) for word in MENU_WORDS)


@pytest.mark.parametrize("around", ["{}", "{} > {}", "[{}] {}", "  {}", "・{}・", "{}\nと、\n{}"])
def test_no_menu_is_missed(around):
    generator = random.Random(1)
    texts = [around.format(word, generator.choice(MENU_WORDS)) for word in MENU_WORDS]
    texts += [text.upper() for text in texts]
    assert missed(texts) == []


def test_no_notice_label_chain_or_personal_data_is_missed():
    lines = OTHER_FURNITURE + PERSONAL_LINES
    assert all(is_menu(t) or is_notice(t) or is_chain(t) for t in OTHER_FURNITURE)
    assert all(replace_personal_data(line)[1] for line in PERSONAL_LINES)
    assert missed([*lines, *(f"まえ {line}" for line in lines), "\n".join(lines)]) == []


@pytest.mark.parametrize("code", ["ja", "en", "zh"])
def test_nothing_is_missed_on_real_pages(code):
    policy = policy_of(Language(code=code), Normalisation())
    assert missed([normalise(t, policy) for t in real_text.documents(code, 1_500_000)]) == []


def test_few_lines_of_prose_are_looked_at_twice():
    policy = policy_of(Language(code="ja"), Normalisation())
    texts = [normalise(text, policy) for text in real_text.documents("ja", 500_000)]
    lines = sum(len(re.findall("[^\n]+", text)) for text in texts)
    looked_at = len(list(suspect_lines(Texts.of(texts))))
    assert looked_at < 0.35 * lines
