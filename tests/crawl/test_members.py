"""Members of compressed files: what is whole comes out, what is damaged says where."""

import bz2
import gzip
import lzma
import random
import struct
import zlib

import pytest
import zstandard

from nativize.crawl.compression import held
from nativize.crawl.members import read_members

TEXT = "".join(random.Random(0).choices("雨風山川海空文書abc \n", k=400_000)).encode()
COMPRESS = {
    "a.gz": gzip.compress,
    "a.zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    "a.bz2": lambda data: bz2.compress(data, 1),
    "a.xz": lzma.compress,
}


@pytest.fixture
def unfold(tmp_path):
    """Each member's content and damage."""

    def unfold(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return [(b"".join(iter(m.read, b"")), m.damage) for m in read_members(path)]

    return unfold


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :]


@pytest.mark.parametrize("name", COMPRESS)
def test_concatenated_members_are_read_whole(unfold, name):
    found = unfold(name, COMPRESS[name](TEXT) + COMPRESS[name](b"") + COMPRESS[name](b"end"))
    assert [content for content, _ in found] == [TEXT, b"", b"end"]
    assert [damage for _, damage in found] == [None] * 3


@pytest.mark.parametrize("name", COMPRESS)
def test_compression_is_known_by_its_magic_number_too(unfold, name):
    assert unfold("a.dat", COMPRESS[name](b"text")) == [(b"text", None)]


@pytest.mark.parametrize("zeros", [20, 512, 4096, 100_000])
@pytest.mark.parametrize("name", COMPRESS)
def test_zeros_at_the_end_of_a_file_are_no_text(unfold, name, zeros):
    """A power cut leaves them where a file had grown."""
    whole = COMPRESS[name](TEXT)
    found = unfold(name, whole[:-zeros] + bytes(zeros))
    assert TEXT.startswith(b"".join(content for content, _ in found))
    assert any(damage for _, damage in found)


@pytest.mark.parametrize("name", COMPRESS)
def test_what_a_cut_file_still_holds_is_handed_on(unfold, name):
    whole = COMPRESS[name](TEXT)
    ((content, damage),) = unfold(name, whole[: len(whole) * 3 // 4])
    assert TEXT.startswith(content) and len(content) > len(TEXT) / 2
    assert "cut" in damage.reason


@pytest.mark.parametrize("name", ["a.gz", "a.zst", "a.xz"])
def test_text_that_may_be_altered_is_not_handed_on(unfold, name):
    whole = COMPRESS[name](TEXT)
    for at in range(100, len(whole) - 20, len(whole) // 25):
        for content, damage in unfold(name, flipped(whole, at)):
            assert TEXT.startswith(content)
            assert damage


def test_a_flipped_bit_in_one_bzip2_stream_costs_one_block(unfold):
    whole = bz2.compress(TEXT, 1)  # blocks of 100 kB
    (before, damage), (after, none) = unfold("a.bz2", flipped(whole, len(whole) // 2))
    assert TEXT.startswith(before) and TEXT.endswith(after) and none is None
    assert len(TEXT) - len(before) - len(after) == pytest.approx(100_000, rel=0.01)
    assert damage.offset < len(whole) // 2 < damage.offset + damage.length


def test_a_bzip2_stream_that_lacks_a_block_is_told_by_its_checksum(unfold):
    whole = bz2.compress(b"text")
    (content, damage), = unfold("a.bz2", flipped(whole, len(whole) - 2))  # fmt: skip
    assert content == b"text"
    assert "checksum" in damage.reason


def _xz_of_blocks(parts):
    """One xz stream of several blocks, as `xz -T` writes it: the blocks of streams of one."""
    blocks, records = b"", []
    for part in parts:
        stream = lzma.compress(part)
        size = (int.from_bytes(stream[-8:-4], "little") + 1) * 4
        index = stream[-12 - size : -12]
        unpadded, at = _number(index, 2)
        unfolded, _ = _number(index, at)
        blocks += stream[12 : -12 - size]
        records.append((unpadded, unfolded))
    index = b"\0" + _bytes(len(records)) + b"".join(_bytes(n) for pair in records for n in pair)
    index += bytes(-len(index) % 4)
    index += struct.pack("<I", zlib.crc32(index))
    size_and_flags = struct.pack("<I", len(index) // 4 - 1) + stream[6:8]
    footer = struct.pack("<I", zlib.crc32(size_and_flags)) + size_and_flags + b"YZ"
    return stream[:12] + blocks + index + footer


def _number(data, at):
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _bytes(number):
    result = b""
    while number >= 0x80:
        result += bytes([number & 0x7F | 0x80])
        number >>= 7
    return result + bytes([number])


def test_the_blocks_behind_a_damaged_xz_block_are_read(unfold):
    parts = [TEXT[begin : begin + 200_000] for begin in range(0, len(TEXT), 200_000)]
    whole = _xz_of_blocks(parts)
    assert unfold("a.xz", whole) == [(TEXT, None)]
    (before, _damage), (after, none) = unfold("a.xz", flipped(whole, len(whole) // 2))
    assert TEXT.startswith(before) and TEXT.endswith(after) and none is None
    assert len(after) == len(TEXT) - 3 * 200_000  # the third block is hit


def test_zeros_may_follow_an_xz_stream(unfold):
    found = unfold("a.xz", lzma.compress(b"one") + bytes(8) + lzma.compress(b"two"))
    assert found == [(b"one", None), (b"two", None)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_zstd_file_may_begin_with_its_dictionary(unfold, packed):
    samples = [f"文書{number}は雨の日に書かれた。".encode() * 3 for number in range(2000)]
    dictionary = zstandard.train_dictionary(4096, samples)
    content = dictionary.as_bytes()
    content = zstandard.compress(content) if packed else content
    frames = zstandard.ZstdCompressor(dict_data=dictionary)
    skippable = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content
    found = unfold("a.zst", skippable + frames.compress(samples[0]) + frames.compress(samples[1]))
    assert found == [(b"", None), (samples[0], None), (samples[1], None)]


def test_other_skippable_frames_are_passed_over(unfold):
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    found = unfold("a.zst", zstandard.compress(b"one") + skippable + zstandard.compress(b"two"))
    assert [content for content, damage in found if not damage] == [b"one", b"", b"two"]


def test_a_frame_whose_dictionary_is_not_here_is_damage(unfold):
    dictionary = zstandard.train_dictionary(1024, [b"%d text" % n * 9 for n in range(2000)])
    frame = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"text" * 50)
    ((content, damage),) = unfold("a.zst", frame)
    assert (content, damage.offset, damage.length) == (b"", 0, len(frame))


def test_altered_text_in_a_member_too_long_to_hold_is_told(unfold, monkeypatch):
    monkeypatch.setattr(held, "HELD_BYTES", 100_000)
    whole = gzip.compress(TEXT)
    ((content, damage),) = unfold("a.gz", whole[:-8] + bytes(4) + whole[-4:])
    assert TEXT.startswith(content) and len(TEXT) - len(content) <= 1 << 16  # the failed call's
    assert "altered text" in damage.reason
