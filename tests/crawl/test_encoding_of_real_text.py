"""Decoding real Japanese and Chinese in the encodings of their web, whole and in short pieces.

Measured with 200 pieces each: everything from 200 bytes on, and all lengths in most encodings, is
right; the floors below leave one wrong piece in a hundred.
"""

import json
import random
import tarfile
from functools import cache
from itertools import islice

import pytest
import zstandard

from nativize.crawl.encoding import decode

PIECES = 100
FLOOR = {40: 0.98, 80: 0.98, 200: 0.99, 1000: 1.0}
PACKS = {
    "ja": ("ja_aozora_a", ".txt", "cp932"),
    "zh": ("zh_niutrans_a", "target.txt", "utf-8"),
    "classical": ("zh_poetry_tang", ".json", "utf-8"),
}


def pack(shared_data, name, suffix):
    with (shared_data / "text" / f"{name}.tar.zst").open("rb") as packed:
        stream = zstandard.ZstdDecompressor().stream_reader(packed)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if member.name.endswith(suffix):
                    yield tar.extractfile(member).read()


@cache
def texts(shared_data, language):
    """Texts of which pieces are cut; the Tang poems are in traditional characters."""
    name, suffix, encoding = PACKS[language]
    contents = islice(pack(shared_data, name, suffix), 3 if suffix == ".json" else 200)
    whole = [content.decode(encoding) for content in contents]
    if suffix != ".json":
        return [text for text in whole if len(text) > 600]
    poems = ["".join(poem.get("paragraphs", [])) for text in whole for poem in json.loads(text)]
    return ["".join(poems[at : at + 30]) for at in range(0, len(poems) - 30, 30)]


def pieces(whole, encoding, length, rng):
    """So many bytes from anywhere in a text, cut between characters, not all ASCII."""
    while True:
        text = rng.choice(whole)
        begin = rng.randrange(max(1, len(text) - length))
        piece = text[begin : begin + length].encode(encoding, "ignore").decode(encoding)
        while len(piece.encode(encoding)) > length:
            piece = piece[: -max(1, len(piece) // 20)]
        if sum(character > "\x7f" for character in piece) >= 10:
            yield piece


@pytest.mark.parametrize("length", FLOOR)
@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("ja", "utf-8"),
        ("ja", "cp932"),
        ("ja", "euc_jp"),
        ("ja", "iso2022_jp"),
        ("ja", "utf-16-le"),
        ("ja", "utf-16-be"),
        ("zh", "gb18030"),
        ("zh", "utf-16"),
        ("zh", "utf-16-le"),
        ("classical", "big5"),
        ("classical", "gb18030"),
        ("classical", "utf-16-be"),
    ],
)
def test_pieces_are_decoded(shared_data, language, encoding, length):
    rng = random.Random(f"{language} {encoding} {length}")
    sample = list(islice(pieces(texts(shared_data, language), encoding, length, rng), PIECES))
    right = sum(decoded(piece.encode(encoding)) == piece for piece in sample)
    assert right >= FLOOR[length] * PIECES


def decoded(data):
    try:
        return decode(data)
    except ValueError:
        return None


def test_every_file_of_aozora_is_shift_jis(shared_data):
    files = list(pack(shared_data, "ja_aozora_a", ".txt"))
    assert len(files) == 2939
    assert [n for n, data in enumerate(files) if decode(data) != data.decode("cp932")] == []
