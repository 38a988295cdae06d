"""Damage of every kind in every compression and format: what it costs, and that it is told.

The unit of loss: a line (JSONL), a record (WARC and WET), and of compressed files the member of
gzip, the frame of zstd, the block of bzip2, the block of xz.
"""

import json
import os
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.crawl_files import http, jsonl, page, warc_record
from tests.crawl.damaged import COMPRESSIONS, DAMAGES, FORMATS, complaint, compose

SEEDS = 100 if os.environ.get("NATIVIZE_SLOW") else 5
"""Times 105 combinations: 525 cases in 5 s, under NATIVIZE_SLOW 10,500."""


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_costs_what_it_hit_and_is_told(read, format, compression, damage):
    for seed in range(SEEDS):
        rng = random.Random(f"{seed} {format} {compression} {damage.__name__}")
        known = compose(format, compression, rng)
        damaged = damage(known, rng)
        wrong = complaint(known, damaged, read(known.name, damaged.data))
        assert not wrong, f"seed {seed}, damage at byte {damaged.begin}: {wrong}"


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("format", FORMATS)
def test_a_whole_file_gives_every_text_in_order(read, format, compression):
    known = compose(format, compression, random.Random(format + compression))
    found = read(known.name, known.data)
    assert [document.text for document in found.documents] == known.texts
    assert not found.quarantined


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_file_holds_nothing_and_a_byte_is_quarantined(read, format, compression):
    name = f"a.{format}{COMPRESSIONS[compression][0]}"
    assert not read(name, b"").quarantined
    assert len(read(name, b"x").quarantined) == 1


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("compression", [name for name in COMPRESSIONS if name != "plain"])
def test_a_cut_at_any_byte_of_the_last_member_is_noticed(read, format, compression):
    known = compose(format, compression, random.Random(7), units=2)
    last = known.units[-1]
    for at in range(last.begin + 1, last.end, 11):
        found = read(known.name, known.data[:at])
        assert found.quarantined, f"cut at byte {at} of {last.begin}-{last.end}"
        assert [d.text for d in found.documents] == known.texts[: len(found.documents)]


def test_a_wrong_length_in_a_gzip_trailer_costs_the_member(read):
    known = compose("jsonl", "gzip", random.Random(1))
    data = known.data[:-4] + b"\x01\x02\x03\x04"
    found = read(known.name, data)
    assert len(found.documents) == len(known.texts) - len(known.units[-1].texts)
    assert found.quarantined[0].offset == known.units[-1].begin


@pytest.mark.parametrize(
    "length", ["0", "3", "-5", "+5", "0x10", "", "5 5", "900", "2000000000", "9" * 30]
)
def test_a_lying_content_length_costs_its_record(read, length):
    head = f"Content-Length: {length}\r\nX: ".encode()
    lying = page("二。").replace(b"Content-Length: ", head, 1)
    found = read("a.warc", page("一。") + lying + page("三。"))
    assert found.texts == ["一。", "三。"]
    assert [item.offset for item in found.quarantined] == [len(page("一。"))]


def test_a_record_inside_a_record_is_its_text(read):
    inner = http(b"before\r\n\r\n" + page("within") + b"after", "text/plain")
    found = read("a.warc", page("一。") + warc_record(inner) + page("三。"))
    assert [text[:6] for text in found.texts] == ["一。", "before", "三。"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "unheard-of"])
def test_a_broken_content_encoding_costs_its_record(read, encoding):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: {encoding}\r\n\r\n"
    bad = warc_record(head.encode() + b"\x1f\x8b\x08 nothing of the kind")
    found = read("a.warc", page("一。") + bad + page("三。"))
    assert found.texts == ["一。", "三。"]
    assert "payload is damaged" in found.quarantined[0].reason


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\nabc\r\n0\r\n\r\n", b"5\r\nab", b"-1\r\nabc\r\n0\r\n\r\n", b"f" * 16 + b"\r\n"],
)
def test_broken_chunks_cost_their_record(read, chunks):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = read("a.warc", page("一。") + warc_record(head + chunks) + page("三。"))
    assert found.texts == ["一。", "三。"]
    assert len(found.quarantined) == 1


@pytest.mark.parametrize(
    "bad",
    [
        b'{"text": "\\ud800"}',
        b'{"text": "\xff"}',
        b'{"text": null}',
        b'{"text": 7}',
        b'{"text": {"text": "x"}}',
        b'{"text": NaN}',
        b"{}",
        b"NaN",
        b'"text"',
        b'{"n": ' + b"9" * 5000 + b', "text": "x"}',
        b'{"text": "x", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"text": "a\0b"}',
    ],
    ids=lambda bad: bad[:16].decode("latin-1"),
)
def test_a_line_that_is_no_record_costs_that_line(read, bad):
    found = read("a.jsonl", jsonl("一。") + bad + b"\n" + jsonl("三。"))
    assert found.texts == ["一。", "三。"]
    assert [item.length for item in found.quarantined] == [len(bad)]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (jsonl("一。", "二。").replace(b"\n", b"\r\n"), ["一。", "二。"]),
        (b"\xef\xbb\xbf" + jsonl("一。", "二。"), ["一。", "二。"]),
        (jsonl("一。") + b"\xef\xbb\xbf" + jsonl("二。"), ["一。", "二。"]),
        (jsonl("一\u2028二。", "三\x85四。"), ["一\u2028二。", "三\x85四。"]),
        (b'{"text": "a", "text": "b"}\n', ["b"]),
        (b'{"text": "a", "x": NaN}\n', ["a"]),
        (jsonl("一。") + b"\n\n \n" + jsonl("二。"), ["一。", "二。"]),
    ],
)
def test_odd_but_whole_lines_are_read(read, data, texts):
    found = read("a.jsonl", data)
    assert (found.texts, found.quarantined) == (texts, [])


def test_lines_that_end_in_carriage_returns_alone_are_one_bad_line(read):
    found = read("a.jsonl", jsonl("一。", "二。").replace(b"\n", b"\r"))
    assert (len(found.documents), len(found.quarantined)) == (0, 1)


def _table(path):
    rng = random.Random(3)
    texts = [f"{number}:" + rng.randbytes(60).hex() for number in range(400)]
    pq.write_table(
        pa.table({"text": texts}), path, row_group_size=100, write_page_checksum=True,
        compression="zstd", use_dictionary=False,
    )  # fmt: skip
    return texts, path.read_bytes()


def test_a_flipped_bit_in_parquet_costs_at_most_its_row_group(read, tmp_path):
    texts, whole = _table(tmp_path / "whole.parquet")
    rng = random.Random(5)
    for _ in range(40):
        at = rng.randrange(4, len(whole) - 2000)
        data = bytearray(whole)
        data[at] ^= 1 << rng.randrange(8)
        found = read("a.parquet", bytes(data))
        entered = len(found.documents) + sum(item.length for item in found.quarantined)
        assert (entered, found.texts) == (400, [t for t in texts if t in set(found.texts)])
        assert len(found.documents) >= 300


def test_parquet_cut_or_overwritten_anywhere_is_told_and_never_raises(read, tmp_path):
    texts, whole = _table(tmp_path / "whole.parquet")
    rng = random.Random(6)
    for _ in range(60):
        begin = rng.randrange(len(whole))
        end = min(len(whole), begin + rng.randint(1, 3000))
        for data in (whole[:begin], whole[:begin] + bytes(end - begin) + whole[end:]):
            found = read("a.parquet", data)
            assert set(found.texts) <= set(texts)
            assert data == whole or not data or found.quarantined or found.texts == texts


def test_a_flipped_bit_in_a_parquet_footer_ends_no_process(read, tmp_path):
    rows = {"text": ["雨"] * 40, "url": ["u"] * 40, "meta": [{"url": "x"}] * 40}
    pq.write_table(pa.table(rows), tmp_path / "whole.parquet", row_group_size=10)
    whole = (tmp_path / "whole.parquet").read_bytes()
    begin = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in range(begin, len(whole)):  # Arrow's own metadata aborted the process at some
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        found = read("a.parquet", bytes(data))
        assert set(found.texts) <= {"雨"}


def test_a_refused_line_is_found_again_by_its_offset(read):
    whole = jsonl("一。") + b"broken\n" + jsonl("三。")
    item = read("a.jsonl", whole).quarantined[0]
    assert whole[item.offset : item.offset + item.length] == b"broken"
    assert json.loads(whole[: item.offset])["text"] == "一。"
