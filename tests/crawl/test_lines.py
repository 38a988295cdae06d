"""JSONL: fields, encodings, and what damage costs."""

import gzip
import json

import pytest
import zstandard

from tests.crawl.crawl_files import jsonl


@pytest.mark.parametrize(
    ("name", "compress"),
    [("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress), ("a.jsonl.zst", zstandard.compress)],
)
def test_every_compression_reads_alike(read, name, compress):
    found = read(name, compress(jsonl("一。", "二。")))
    assert found.texts == ["一。", "二。"]
    assert [document.offset for document in found.documents] == [0, len(jsonl("一。"))]


def test_address_licence_and_date_are_taken_from_the_line(read):
    row = {"text": "一。", "url": "u", "license": "CC0-1.0", "timestamp": "2025", "lang": "ja"}
    found = read("a.jsonl", json.dumps(row).encode()).documents[0]
    assert (found.url, found.licence, found.fetched_at) == ("u", "CC0-1.0", "2025")


def test_the_text_field_can_be_named(read):
    assert read("a.jsonl", b'{"body": "x"}\n', text_field="body").texts == ["x"]


@pytest.mark.parametrize(
    "bad",
    [
        b'{"text": "\xff"}',
        b'{"text": "cut',
        b"[1]",
        b'{"other": "x"}',
        b'{"text": 7}',
        b'{"text": "\\ud800"}',
        b"[" * 100_000,
    ],
)
def test_a_bad_line_costs_that_line(read, bad):
    found = read("a.jsonl", jsonl("一。") + bad + b"\n" + jsonl("三。"))
    assert found.texts == ["一。", "三。"]
    place = (found.quarantined[0].offset, found.quarantined[0].length)
    assert place == (len(jsonl("一。")), len(bad))


def test_one_bad_byte_in_a_thousand_documents_costs_one_document(read):
    lines = bytearray(jsonl(*(f"文書{number}。" for number in range(1000))))
    lines[len(lines) // 2] = 0xFF
    found = read("a.jsonl.zst", zstandard.compress(bytes(lines)))
    assert (len(found.documents), len(found.quarantined)) == (999, 1)


def test_a_line_over_the_bound_is_passed_over(read):
    found = read("a.jsonl", jsonl("一。", "長" * 200_000, "三。"), maximum_bytes=1000)
    assert found.texts == ["一。", "三。"]
    assert found.quarantined[0].length == len(jsonl("長" * 200_000)) - 1


def test_a_cut_zstd_frame_keeps_the_lines_before_it(read):
    # incompressible text, so that the frame has several blocks
    texts = [f"{number * 7919**9:x}" * 40 for number in range(4000)]
    whole = zstandard.compress(jsonl(*texts))
    found = read("a.jsonl.zst", whole[: len(whole) * 3 // 4])
    assert found.texts == texts[: len(found.texts)]
    assert len(found.texts) > 1000
    assert [item.reason for item in found.quarantined] == [
        "zstd frame is cut at the end of the file"
    ]


def test_a_damaged_frame_does_not_cost_the_next_one(read):
    frames = [zstandard.compress(jsonl(f"{number}枚目。" * 30)) for number in range(3)]
    broken = frames[1][:20] + bytes([frames[1][20] ^ 0xFF]) + frames[1][21:]
    found = read("a.jsonl.zst", frames[0] + broken[:-4] + frames[2])
    assert [text[0] for text in found.texts] == ["0", "2"]
    assert found.quarantined[0].offset == len(frames[0])


def test_a_line_may_span_two_gzip_members(read):
    whole = jsonl("一。", "二。")
    found = read("a.jsonl.gz", gzip.compress(whole[:9]) + gzip.compress(whole[9:]))
    assert found.texts == ["一。", "二。"]


def test_an_id_does_not_move_when_lines_are_appended(read):
    short, long = read("a.jsonl", jsonl("一。")), read("a.jsonl", jsonl("一。", "二。"))
    assert short.documents[0].id == long.documents[0].id
