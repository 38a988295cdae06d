"""WARC and WET: what becomes a document, and what damage costs."""

import gzip

import pytest
import zstandard

from tests.crawl.crawl_files import http, members, page, warc_record


def test_html_becomes_its_main_content_with_address_and_date(read):
    found = read("a.warc", page("本文です。")).documents[0]
    assert (found.text.strip(), found.url) == ("本文です。", "https://a.example/")
    assert found.fetched_at == "2025-01-06T00:00:00Z"


@pytest.mark.parametrize("encoding", ["shift_jis", "euc_jp", "iso-2022-jp", "utf-16"])
def test_declared_encodings_are_decoded(read, encoding):
    assert read("a.warc", page("雨が降る。", encoding)).texts == ["雨が降る。"]


def test_a_wrong_declaration_is_noticed(read):
    body = "<html><body><p>雨が静かに降る夜のことです。</p></body></html>".encode("euc_jp")
    record = warc_record(http(body, "text/html; charset=iso-8859-1"))
    assert read("a.warc", record).texts == ["雨が静かに降る夜のことです。"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (warc_record(b"software: x", kind="warcinfo"), "record_warcinfo"),
        (warc_record(b"GET / HTTP/1.1\r\n\r\n", kind="request"), "record_request"),
        (warc_record(b"aaa", kind="unknown"), "record_unknown"),
        (warc_record(http(b"\x89PNG", "image/png")), "not_text"),
        (warc_record(http(b"<p>x</p>", status="404 Not Found")), "http_status"),
        (
            warc_record(http(b"User-agent: *", "text/plain"), url="https://a.example/robots.txt"),
            "robots",
        ),
        (page(""), "empty"),
    ],
)
def test_what_is_no_text_is_dropped_by_its_reason(read, record, reason):
    assert read("a.warc", record).dropped == [reason]


@pytest.mark.parametrize("kind", ["unknowm", "respmnse", "resp", "response response", "", "-"])
def test_a_record_of_a_type_that_no_one_knows_is_quarantined(read, kind):
    record = page("二。").replace(b"WARC-Type: response", f"WARC-Type: {kind}".encode())
    found = read("a.warc", page("一。") + record + page("三。"))
    assert (found.texts, found.dropped) == (["一。", "三。"], [])
    assert [item.offset for item in found.quarantined] == [len(page("一。"))]
    assert "WARC-Type" in found.quarantined[0].reason


@pytest.mark.parametrize("bit", range(8))
def test_a_bit_flipped_in_a_record_type_is_never_a_silent_drop(read, bit):
    begin = page("二。").index(b"WARC-Type")
    for at in range(begin, page("二。").index(b"\r\n", begin)):
        record = bytearray(page("二。"))
        record[at] ^= 1 << bit
        found = read("a.warc", page("一。") + bytes(record) + page("三。"))
        assert (len(found.texts + found.quarantined), found.dropped) == (3, [])


def test_a_type_in_the_text_of_a_record_is_none_of_the_record(read):
    body = http("一行。\nWARC-Type: request\n".encode(), "text/plain")
    record = warc_record(body).replace(b"WARC-Type: response\r\n", b"WARC-Typo: response\r\n")
    assert read("a.warc", record).quarantined[0].reason.startswith("WARC-Type ''")


def test_wet_conversions_are_documents(read):
    head = "WARC-Identified-Content-Language: jpn,eng\r\nContent-Type: text/plain"
    record = warc_record("雨です。".encode(), kind="conversion", head=head)
    found = read("a.warc.wet.gz", members(record)).documents[0]
    assert (found.text, found.language) == ("雨です。", "jpn")


@pytest.mark.parametrize("name", ["a.warc", "a.warc.wet", "a.warc.wat"])
def test_the_record_type_says_what_it_holds_whatever_the_file_is_called(read, name):
    records = [
        page("応答。"),
        warc_record("変換。".encode(), kind="conversion", head="Content-Type: text/plain"),
        warc_record("資源。".encode(), kind="resource", head="Content-Type: text/plain"),
        warc_record(b"{}", kind="metadata", head="Content-Type: application/json"),
    ]
    found = read(name, b"".join(records))
    assert (found.texts, found.dropped) == (["応答。", "変換。", "資源。"], ["record_metadata"])


def test_zstd_compresses_warcs_too(read):
    frames = b"".join(zstandard.compress(page(text)) for text in ("一。", "二。"))
    assert read("a.warc.zst", frames).texts == ["一。", "二。"]


def test_a_chunked_and_gzipped_body_is_decoded(read):
    body = gzip.compress("<html><body><p>圧縮。</p></body></html>".encode())
    chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    header = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
    header += b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    assert read("a.warc", warc_record(header + chunked)).texts == ["圧縮。"]


def test_a_body_that_unfolds_beyond_the_bound_is_quarantined(read):
    body = gzip.compress(b"a" * 500_000)
    header = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n"
    found = read("a.warc", warc_record(header + body), maximum_bytes=100_000)
    assert "when decoded" in found.quarantined[0].reason


def test_a_cut_inside_the_last_record_is_noticed(read):
    whole = page("一。") + page("二。")
    found = read("a.warc", whole[:-40])
    assert found.texts == ["一。"]
    assert found.quarantined[0].offset == len(page("一。"))


def test_a_cut_gzip_member_is_noticed_with_its_place(read):
    first, second = members(page("一。")), members(page("二。"))
    found = read("a.warc.gz", first + second[:-30])
    assert found.texts == ["一。"]
    assert (found.quarantined[0].offset, found.quarantined[0].length) == (
        len(first),
        len(second) - 30,
    )


@pytest.mark.parametrize("place", [3, 40, 100, -5])
def test_one_bad_byte_costs_one_compressed_record(read, place):
    pages = [members(page(f"{number}枚目。" * 20)) for number in range(5)]
    broken = bytearray(pages[2])
    broken[place] ^= 0xFF
    found = read("a.warc.gz", b"".join([*pages[:2], bytes(broken), *pages[3:]]))
    assert [text[0] for text in found.texts] == ["0", "1", "3", "4"]
    assert [item.offset for item in found.quarantined] == [len(pages[0] + pages[1])]


@pytest.mark.parametrize("length", ["3", "999999", "x"])
def test_a_wrong_content_length_costs_one_record(read, length):
    lying = page("二。").replace(
        b"Content-Length: ", f"Content-Length: {length}\r\nX: ".encode(), 1
    )
    found = read("a.warc", page("一。") + lying + page("三。"))
    assert found.texts == ["一。", "三。"]
    assert len(found.quarantined) == 1


def test_an_invalid_byte_costs_its_document_only(read):
    bad = page("二。").replace("二".encode(), b"\xe4\xff\x8c")
    found = read("a.warc", page("一。") + bad + page("三。"))
    assert found.texts == ["一。", "三。"]
    assert "undecodable as utf-8" in found.quarantined[0].reason


def test_a_record_over_the_bound_is_passed_over(read):
    found = read("a.warc", page("一。") + page("長" * 9_000) + page("三。"), maximum_bytes=10_000)
    assert found.texts == ["一。", "三。"]
    assert "max_document_bytes" in found.quarantined[0].reason


def test_several_records_in_one_member_have_different_ids(read):
    found = read("a.warc.gz", members(page("一。") + page("二。")))
    assert found.texts == ["一。", "二。"]
    assert len({document.id for document in found.documents}) == 2


def test_truncated_archives_of_the_test_suite_lose_nothing_else(read, shared_data):
    name = "crawl/webarchive_test_suite/IAH-urls-wget.warc.gz"
    whole = (shared_data / name).read_bytes()
    complete, cut = read("a.warc.gz", whole), read("b.warc.gz", whole[:-1000])
    assert cut.texts == complete.texts[: len(cut.texts)]
    assert len(cut.quarantined) == 1
