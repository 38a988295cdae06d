"""Boilerplate: furniture goes, sentences, headings, code and poems stay."""

import pytest

from nativize.clean.boilerplate import is_boilerplate
from nativize.clean.tidy import tidy
from nativize.recipe import Clean, Language
from nativize.texts import Texts


@pytest.mark.parametrize(
    "line",
    [
        "ホーム",
        "ホーム | サイトマップ | お問い合わせ",
        "ホーム > 製品 > 腕時計",
        "Home » Blog » Post",
        "プライバシーポリシー",
        "Copyright 2025 Example. All rights reserved.",
        "© 2025 町だより",
        "投稿日:2025-10-08",
        "当サイトではクッキーを使用しています。続けて閲覧すると、同意したものとみなされます。",
        "We use cookies to improve your visit.",
    ],
)
def test_site_furniture_is_seen(line):
    assert is_boilerplate(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ホームで電車を待つ。",
        "古池や",
        "蛙飛びこむ水の音",
        "タグ付けの方法",
        "Cookieを使用して認証します。",
        "ls | sort | uniq",
        "x > 0",
        "著作権について学ぶ。",
        "検索の仕組みを説明します。",
    ],
)
def test_text_is_left_alone(line):
    assert not is_boilerplate(line)


def test_the_text_closes_over_dropped_lines():
    texts = Texts.of(["メニュー\n\n本文。\n\nログイン\n\n続き。\nシェアする", "本文。", "ホーム"])
    tidied = tidy(texts, Language(code="ja"), Clean())
    assert [tidied.texts[n] for n in range(3)] == ["本文。\n\n続き。", "本文。", ""]
    assert tidied.furniture_lines.tolist() == [3, 0, 1]


def test_furniture_stays_when_asked():
    tidied = tidy(Texts.of(["ホーム\n本文。"]), Language(code="ja"), Clean(boilerplate_lines=False))
    assert tidied.texts[0] == "ホーム\n本文。"
