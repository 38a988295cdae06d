"""Decoding: proof before declaration, declaration before guess, never a silent replacement."""

import pytest

from nativize.crawl.encoding import UndecodableError, decode, meta_charset

TEXT = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932", "euc_jp", "iso2022_jp"]
)
def test_japanese_encodings_are_detected(encoding):
    assert decode(TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize(
    "declared", ["shift_jis", "euc-jp", "iso-8859-1", "windows-1252", "nonsense"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp"])
def test_a_wrong_declaration_does_no_harm(encoding, declared):
    assert decode(TEXT.encode(encoding), [declared]) == TEXT


def test_a_single_byte_declaration_is_believed_where_nothing_speaks_against_it():
    text = "Жил-был у бабушки серенький козлик, и звали его никак."
    assert decode(text.encode("cp1251"), ["windows-1251"]) == text


def test_few_bytes_of_shift_jis_are_still_japanese():
    assert decode("雨の日".encode("cp932")) == "雨の日"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [TEXT, "English, with ASCII only.", "Жил-был у бабушки козлик.", "다람쥐 헌 쳇바퀴에 타고파."],
)
def test_utf_16_needs_no_byte_order_mark(text, encoding):
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("키스의 고유조건은 입술끼리 만나야 하고", "cp949"),
        ("Жил-был у бабушки серенький козлик, и звали его никак.", "cp1251"),
        ("Жил-был у бабушки серенький козлик, и звали его никак.", "koi8-r"),
        ("Größe und Übermut: schöne Füße überall, müßig und fröhlich.", "cp1252"),
        ("Ο γρήγορος καφές αλεπού πηδάει πάνω από το σκυλί.", "cp1253"),
    ],
)
def test_neighbours_of_chinese_and_japanese_are_told_apart(text, encoding):
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
def test_markup_before_the_text_hides_nothing(encoding):
    page = "<p class=x>\n" * 2000 + "雨の日。"
    assert decode(page.encode(encoding)) == page


def test_one_bad_byte_is_an_error_with_its_place():
    data = TEXT.encode()[:30] + b"\xff" + TEXT.encode()[30:]
    with pytest.raises(UndecodableError, match="byte 30"):
        decode(data)


def test_the_meta_element_declares():
    assert (
        meta_charset(b'<meta http-equiv=x content="text/html; charset=Shift_JIS">') == "Shift_JIS"
    )
