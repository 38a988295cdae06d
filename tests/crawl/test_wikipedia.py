"""Wikipedia dumps: which pages are documents, what damage costs, and what wikitext shows."""

import bz2
import gzip
import tracemalloc

import pytest

from nativize.crawl.chinese_variants import one_variant
from nativize.crawl.wikitext import plain_text

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="ja"><siteinfo>
<sitename>Wikipedia</sitename><dbname>jawiki</dbname>
<base>https://ja.wikipedia.org/wiki/%E3%83%A1%E3%82%A4%E3%83%B3</base>
<namespaces><namespace key="6" case="first-letter">ファイル</namespace>
<namespace key="14" case="first-letter">かてごり</namespace></namespaces></siteinfo>
"""


def wiki_page(title, text, *, identifier=7, ns=0, extra="", model="wikitext"):
    return f"""<page><title>{title}</title><ns>{ns}</ns><id>{identifier}</id>{extra}
<revision><id>70</id><timestamp>2025-11-01T00:00:00Z</timestamp><model>{model}</model>
<text bytes="1" xml:space="preserve">{text}</text></revision></page>
"""


def dump(*pages):
    return (HEAD + "".join(pages) + "</mediawiki>").encode()


@pytest.mark.parametrize(
    ("name", "compress"),
    [("a.xml", bytes), ("a.xml.gz", gzip.compress), ("a.xml.bz2", bz2.compress)],
)
def test_an_article_is_its_title_and_text_with_address_and_date(read, name, compress):
    found = read(
        name, compress(dump(wiki_page("雨 (気象)", "'''雨'''は[[水]]である。")))
    ).documents[0]
    assert found.text == "雨 (気象)\n\n雨は水である。"
    assert found.url == ("https://ja.wikipedia.org/wiki/%E9%9B%A8_(%E6%B0%97%E8%B1%A1)?curid=7")
    assert (found.fetched_at, found.language) == ("2025-11-01T00:00:00Z", "ja")


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (wiki_page("利用者:A", "x", ns=2), "not_an_article"),
        (wiki_page("A", "#転送 [[B]]", extra='<redirect title="B" />'), "redirect"),
        (wiki_page("A", "{}", model="json"), "not_wikitext"),
        (wiki_page("A", "{{stub}}"), "empty"),
    ],
)
def test_what_is_no_article_is_dropped_by_its_reason(read, page, reason):
    assert read("a.xml", dump(page)).dropped == [reason]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("<page><title>B</title><id>8", "without its end"),
        (wiki_page("B", "a < b"), "no XML"),
        (wiki_page("B", "\x01"), "no XML"),
        (wiki_page("B", "長" * 5000), "max_document_bytes"),
        (wiki_page("B", "&bomb;"), "undefined entity"),
        ('<page><!DOCTYPE x [<!ENTITY a "aaaa">]>&a;</page>\n', "no XML"),
        ("<page><id>8</id></page>", "without title"),
        (wiki_page("B", "[[x|" * 4000), "unclosed"),
    ],
)
def test_a_broken_page_costs_that_page(read, bad, reason):
    pages = wiki_page("A", "甲。"), bad, wiki_page("C", "丙。", identifier=9)
    found = read("a.xml", dump(*pages), maximum_bytes=20_000 if "[[x|" in bad else 10_000)
    assert found.texts == ["A\n\n甲。", "C\n\n丙。"]
    assert [reason in item.reason for item in found.quarantined] == [True]


def test_entities_of_a_document_type_are_inert(read, tmp_path):
    (tmp_path / "secret").write_text("secret")
    kind = f"""<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
    <!ENTITY x SYSTEM "file://{tmp_path}/secret">]>"""
    pages = wiki_page("A", "&b;"), wiki_page("B", "&x;"), wiki_page("C", "丙。")
    found = read("a.xml", kind.encode() + dump(*pages))
    assert found.texts == ["C\n\n丙。"]
    assert len(found.quarantined) == 2


def test_a_cut_dump_keeps_the_pages_before_the_cut(read):
    found = read("a.xml", dump(wiki_page("A", "甲。"), wiki_page("B", "乙。"))[:-120])
    assert found.texts == ["A\n\n甲。"]
    assert len(found.quarantined) == 1


def test_xml_of_another_kind_is_quarantined(read):
    assert "no <page>" in read("a.xml", b"<rss><item/></rss>").quarantined[0].reason


def test_an_id_stays_from_dump_to_dump(read):
    old = read("a.xml", dump(wiki_page("A", "甲。", identifier=5)))
    new = read(
        "a.xml", dump(wiki_page("Z", "前。", identifier=1), wiki_page("A", "改。", identifier=5))
    )
    assert old.documents[0].id == new.documents[1].id


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''太字'''と''斜体''", "太字と斜体"),
        ("[[水|みず]]と[[空気]]", "みずと空気"),
        ("甲<ref>注</ref>乙<ref name=a />", "甲乙"),
        ("{{Infobox|a={{b}}}}本文", "本文"),
        ("{{lang|de|Berlin}}と{{lang-en|rain}}と{{仮リンク|雨|en|Rain}}", "Berlinとrainと雨"),
        ("{{convert|10|km|mi}}", "10 km"),
        ("[[File:a.jpg|thumb|図 [[b]]]][[画像:b.png]]本文[[Category:C]]", "本文"),
        ("[[:Category:C]]を見よ", "Category:Cを見よ"),
        ("本文\n[[en:Rain]]\n[[zh-yue:雨]]", "本文"),
        ("{|\n! a\n|-\n| b\n|}\n本文", "本文"),
        ("* 一\n** 二\n# 三\n; 語 : 説明", "一\n二\n三\n語 説明"),
        ("[https://a.example 名]と https://b.example", "名と"),
        ("a&nbsp;&lt;b&gt; &#x96E8;", "a <b> 雨"),
        ("一<br/>二", "一\n二"),
        ("x<!-- 隠 -->y __NOTOC__", "xy"),
        ("雨（あめ、{{読み}}）、雪（{{読み}}）", "雨（あめ）、雪"),
        ("== 空 ==\n== 見出し ==\n本文\n=== 小 ===\n", "見出し\n\n本文"),
        ("本文\n== 脚注 ==\n{{reflist}}\n=== 出典 ===\n* x\n== 後 ==\n続き", "本文\n\n後\n\n続き"),
        ("<nowiki>[[</nowiki>括弧]]", "[[括弧]]"),
        ("<math>x^2</math>は二乗", "は二乗"),
        ("<ruby>雨<rp>(</rp><rt>あめ</rt><rp>)</rp></ruby>", "雨"),
        ("{{", "{{"),
    ],
)
def test_wikitext_becomes_what_is_read(wikitext, text):
    assert plain_text(wikitext) == text


@pytest.mark.parametrize(
    ("markup", "reading"),
    [
        ("-{zh-hans:计算机;zh-hant:電腦}-", "计算机"),
        ("-{zh-tw:體;zh-cn:域;}-", "域"),
        ("-{zh-tw:體}-", "體"),
        ("-{程序}-", "程序"),
        ("-{A|zh-cn:博弈论;zh-tw:賽局理論}-", "博弈论"),
        ("-{H|zh-cn:a;zh-tw:b}-", ""),
        ("-{T|zh-cn:a;zh-tw:b}-", ""),
        ("-{R|zh-cn:a}-", "zh-cn:a"),
        ("-{zh-hans;zh-hant|文}-", "文"),
        ("-{zh-cn:a-{zh-cn:b;zh-tw:c}-;zh-tw:d}-", "ab"),
        ("x-{未完", "x-{未完"),
    ],
)
def test_chinese_conversion_has_one_reading(markup, reading):
    assert one_variant(markup) == reading


@pytest.mark.parametrize("name", ["ja", "zh", "en", "ko"])
def test_real_articles_show_no_markup(read, shared_data, name):
    data = (shared_data / f"crawl/wikidump/dbpedia_{name}_minidump.xml.bz2").read_bytes()
    found = read("a.xml.bz2", data)
    assert len(found.documents) >= 1
    assert not found.quarantined
    text = "".join(found.texts)
    marks = sum(text.count(mark) for mark in ("{{", "[[", "<ref", "{|", "'''", "-{", "__"))
    assert marks <= len(text) / 100_000


def test_damage_of_one_stream_keeps_the_pages_of_the_others(read):
    texts = [
        "".join(wiki_page(f"{n}{m}", f"本文{n}。" * 50, identifier=m) for m in range(20))
        for n in "甲乙丙"
    ]
    streams = [bz2.compress(HEAD.encode()), *(bz2.compress(text.encode()) for text in texts)]
    broken = bytearray(streams[2])
    broken[len(broken) // 2] ^= 0xFF
    found = read("a.xml.bz2", b"".join([*streams[:2], bytes(broken), streams[3]]))
    assert [text[0] for text in found.texts] == ["甲"] * 20 + ["丙"] * 20
    assert found.quarantined


def test_a_page_over_the_bound_is_not_held(read):
    data = dump(wiki_page("A", "甲。"), wiki_page("B", "x" * 30_000_000), wiki_page("C", "丙。"))
    tracemalloc.start()
    found = read("a.xml", data, maximum_bytes=100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.texts == ["A\n\n甲。", "C\n\n丙。"]
    assert peak < 5_000_000
