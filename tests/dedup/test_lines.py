"""Lines are found, folded, hashed and measured as plain Python does it."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nativize.dedup.fold import fold
from nativize.dedup.lines import UNCLOSED, Span, lines_of, read_lines
from nativize.dedup.shingles import CHUNK, Shingling
from nativize.recipe import Dedup, Fold, Language
from nativize.texts import Texts
from tests.dedup.composed import document, write_shards
from tests.dedup.test_shingles import ALPHABETS, FOLDS

# U+2028 and form feeds are blank space, not the ends of lines
BREAKS = "\n\n\r\u2028\f"


def shingling(how: Fold | None = None) -> Shingling:
    return Shingling.of(Language(code="xx", shingle="words"), Dedup(fold=how or Fold()))


def python_lines(text: str) -> list[str]:
    """The text's lines, each with its newline."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


@pytest.mark.parametrize("how", FOLDS.values(), ids=FOLDS)
@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_lines_are_equal_where_folded_lines_are(alphabet: str, how: Fold) -> None:
    generator = random.Random(1)
    texts = ["".join(generator.choices(alphabet + BREAKS, k=n % 40)) for n in range(600)]
    found = lines_of(Texts.of(texts), shingling(how), 1)
    expected = [
        (row, fold(line, how), len(line))
        for row, text in enumerate(texts)
        for line in python_lines(text)
        if fold(line, how)
    ]
    assert found.spans[:, Span.ROW].tolist() == [row for row, _, _ in expected]
    assert found.spans[:, Span.LETTERS].tolist() == [len(folded) for _, folded, _ in expected]
    assert found.spans[:, Span.CHARACTERS].tolist() == [count for *_, count in expected]
    pairs = {(folded, key) for (_, folded, _), key in zip(expected, found.hashes, strict=True)}
    assert len(pairs) == len({folded for folded, _ in pairs}) == len({key for _, key in pairs})
    assert found.letters.tolist() == [
        sum(len(fold(line, how)) for line in python_lines(text)) for text in texts
    ]


@given(st.lists(st.text(st.sampled_from("aあ😀\r\n")), max_size=5))
@settings(deadline=None)
def test_spans_are_the_bytes_of_the_lines(texts: list[str]) -> None:
    found = lines_of(Texts.of(texts), shingling(), 0)
    at = 0
    for row, text in enumerate(texts):
        before = ""
        for line in python_lines(text):
            span = found.spans[at]
            cut = text.encode()[span[Span.BEGIN] : span[Span.END]].decode()
            assert (span[Span.ROW], cut) == (row, line)
            newline = 2 if before.endswith("\r\n") else len(before[-1:])
            unclosed = 0 if line.endswith("\n") else UNCLOSED
            assert span[Span.NEWLINES] == newline + unclosed
            before, at = line, at + 1
    assert at == len(found.hashes)


@pytest.mark.parametrize("space", ["", "  ", "\u3000"], ids=["letters", "spaces", "wide"])
def test_a_line_longer_than_a_chunk_is_read_whole(space: str) -> None:
    line = space.join(f"あ{number}" for number in range(CHUNK))
    # an ellipsis folds to three dots, so this line takes the way of shingles
    texts = [f"{line}!", f"{line}。", f"{line}…", f"{line}か\u3099", f"{line}が"]
    hashes = lines_of(Texts.of(texts), shingling(), 10).hashes
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3] == hashes[4]


def test_shorter_lines_are_left_out_but_counted() -> None:
    found = lines_of(Texts.of(["ab c\nabcd\nか\u3099き…\nabc"]), shingling(), 4)
    assert found.spans[:, Span.BEGIN].tolist() == [0, 5]
    assert found.letters.tolist() == [4 + 4 + 2 + 3]


def test_texts_that_are_a_part_of_a_buffer_are_read_alone() -> None:
    texts = Texts.of(["first\n", "second line", "third"])
    found = lines_of(Texts(texts.data, texts.offsets[1 : 2 + 1]), shingling(), 1)
    assert found.spans.tolist() == [[0, 0, 11, 11, 11, UNCLOSED]]


def test_a_shards_lines_lie_in_the_order_of_their_hashes(tmp_path: Path) -> None:
    texts = [f"first line {n % 3}\nsecond line {n}" for n in range(20)]
    scored = write_shards(tmp_path / "in", [document(str(n), t) for n, t in enumerate(texts)], 1)
    read_lines(scored / "web-00000.parquet", shingling(), 10, tmp_path)
    hashes, spans, letters = (
        np.load(tmp_path / f"web-00000.{kind}.npy") for kind in ("lines", "spans", "letters")
    )
    assert (hashes[1:] >= hashes[:-1]).all()
    assert len(hashes) == len(spans) == 40
    assert (spans[hashes == hashes[0], Span.BEGIN] == spans[0, Span.BEGIN]).all()
    assert letters.tolist() == [len(text) - 1 for text in texts]
