"""ARC 1.0: records as those of a WARC, and what damage costs."""

import pytest

from tests.crawl.crawl_files import PAGE, http, members


def arc_record(body, url="http://a.example/", kind="text/html"):
    return f"{url} 192.0.2.1 20080430204826 {kind} {len(body)}\n".encode() + body + b"\n"


VERSION = arc_record(
    b"1 0 Crawler\nURL IP-address Archive-date Content-type Archive-length\n",
    "filedesc://a.arc",
    "text/plain",
)


def arc_page(sentence, url="http://a.example/"):
    return arc_record(http(PAGE.format(sentence).encode()), url)


@pytest.mark.parametrize(
    ("name", "pack"), [("a.arc", b"".join), ("a.arc.gz", lambda p: members(*p))]
)
def test_a_page_is_a_document_with_address_and_date(read, name, pack):
    found = read(name, pack([VERSION, arc_page("雨。"), arc_page("雪。", "http://b.example/a b")]))
    assert (found.texts, found.dropped) == (["雨。", "雪。"], ["record_warcinfo"])
    assert not found.quarantined
    first, second = found.documents
    assert (first.url, first.fetched_at) == ("http://a.example/", "2008-04-30T20:48:26Z")
    assert second.url == "http://b.example/a b"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (arc_record(b"a.example A 192.0.2.1", "dns:a.example", "text/dns"), "not_text"),
        (arc_record(http(b"GIF89a", "image/gif"), kind="image/gif"), "not_text"),
        (arc_record(http(b"x", status="404 Not Found")), "http_status"),
    ],
)
def test_what_is_no_text_is_dropped_by_its_reason(read, record, reason):
    assert read("a.arc", VERSION + record).dropped == ["record_warcinfo", reason]


@pytest.mark.parametrize("length", ["3", "99999", "-1", "x"])
def test_a_wrong_length_costs_one_record(read, length):
    head, _, rest = arc_page("二。").partition(b"\n")
    lying = head.rpartition(b" ")[0] + f" {length}\n".encode() + rest
    found = read("a.arc", VERSION + arc_page("一。") + lying + arc_page("三。"))
    assert found.texts == ["一。", "三。"]
    assert len(found.quarantined) == 1


def test_a_bad_byte_in_a_header_costs_its_own_record_only(read):
    first, second, third = arc_page("一。"), arc_page("二。"), arc_page("三。")
    for at in range(second.index(b"\n") + 1):
        damaged = bytearray(second)
        damaged[at] ^= 0xFF
        found = read("a.arc", VERSION + first + bytes(damaged) + third)
        assert [text for text in found.texts if text != "二。"] == ["一。", "三。"], f"byte {at}"
        assert len(found.texts) + len(found.quarantined) >= 3


@pytest.mark.parametrize("lost", [2, 5, 30, 200])
def test_bytes_lost_in_a_record_cost_that_record(read, lost):
    body = http(("雨。" * 400).encode(), "text/plain; charset=utf-8")
    damaged = arc_record(body)[:-600] + arc_record(body)[-600 + lost :]
    found = read("a.arc", arc_page("一。") + damaged + arc_page("三。") + arc_page("四。"))
    assert (found.texts, len(found.quarantined)) == (["一。", "三。", "四。"], 1)


def test_a_length_that_takes_in_the_next_record_costs_one(read):
    head, _, rest = arc_page("二。").partition(b"\n")
    lying = head.rpartition(b" ")[0] + f" {len(rest) - 1 + len(arc_page('三。'))}\n".encode() + rest
    found = read(
        "a.arc", arc_page("一。") + lying + arc_page("三。") + b"garbage\n" + arc_page("四。")
    )
    assert found.texts == ["一。", "三。", "四。"]
    assert len(found.quarantined) == 2


def test_a_record_over_the_bound_is_passed_over(read):
    data = arc_page("一。") + arc_page("長" * 9000) + arc_page("三。")
    found = read("a.arc", data, maximum_bytes=10_000)
    assert found.texts == ["一。", "三。"]
    assert "max_document_bytes" in found.quarantined[0].reason


@pytest.mark.parametrize(
    ("name", "pack"), [("a.arc", b"".join), ("a.arc.gz", lambda p: members(*p))]
)
def test_a_cut_costs_the_last_record(read, name, pack):
    found = read(name, pack([VERSION, arc_page("一。"), arc_page("二。")])[:-30])
    assert (found.texts, len(found.quarantined)) == (["一。"], 1)


def test_an_arc_and_its_warc_hold_the_same_texts(read, shared_data):
    stem = shared_data / "crawl/webarchive_test_suite/IAH-20080430204825-00000-blackbook-truncated"
    arc, warc = (
        read(f"a{end}", stem.with_name(stem.name + end).read_bytes()) for end in (".arc", ".warc")
    )
    assert arc.texts == warc.texts
