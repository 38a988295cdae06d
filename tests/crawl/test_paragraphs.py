"""CC-100: documents between blank lines, and what damage costs."""

import lzma
import random

import pytest


def compress(data):
    return lzma.compress(data, check=lzma.CHECK_CRC64)


@pytest.mark.parametrize(("name", "pack"), [("ja.txt.xz", compress), ("ja.cc100", bytes)])
def test_blank_lines_separate_documents(read, name, pack):
    text = "一行目。\n二行目。\n\n二つ目。\n \n\n\n三つ目。\n"
    found = read(name, pack(text.encode()), format="cc100")
    assert found.texts == ["一行目。\n二行目。", "二つ目。", "三つ目。"]
    for document in found.documents:
        place = text.encode()[document.offset : document.offset + document.length]
        assert place.decode() == document.text


def test_the_suffix_is_that_of_cc100(read):
    assert read("ja.txt.xz", compress("一。\n\n二。\n".encode())).texts == ["一。", "二。"]


@pytest.mark.parametrize("line", ["長" * 5000, "長い行。\n" * 1500], ids=["one line", "lines"])
def test_a_document_over_the_bound_is_passed_over(read, line):
    data = f"一。\n\n{line}\n\n三。\n".encode()
    found = read("a.txt.xz", compress(data), maximum_bytes=10_000)
    assert found.texts == ["一。", "三。"]
    assert [item.length for item in found.quarantined] == [len(line.rstrip("\n").encode())]


def test_one_bad_byte_costs_one_document(read):
    found = read("a.txt.xz", compress("一。\n\n二\xff。\n\n三。\n".encode("latin-1", "ignore")))
    assert found.documents == []
    data = "一。\n\n二。\n\n三。\n".encode().replace("二".encode(), b"\xe4\xff\x8c")
    found = read("b.txt.xz", compress(data))
    assert (found.texts, len(found.quarantined)) == (["一。", "三。"], 1)


def test_what_reaches_into_damage_is_no_document(read):
    rng = random.Random(1)
    texts = ["".join(rng.choices("abcdefgh", k=2000)) for _ in range(200)]
    whole = compress("\n\n".join(texts).encode())
    found = read("a.txt.xz", whole[: len(whole) // 2])
    assert set(found.texts) <= set(texts)
    assert found.quarantined
