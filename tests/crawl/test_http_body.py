"""HTTP bodies: taken out of chunks and encodings whole, and never taken for whole when cut."""

import gzip
import zlib

import brotli
import pytest
import zstandard

from tests.crawl.crawl_files import http, page, warc_record

TEXT = "".join(f"{number}番目の文。" for number in range(60))
BODY = f"<html><body><p>{TEXT}</p></body></html>".encode()


def bare_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def chunks(data):
    parts = [data[begin : begin + 100] for begin in range(0, len(data), 100)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


ENCODED = {
    "gzip": ("Content-Encoding: gzip", gzip.compress(BODY, mtime=0)),
    "x-gzip": ("Content-Encoding: x-gzip", gzip.compress(BODY, mtime=0)),
    "gzip in two members": (
        "Content-Encoding: gzip",
        gzip.compress(BODY[:90], mtime=0) + gzip.compress(BODY[90:], mtime=0),
    ),
    "deflate": ("Content-Encoding: deflate", zlib.compress(BODY)),
    "bare deflate": ("Content-Encoding: deflate", bare_deflate(BODY)),
    "brotli": ("Content-Encoding: br", brotli.compress(BODY)),
    "zstd": ("Content-Encoding: zstd", zstandard.compress(BODY)),
    "chunks": ("Transfer-Encoding: chunked", chunks(BODY)),
    "gzip in chunks": (
        "Transfer-Encoding: chunked\r\nContent-Encoding: gzip",
        chunks(gzip.compress(BODY, mtime=0)),
    ),
    "twice": ("Content-Encoding: deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
    "identity": (f"Content-Encoding: identity\r\nContent-Length: {len(BODY)}", BODY),
    "length": (f"Content-Length: {len(BODY)}", BODY),
}


def response(header, body, kind="text/html; charset=utf-8", **options):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{header}\r\n\r\n"
    return warc_record(head.encode() + body, **options)


@pytest.mark.parametrize("name", ENCODED)
def test_a_whole_body_is_decoded(read, name):
    found = read("a.warc", response(*ENCODED[name]))
    assert (found.texts, found.quarantined) == ([TEXT], [])


@pytest.mark.parametrize("name", ENCODED)
def test_a_body_cut_anywhere_is_quarantined_with_its_place(read, name):
    header, body = ENCODED[name]
    last = len(body) - (4 if body.endswith(b"0\r\n\r\n") else 0)  # the last chunk begins with its 0
    for at in [*range(1, last, 37), last - 1]:
        if name == "gzip in two members" and at == len(gzip.compress(BODY[:90], mtime=0)):
            continue  # one member less is whole to anyone
        found = read("a.warc", page("一。") + response(header, body[:at]) + page("三。"))
        assert found.texts == ["一。", "三。"], f"cut at byte {at}"
        assert [item.offset for item in found.quarantined] == [len(page("一。"))]
        assert "payload is" in found.quarantined[0].reason


@pytest.mark.parametrize(
    "name", ["gzip", "deflate", "brotli", "zstd", "chunks", "gzip in chunks", "length"]
)
def test_a_body_cut_in_half_is_said_to_be_cut(read, name):
    header, body = ENCODED[name]
    found = read("a.warc", response(header, body[: len(body) // 2]))
    assert "payload is cut" in found.quarantined[0].reason


def test_a_response_cut_in_its_http_header_is_quarantined(read):
    whole = http(BODY)
    for at in range(whole.index(b"<html>") - 1):
        found = read("a.warc", page("一。") + warc_record(whole[:at]) + page("三。"))
        assert (found.texts, found.dropped) == (["一。", "三。"], []), f"cut at byte {at}"
        assert len(found.quarantined) == 1


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_flipped_bit_in_an_encoded_body_gives_no_other_text(read, name):
    header, body = ENCODED[name]
    for at in range(len(body)):
        damaged = bytearray(body)
        damaged[at] ^= 1 << at % 8
        found = read("a.warc", response(header, bytes(damaged)))
        assert (found.texts in ([], [TEXT]), len(found.texts + found.quarantined)) == (True, 1)


@pytest.mark.parametrize(
    "header",
    [
        "Content-Encoding: gzip",
        "Content-Encoding: br",
        "Content-Encoding: deflate",
        "Content-Encoding: utf-8",
        "Transfer-Encoding: chunked",
        "Content-Encoding: gzip\r\nTransfer-Encoding: chunked",
        f"Content-Encoding: gzip\r\nContent-Length: {len(BODY) + 9}",
        f"X-Crawler-Content-Encoding: gzip\r\nX-Crawler-Content-Length: {len(BODY) + 9}",
        f"Content-Length: {len(BODY) - 9}",
        "Content-Length: many",
        "Content-Length:",
    ],
)
def test_a_page_that_its_crawler_stored_decoded_is_whole(read, header):
    found = read("a.warc", response(header, b"\r\n" + BODY))
    assert (found.texts, found.quarantined) == ([TEXT], [])


def test_what_follows_a_gzip_body_and_is_none_is_passed_over(read):
    header, body = ENCODED["gzip"]
    assert read("a.warc", response(header, body + b"\0\0\0")).texts == [TEXT]


@pytest.mark.parametrize("chunked", [b"64;name=value\r\n", b"64  \r\n", b"0064\r\n", b"64\n"])
def test_chunks_as_servers_write_them(read, chunked):
    body = chunks(BODY).replace(b"64\r\n", chunked, 1) + b"Trailer: x\r\n\r\n"
    assert read("a.warc", response("Transfer-Encoding: chunked", body)).texts == [TEXT]


@pytest.mark.parametrize("why", ["length", "time", "disconnect", "unspecified"])
@pytest.mark.parametrize("kind", ["response", "resource", "conversion"])
def test_a_page_that_its_crawler_cut_is_quarantined_with_its_reason(read, kind, why):
    body = http(BODY) if kind == "response" else BODY
    content = "application/http; msgtype=response" if kind == "response" else "text/html"
    head = f"WARC-Truncated: {why}\r\nContent-Type: {content}"
    record = warc_record(body, kind=kind, head=head)
    found = read("a.warc", page("一。") + record + page("三。"))
    assert found.texts == ["一。", "三。"]
    assert f"WARC-Truncated: {why}" in found.quarantined[0].reason


def test_the_first_segment_of_a_record_is_no_page(read):
    head = "WARC-Segment-Number: 1\r\nContent-Type: application/http; msgtype=response"
    rest = warc_record(BODY[200:], kind="continuation")
    found = read("a.warc", warc_record(http(BODY[:200]), head=head) + rest)
    assert (found.texts, found.dropped) == ([], ["record_continuation"])
    assert "WARC-Segment-Number" in found.quarantined[0].reason


@pytest.mark.parametrize("head", ["WARC-Truncated: length\r\n", ""])
def test_a_cut_image_is_dropped_as_an_image(read, head):
    record = warc_record(
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9000\r\n\r\n\x89PNG",
        head=head + "Content-Type: application/http; msgtype=response",
    )
    found = read("a.warc", record)
    assert (found.dropped, found.quarantined) == (["not_text"], [])


def test_every_page_of_the_real_archives_is_whole(read, shared_data):
    """None is cut: what their crawlers wrote down as lengths and encodings fits."""
    for path in sorted((shared_data / "crawl").rglob("*.warc.gz")):
        reasons = [item.reason for item in read("a.warc.gz", path.read_bytes()).quarantined]
        assert not [reason for reason in reasons if "payload is" in reason], path.name
