"""Files of one document each: HTML pages and gettext catalogues."""

import pytest

from tests.crawl.crawl_files import PAGE

META = '<html><head><meta charset="{}"></head><body><p>{}</p></body></html>'
CATALOGUE = """# comment
msgid ""
msgstr ""
"Content-Type: text/plain; charset={}\\n"

#: a.rst:1
msgid "Rain"
msgstr "雨"

msgid "It "
"snows."
msgstr "雪が\\n"
"降る。"

#, fuzzy
msgid "Wind"
msgstr "嵐"

msgid "Untranslated"
msgstr ""

msgid "a day"
msgid_plural "%d days"
msgstr[0] "一日"
msgstr[1] "数日"

#~ msgid "old"
#~ msgstr "昔"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932", "euc_jp"])
def test_a_page_is_decoded_by_mark_declaration_or_proof(read, encoding):
    sentence = "雨が静かに降る夜のことです。"
    data = META.format("shift_jis" if encoding == "cp932" else "euc-jp", sentence).encode(encoding)
    assert read("a.html", data).texts == [sentence]


@pytest.mark.parametrize("name", ["a.html", "a.HTM", "a.xhtml"])
def test_suffixes_of_pages(read, name):
    assert read(name, PAGE.format("雨。").encode()).texts == ["雨。"]


def test_a_page_over_the_bound_is_quarantined(read):
    found = read("a.html", PAGE.format("長" * 1000).encode(), maximum_bytes=1000)
    assert "max_document_bytes" in found.quarantined[0].reason


@pytest.mark.parametrize("encoding", ["utf-8", "euc-jp"])
def test_a_catalogue_is_its_translations_in_order(read, encoding):
    found = read("a.po", CATALOGUE.format(encoding).encode(encoding))
    assert found.texts == ["雨\n\n雪が\n降る。\n\n一日\n\n数日"]


@pytest.mark.parametrize("data", [b"no catalogue", b'msgid "a"\nmsgstr \xff"b"\n'])
def test_a_broken_catalogue_is_quarantined(read, data):
    found = read("a.po", data)
    assert (found.texts, len(found.quarantined)) == ([], 1)


@pytest.mark.parametrize(
    ("end", "line"),
    [
        ('msgid "Hail"\nmsgstr "雹が降', 2),
        ('msgid "Hail"\nmsgstr "雹が降\\"', 2),
        ('msgid "Hail"\nmsgstr "', 2),
        ('msgid "Hail"\nmsgstr', 2),
        ('msgid "Hail"\nmsgstr ""\n"雹が\n"降る。"', 3),
        ('msgid "Hail"\n', 1),
        ('msgid "Ha', 1),
        ('msgid "Hail"\nmsgid_plural "Hails"\nmsgstr[0] "雹', 3),
    ],
)
def test_a_cut_catalogue_is_quarantined_with_its_line(read, end, line):
    found = read("a.po", (CATALOGUE.format("utf-8") + end).encode())
    assert (found.texts, len(found.quarantined)) == ([], 1)
    assert f"line {len(CATALOGUE.splitlines()) + line}" in found.quarantined[0].reason


def test_a_catalogue_that_names_a_file_does_not_open_it(read, tmp_path):
    (tmp_path / "secret.po").write_text('msgid "a"\nmsgstr "secret"\n')
    assert read("a.po", str(tmp_path / "secret.po").encode()).texts == []
