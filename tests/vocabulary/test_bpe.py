"""Pieces against a plain definition of BPE, and against sentencepiece's own trainer."""

from collections import Counter
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nativize.errors import VocabularyError
from nativize.vocabulary import train_sentencepiece
from nativize.vocabulary.bpe import learn
from nativize.vocabulary.piece_model import NORMAL, read_model
from nativize.vocabulary.pieces import alphabet_of, learn_pieces, model_of
from nativize.vocabulary.segments import Segments, segments_of
from tests.vocabulary.composed import JAPANESE, sentences


def words(segments: Segments) -> Counter[str]:
    text = "".join(map(chr, segments.points))
    spans = pairwise(segments.starts.tolist())
    return Counter({text[a:b]: int(n) for (a, b), n in zip(spans, segments.counts, strict=True)})


def segments_of_words(counts: dict[str, int]) -> Segments:
    points = np.array([ord(c) for word in counts for c in word], np.uint32)
    starts = np.cumsum([0, *map(len, counts)])
    return Segments(points, starts, np.array(list(counts.values()), np.int64))


def plain_bpe(counts: dict[str, int], size: int, minimum: int, longest: int) -> list[str]:
    """BPE by its definition: join the string most often made of two neighbours, count anew."""
    cut = {word: list(word) for word in counts}
    pieces: list[str] = []
    while len(pieces) < size:
        made: Counter[str] = Counter()
        for word, symbols in cut.items():
            for left, right in pairwise(symbols):
                if len(left + right) <= longest:
                    made[left + right] += counts[word]
        candidates = [p for p, n in made.items() if n >= minimum]
        if not candidates:
            break
        best = min(candidates, key=lambda p: (-made[p], len(p), p))
        pieces.append(best)
        for symbols in cut.values():
            join(symbols, pieces)
    return pieces


def join(symbols: list[str], pieces: list[str]) -> None:
    """Join what adds up to a piece, oldest piece first, leftmost place first."""
    while True:
        made = [left + right for left, right in pairwise(symbols)]
        known = [piece for piece in pieces if piece in made]
        if not known:
            return
        at = made.index(known[0])
        symbols[at : at + 2] = [known[0]]


# no letter twice in a row: where places overlap, "leftmost first" is one order of several
WORDS = st.dictionaries(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12)
    .map("".join)
    .filter(lambda word: all(a != b for a, b in pairwise(word))),
    st.integers(1, 50),
    min_size=1,
    max_size=12,
)


@given(WORDS, st.integers(1, 4), st.sampled_from([3, 16]))
@settings(max_examples=200, deadline=None)
def test_pieces_are_those_of_the_plain_definition(
    counts: dict[str, int], minimum: int, longest: int
) -> None:
    *_, learned = learn(segments_of_words(counts), [30], minimum=minimum, longest=longest)
    expected = plain_bpe(counts, 30, minimum, longest)
    assert learned.pieces == expected
    assert len(set(learned.pieces)) == len(learned.pieces)
    assert all(2 <= len(piece) <= longest for piece in learned.pieces)


@given(WORDS, st.lists(st.integers(0, 20), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_shorter_training_is_the_beginning_of_a_longer_one(
    counts: dict[str, int], sizes: list[int]
) -> None:
    segments = segments_of_words(counts)
    *_, whole = learn(segments, [20])
    for size, learned in zip(sorted(sizes), learn(segments, sorted(sizes)), strict=False):
        assert learned.pieces == whole.pieces[:size]


@given(WORDS)
@settings(max_examples=100, deadline=None)
def test_what_is_learned_does_not_depend_on_the_order_of_the_text(counts: dict[str, int]) -> None:
    turned = dict(reversed(counts.items()))
    *_, one = learn(segments_of_words(counts), [30])
    *_, other = learn(segments_of_words(turned), [30])
    assert one.pieces == other.pieces


@given(WORDS)
@settings(max_examples=100, deadline=None)
def test_tokens_and_occurrences_add_up_to_the_text(counts: dict[str, int]) -> None:
    characters = sum(len(word) * count for word, count in counts.items())
    for learned in learn(segments_of_words(counts), [0, 1, 5, 20]):
        lengths = np.array([len(piece) for piece in learned.pieces], np.int64)
        inside = int((lengths * learned.occurrences).sum())
        singles = learned.tokens - int(learned.occurrences.sum())
        assert inside + singles == characters


@pytest.mark.parametrize("word", ["aaaa", "aaaaaaa", "ababab", "aabaabaab", "abcabcabc"])
def test_repetitions_are_joined_without_losing_a_character(word: str) -> None:
    for learned in learn(segments_of_words({word: 3, word + "x": 2}), [1, 2, 3, 50]):
        inside = sum(
            len(p) * int(n) for p, n in zip(learned.pieces, learned.occurrences, strict=True)
        )
        singles = learned.tokens - int(learned.occurrences.sum())
        assert inside + singles == 3 * len(word) + 2 * (len(word) + 1)


def test_many_different_segments_grow_the_tables() -> None:
    letters = [chr(0x4E00 + number) for number in range(300)]
    counts = {a + b + c: 2 for a, b, c in product(letters, letters[:20], letters[:20])}
    *_, learned = learn(segments_of_words(counts), [1_000])
    assert len(learned.pieces) == 1_000


def test_the_pieces_are_those_that_sentencepieces_trainer_finds(tmp_path: Path) -> None:
    texts = sentences(JAPANESE)
    train_sentencepiece(texts, tmp_path / "m", size=130)
    theirs = [e.piece for e in read_model(tmp_path / "m").pieces if e.type == NORMAL]
    alphabet = alphabet_of(texts, 0.9995)
    *_, learned = learn_pieces(alphabet, [130])
    ours = [*learned.pieces, *alphabet.characters]
    assert set(alphabet.characters) == {piece for piece in theirs if len(piece) == 1}
    assert len(set(ours) & set(theirs)) >= 0.97 * len(theirs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京タワーへ行く。次", ["東京タワーへ行く", "。", "次"]),
        ("two  words", ["two", "▁", "▁words"]),
        ("in 1923年", ["in", "▁", "1", "9", "2", "3", "年"]),
        ("日本語abc", ["日本語", "abc"]),
        ("か\u3099き", ["か\u3099き"]),
        ("नमस्ते दुनिया", ["नमस्ते", "▁दुनिया"]),
        ("a\nb\tc", ["a", "b", "c"]),
        ("", []),
    ],
)
def test_segments_end_where_no_piece_may_reach(text: str, expected: list[str]) -> None:
    assert list(words(segments_of([text]))) == list(dict.fromkeys(expected))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
@settings(max_examples=200, deadline=None)
def test_segments_hold_the_whole_text_but_for_control_characters(texts: list[str]) -> None:
    counts = words(segments_of(texts))
    found: Counter[str] = Counter()
    for word, count in counts.items():
        for character, times in Counter(word).items():
            found[character] += times * count
    given_ = Counter("".join(texts).replace(" ", "▁"))
    assert found == Counter({c: n for c, n in given_.items() if c in found})
    assert not [c for c in given_ if c.isalnum() and c not in found and c.isprintable()]


def test_a_model_holds_exactly_the_pieces_that_were_asked_for() -> None:
    model = model_of("にの", ["した", "ます"], 6)
    assert [e.piece for e in model.pieces] == ["<unk>", "<s>", "</s>", "した", "に", "の"]
    with pytest.raises(VocabularyError, match="at most 7; lower"):
        model_of("にの", ["した", "ます"], 8)
    with pytest.raises(VocabularyError, match="raise the vocabulary size to 5"):
        model_of("にの", ["した", "ます"], 4)
