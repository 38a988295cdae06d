"""Damage in texts of other kinds: ARC, CC-100, JSON arrays, Wikipedia; pages, catalogues, texts.

The unit of loss: a record (ARC), of compressed files the unit of the compression; and besides it
the next document of CC-100, of which no one knows whether it begins behind the damage. In an
uncompressed JSON array a bracket may cost what follows. A file of one document costs itself.
"""

import lzma
import random

import pytest

from nativize.crawl.compression.gzip import OUTPUT_BYTES
from tests.crawl.crawl_files import PAGE
from tests.crawl.damaged import COMPRESSIONS, DAMAGES, LONG_FORMATS, complaint, compose
from tests.crawl.test_damage import SEEDS

COMPRESSED = [name for name in COMPRESSIONS if name != "plain"]
TEXT = "".join(f"{number}番目の雨が降る。" for number in range(50))
CATALOGUE = """msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8"

msgid "a"
msgstr "{}"
"""
FILES = {
    "html": PAGE.format(TEXT).encode(),
    "po": CATALOGUE.format(TEXT).encode(),
    "md": TEXT.encode(),
}
"""Files of one document each, whose text is `TEXT`."""


@pytest.fixture
def read_known(read):
    return lambda known, data: read(known.name, data, format=known.format)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("format", LONG_FORMATS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_costs_what_it_hit_and_is_told(read_known, format, compression, damage):
    for seed in range(SEEDS):
        rng = random.Random(f"{seed} {format} {compression} {damage.__name__}")
        known = compose(format, compression, rng)
        damaged = damage(known, rng)
        wrong = complaint(known, damaged, read_known(known, damaged.data))
        assert not wrong, f"seed {seed}, damage at byte {damaged.begin}: {wrong}"


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("format", LONG_FORMATS)
def test_a_whole_file_gives_every_text_in_order(read_known, format, compression):
    known = compose(format, compression, random.Random(format + compression))
    found = read_known(known, known.data)
    assert ([document.text for document in found.documents], found.quarantined) == (
        known.texts,
        [],
    )


@pytest.mark.parametrize("format", LONG_FORMATS)
@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_cut_at_any_byte_of_the_last_member_is_noticed(read_known, format, compression):
    known = compose(format, compression, random.Random(7), units=2)
    last = known.units[-1]
    for at in range(last.begin + 1, last.end, 11):
        found = read_known(known, known.data[:at])
        assert found.quarantined, f"cut at byte {at} of {last.begin}-{last.end}"
        assert [d.text for d in found.documents] == known.texts[: len(found.documents)]


@pytest.mark.parametrize("format", ["json", "wikipedia"])
def test_a_cut_is_noticed_without_compression_too(read_known, format):
    known = compose(format, "plain", random.Random(8), units=3)
    for at in range(1, len(known.data.rstrip()), 7):
        found = read_known(known, known.data[:at])
        assert found.quarantined, f"cut at byte {at}"
        assert [d.text for d in found.documents] == known.texts[: len(found.documents)]


@pytest.mark.parametrize("format", LONG_FORMATS)
@pytest.mark.parametrize("compression", COMPRESSED)
def test_an_empty_file_holds_no_document_and_a_byte_is_quarantined(read, format, compression):
    name = f"a.{format}{COMPRESSIONS[compression][0]}"
    assert not read(name, b"", format=format).documents
    found = read(name, b"x", format=format)
    assert (found.documents, bool(found.quarantined)) == ([], True)


def test_a_stream_of_cc100_cut_anywhere_gives_what_lies_before(read):
    """As it is published: one xz stream of one block."""
    texts = [f"文書{number}。\n" + TEXT[number : number + 300] for number in range(40)]
    data = lzma.compress("\n\n".join(texts).encode() + b"\n\n")
    for at in range(1, len(data), 53):
        found = read("a.txt.xz", data[:at])
        assert found.texts == texts[: len(found.texts)]
        assert "cut" in found.quarantined[-1].reason


@pytest.mark.parametrize("kind", FILES)
def test_a_whole_file_of_one_document_is_its_text(read, kind):
    for suffix, compress in COMPRESSIONS.values():
        assert read(f"a.{kind}{suffix}", compress(FILES[kind])).texts == [TEXT]


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_cut_file_of_one_document_is_quarantined(read, kind, compression):
    suffix, compress = COMPRESSIONS[compression]
    data = compress(FILES[kind])
    for at in range(1, len(data), 17):
        found = read(f"a.{kind}{suffix}", data[:at])
        assert (found.documents, len(found.quarantined)) == ([], 1), f"cut at byte {at}"
        assert (found.quarantined[0].offset, found.quarantined[0].length) == (0, at)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("compression", COMPRESSED)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_of_one_document_is_itself_or_quarantined(read, kind, compression, damage):
    suffix, compress = COMPRESSIONS[compression]
    known = compose("jsonl", "plain", random.Random(1))
    for seed in range(SEEDS * 2):
        known = type(known)(known.name, kind, compress(FILES[kind]), known.units[:1], True)
        damaged = damage(known, random.Random(f"{seed} {kind} {compression} {damage.__name__}"))
        found = read(f"a.{kind}{suffix}", damaged.data)
        assert len(found.documents) + len(found.quarantined) == bool(damaged.data)
        assert found.texts in ([], [TEXT])


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_plain_file_of_one_document_is_one_item(read, kind, damage):
    known = compose("jsonl", "plain", random.Random(1))
    for seed in range(SEEDS * 4):
        known = type(known)(known.name, kind, FILES[kind], known.units[:1], False)
        damaged = damage(known, random.Random(f"{seed} {kind} {damage.__name__}"))
        found = read(f"a.{kind}", damaged.data)
        assert len(found.documents) + len(found.quarantined) + len(found.dropped) == 1


@pytest.mark.parametrize("kind", FILES)
def test_an_empty_file_of_one_document_loses_nothing_in_silence(read, kind):
    found = read(f"a.{kind}", b"")
    assert (found.documents, len(found.dropped)) == ([], 1)


def test_a_plain_catalogue_cut_inside_a_message_is_noticed(read):
    data = FILES["po"]
    for at in range(data.index(b'msgid "a"') + 1, len(data) - 1, 9):
        assert read("a.po", data[:at]).quarantined, f"cut at byte {at}"


@pytest.mark.parametrize("format", ["jsonl", "cc100", "json", "wikipedia", "text", "warc", "arc"])
def test_the_books_know_what_a_decoder_gave_and_damage_took_back(read, format):
    text = b"".join(b"%d\n" % number for number in range(200_000))
    data = bytearray(COMPRESSIONS["gzip"][1](text))
    data[-6] ^= 1  # of the checksum
    found = read("a.gz", bytes(data), maximum_bytes=len(text), format=format)
    (item,) = [item for item in found.quarantined if "incorrect data check" in item.reason]
    assert found.documents == []
    assert len(text) - OUTPUT_BYTES <= item.bytes <= len(text)
