"""The kinds of dirt a crawl carries, each a function from a clean page to a planted one.

Every function keeps the address it is given and sets ``kind``. Damage to bytes (invalid
bytes, lines that are not JSON, cut files) happens where bytes are made, in formats.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from nativize.sample.compose import POLITE, compose
from nativize.sample.material import load_dirt, load_material
from nativize.sample.pages import draw_furniture
from nativize.sample.planted import Planted

Soil = Callable[[Random, Planted, list[Planted], int], Planted]


def exact_duplicate(_: Random, page: Planted, pool: list[Planted], turn: int) -> Planted:
    """Another page's words at this address."""
    original = pool[turn % len(pool)]
    return replace(original, url=page.url, kind="exact_duplicate", duplicate_of=original.url)


def near_duplicate(random: Random, page: Planted, pool: list[Planted], turn: int) -> Planted:
    """Another page under a new title, one paragraph cut short and a dated line at its end."""
    original = pool[-1 - turn % len(pool)]
    edited = load_dirt()["edited"]
    paragraphs = list(original.paragraphs)
    longest = max(range(len(paragraphs)), key=lambda place: len(paragraphs[place]))
    paragraphs[longest] = _without_last_sentence(paragraphs[longest])
    line = random.choice(edited["polite" if original.style == POLITE else "plain"])
    paragraphs.append(line.format(month=random.choice(edited["months"]), day=random.randint(1, 28)))
    return replace(
        original,
        url=page.url,
        kind="near_duplicate",
        title=random.choice(edited["titles"]) + original.title,
        paragraphs=tuple(paragraphs),
        duplicate_of=original.url,
    )


def boilerplate(random: Random, page: Planted, _: list[Planted], __: int) -> Planted:
    """A page that is nothing but menus, links and notices."""
    return replace(page, kind="boilerplate", title="記事一覧", paragraphs=draw_furniture(random))


def navigation(random: Random, page: Planted, _: list[Planted], __: int) -> Planted:
    """Good text with the site's menu above and below it, as WET files have it."""
    lines = draw_furniture(random)
    paragraphs = (*lines[:6], *page.paragraphs, *lines[-4:])
    return replace(page, kind="navigation", paragraphs=paragraphs)


def other_language(random: Random, page: Planted, _: list[Planted], turn: int) -> Planted:
    """A page in Chinese, Korean or English, in turn."""
    language = ("zh", "ko", "en")[turn % 3]
    if language == "en":
        document = compose(load_material("en"), random)
        title, paragraphs = document.title, document.paragraphs
    else:
        sentences = random.sample(load_dirt()["foreign"][language], 10)
        space = " " if language == "ko" else ""
        title = sentences[0].rstrip("。.")
        paragraphs = (space.join(sentences[1:5]), space.join(sentences[5:]))
    return replace(
        page, kind="other_language", language=language, title=title, paragraphs=paragraphs
    )


def mojibake(_: Random, page: Planted, __: list[Planted], turn: int) -> Planted:
    """UTF-8 once read as Latin-1 or as Shift_JIS, and stored like that."""
    misread: dict[str, Any] = [
        {"encoding": "latin-1"},
        {"encoding": "cp932", "errors": "replace"},
    ][turn % 2]
    title, *paragraphs = (
        part.encode().decode(**misread) for part in (page.title, *page.paragraphs)
    )
    return replace(page, kind="mojibake", title=title, paragraphs=tuple(paragraphs))


def wrong_declaration(_: Random, page: Planted, __: list[Planted], turn: int) -> Planted:
    """A page whose bytes are not in the encoding it declares."""
    encoding, declared = (("utf-8", "shift_jis"), ("euc_jp", "utf-8"))[turn % 2]
    return replace(page, kind="wrong_declaration", encoding=encoding, declared=declared)


def spam(random: Random, page: Planted, _: list[Planted], __: int) -> Planted:
    """Keywords over and over, and a list of links to click."""
    material = load_dirt()["spam"]
    goods = random.choice(material["goods"])
    words = random.sample(material["words"], 6)
    blocks = [" ".join(f"{goods} {word}" for word in words * 3) for _ in range(3)]
    links = random.choices(material["links"], k=20)
    return replace(
        page,
        kind="spam",
        title=f"{goods} {words[0]} {words[1]} {goods}",
        paragraphs=(*blocks, *(f"★{link}★" for link in links)),
    )


def personal_data(random: Random, page: Planted, _: list[Planted], __: int) -> Planted:
    """A good page with a sentence or two that name an address, a telephone or a card."""
    material = load_dirt()["personal"]
    paragraphs = list(page.paragraphs)
    sentences = material["polite" if page.style == POLITE else "plain"]
    for sentence in random.sample(sentences, 2):
        values = {
            name: random.choice(material[name])
            for name in ("mail", "phone", "mobile", "card", "address")
        }
        paragraphs[random.randrange(len(paragraphs))] += sentence.format(**values)
    return replace(page, kind="personal_data", paragraphs=tuple(paragraphs))


def short(_: Random, page: Planted, __: list[Planted], turn: int) -> Planted:
    """A page of a single phrase."""
    phrases = load_dirt()["short"]["japanese"]
    return replace(page, kind="short", title="", paragraphs=(phrases[turn % len(phrases)],))


def empty(_: Random, page: Planted, __: list[Planted], ___: int) -> Planted:
    """A page that was fetched and had nothing in it."""
    return replace(page, kind="empty", title="", paragraphs=())


def _only_labelled(kind: str) -> Soil:
    """Return a function that labels a page whose bytes are spoilt later."""
    return lambda _, page, __, ___: replace(page, kind=kind)


SOILS: dict[str, Soil] = {
    "exact_duplicate": exact_duplicate,
    "near_duplicate": near_duplicate,
    "boilerplate": boilerplate,
    "navigation": navigation,
    "other_language": other_language,
    "mojibake": mojibake,
    "wrong_declaration": wrong_declaration,
    "spam": spam,
    "personal_data": personal_data,
    "short": short,
    "empty": empty,
    "not_text": _only_labelled("not_text"),
    "invalid_byte": _only_labelled("invalid_byte"),
    "not_json": _only_labelled("not_json"),
}


def _without_last_sentence(paragraph: str) -> str:
    """Return the paragraph less its last sentence, if it has more than one."""
    for mark in ("。", ". "):
        head, found, _ = paragraph.rstrip("。.").rpartition(mark)
        if found:
            return head + mark.strip()
    return paragraph
