"""Cleaners: what the libraries Aozora Bunko and Project Gutenberg add goes, the book stays."""

import tarfile

import pytest
import zstandard

from nativize.crawl.aozora import without_aozora_markup
from nativize.crawl.gutenberg import without_gutenberg_licence

BOOK = """雨の話
山田花子

-------------------------------------------------------
【テキスト中に現れる記号について】

《》：ルビ
（例）雨《あめ》
［＃］：入力者注
-------------------------------------------------------

　{}


底本：「全集」書房
　　　1988（昭和63）年3月25日第1刷発行
入力：某
青空文庫作成ファイル：
このファイルは、インターネットの図書館で作られました。
"""


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("雨《あめ》が降《ふ》る。", "雨が降る。"),
        ("銘々｜蘇《よみがえ》って", "銘々蘇って"),
        ("傍点［＃「傍点」に傍点］だ", "傍点だ"),
        ("剣※［＃「木＋覇」、第4水準2-15-85］《けんは》", "剣𣠽"),
        ("※［＃「插」でつくりの縦棒が下に突き抜けている、第4水準2-13-28］す", "揷す"),
        ("※［＃二の字点、1-2-22］", "〻"),
        ("※［＃「さんずい＋巷」、U+6E2F、112-2］", "港"),
        ("※［＃「火＋某」、56-12］が", "〓が"),
        ("※［＃始め二重山括弧、1-1-52］名※［＃終わり二重山括弧、1-1-53］", "《名》"),
        ("［＃「※［＃「木＋覇」、第4水準2-15-85］」に傍点］後", "後"),
        ("〔me'tier〕と〔Gru:n〕と〔c,a〕", "métierとGrünとça"),
        ("〔以下空白〕", "〔以下空白〕"),
        ("〔sic〕", "〔sic〕"),
        ("前\n［＃ここから２字下げ］\n後\n［＃改ページ］\n終", "前\n後\n終"),
        ("※", "※"),
        ("《", "《"),
    ],
)
def test_aozora_markup_becomes_what_is_printed(written, printed):
    assert without_aozora_markup(BOOK.format(written)) == f"雨の話\n山田花子\n\n\n　{printed}\n"


def test_a_text_without_legend_and_colophon_is_kept_whole():
    assert without_aozora_markup("一。\r\n二。\r\n") == "一。\n二。\n"


def test_a_text_that_speaks_of_its_edition_early_is_kept():
    text = "底本：を語る\n" + "本文。" * 3000 + "\n"
    assert without_aozora_markup(text) == text


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (
            "*** START OF THIS PROJECT GUTENBERG EBOOK RAIN ***",
            "*** END OF THIS PROJECT GUTENBERG EBOOK RAIN ***",
        ),
        (
            "*** START OF THE PROJECT GUTENBERG EBOOK, RAIN ***\n\nProduced by A\nand B\n",
            "End of the Project Gutenberg EBook of Rain",
        ),
        (
            "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
            "End of Project Gutenberg's Etext of Rain",
        ),
    ],
)
def test_gutenberg_header_and_licence_go(start, end):
    text = f"The Project Gutenberg EBook\n\n{start}\n\nRAIN\n\nIt rains.\n\n{end}\nlicence\n"
    assert without_gutenberg_licence(text) == "RAIN\n\nIt rains.\n"


def test_a_book_from_elsewhere_is_kept_whole():
    assert without_gutenberg_licence("RAIN\n\nIt rains.\n") == "RAIN\n\nIt rains.\n"


def test_a_source_names_its_cleaner(read):
    found = read("a.txt", BOOK.format("雨《あめ》。").encode("cp932"), cleaner="aozora")
    assert found.texts == ["雨の話\n山田花子\n\n\n　雨。"]


def test_what_a_cleaner_leaves_nothing_of_is_dropped(read):
    assert read("a.txt", "底本：「全集」".encode(), cleaner="aozora").dropped == ["empty"]


def test_real_books_of_aozora_keep_their_text_and_no_markup(shared_data):
    with (shared_data / "text" / "ja_aozora_a.tar.zst").open("rb") as packed:
        stream = zstandard.ZstdDecompressor().stream_reader(packed)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            files = (tar.extractfile(m).read() for m in tar if m.name.endswith(".txt"))
            books = [data.decode("cp932") for _, data in zip(range(300), files, strict=False)]
    cleaned = [without_aozora_markup(book) for book in books]
    marks = sum(text.count(mark) for text in cleaned for mark in ("《", "［＃", "青空文庫作成"))
    # the few that stay are signs of the text, or of notes that were never closed
    assert marks <= 10
    assert sum(map(len, cleaned)) > 0.85 * sum(map(len, books))


@pytest.mark.parametrize("name", ["1342-0.txt", "1661-8.txt", "2701-0.txt"])
def test_real_books_of_gutenberg_keep_their_text(shared_data, read, name):
    data = (shared_data / "text" / "en_gutenberg" / name).read_bytes()
    (text,) = read("a.txt", data, 10_000_000, cleaner="gutenberg").texts
    assert "START OF" not in text[:1000]
    assert "Project Gutenberg" not in text[-1000:]
    assert len(text.encode()) > 0.9 * len(data)
