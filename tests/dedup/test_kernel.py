"""The compiled loops agree with plain Python, and MinHash with its theory."""

import random
import re

import numpy as np
import pyarrow as pa
import pytest

from nativize.dedup import kernel
from nativize.dedup.candidates import remaining_pairs, star_pairs
from nativize.dedup.families import clusters_of
from nativize.dedup.fold import fold, fold_all, word_table
from nativize.dedup.picture import detection_probability

ALPHABETS = {
    "ascii": "abcde ",
    "japanese": "あいがか゛漢字カー。 ",
    "tibetan": "བོད་སྐད་ལ་ཡིག།",
    "emoji": "a😀🎌é ",
}


def random_text(seed: int, alphabet: str) -> str:
    generator = random.Random(seed)
    return "".join(generator.choices(alphabet, k=generator.randint(0, 200)))


def python_shingles(text: str, *, by_words: bool, length: int) -> set[tuple[str, ...]]:
    folded = fold(text)
    units = list(folded)
    if by_words:
        table = word_table()
        units = "".join(c if table[ord(c)] else " " for c in folded).split()
    length = min(length, len(units))
    return {tuple(units[at : at + length]) for at in range(len(units) - length + 1)} - {()}


@pytest.mark.parametrize("by_words", [False, True], ids=["characters", "words"])
@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_jaccard_of_hashes_is_the_jaccard_of_python_sets(alphabet: str, by_words: bool) -> None:
    texts = [random_text(seed, alphabet) for seed in range(40)]
    hashes, offsets = kernel.shingle_sets(fold_all(texts), by_words=by_words, length=2)
    truth = [python_shingles(text, by_words=by_words, length=2) for text in texts]
    for at, expected in enumerate(truth):
        ours = hashes[offsets[at] : offsets[at + 1]]
        assert len(ours) == len(expected)
        first = hashes[offsets[0] : offsets[1]]
        union = len(truth[0] | expected)
        jaccard = len(truth[0] & expected) / union if union else 0.0
        assert kernel.jaccard(first, ours) == jaccard


def test_a_slice_of_an_arrow_array_is_read_where_it_begins() -> None:
    texts = fold_all(["one two three", "four five six", "seven eight nine"])
    whole, offsets = kernel.shingle_sets(texts, by_words=True, length=2)
    part, _ = kernel.shingle_sets(texts.slice(1), by_words=True, length=2)
    assert part.tolist() == whole[offsets[1] :].tolist()


def test_shared_bands_are_as_frequent_as_theory_says() -> None:
    # 300 pairs of 200 shared and 50 + 50 own shingles: Jaccard 2/3
    generator = random.Random(1)
    texts = []
    for _ in range(300):
        words = [f"w{generator.randrange(10**9)}" for _ in range(300)]
        texts += [" ".join(words[:250]), " ".join(words[:200] + words[250:])]
    bands, _ = kernel.band_hashes(
        fold_all(texts), by_words=True, length=1, bands=100, rows=4, seed=7
    )
    shared = (bands[0::2] == bands[1::2]).mean()
    expected = (2 / 3) ** 4
    print(f"share of equal bands: {shared:.4f}, theory {expected:.4f}")
    # the standard deviation of a band's mean over 300 pairs is 0.0023
    assert abs(shared - expected) < 4 * 0.0023


def test_the_functions_are_independent_of_each_other() -> None:
    texts = [f"{word} x{word}" for word in range(2_000)]
    bands, _ = kernel.band_hashes(
        fold_all(texts), by_words=True, length=1, bands=64, rows=1, seed=1
    )
    pairs = kernel.band_hashes(
        fold_all([f"{word}" for word in range(2_000)]),
        by_words=True, length=1, bands=64, rows=1, seed=1,
    )[0]  # fmt: skip
    first_wins = (bands == pairs).astype(float)
    # the smaller of two shingles is the first in half of the functions, each time anew
    assert abs(first_wins.mean() - 0.5) < 0.01
    assert abs(first_wins.mean(axis=1).std() - 0.5 / 8) < 0.005


def test_a_text_without_shingles_is_marked() -> None:
    _, shingled = kernel.band_hashes(
        fold_all(["", "。、!?", "a"]), by_words=True, length=5, bands=2, rows=2, seed=1
    )
    assert shingled.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Ａｂｃ　１２", "abc 12", True),
        ("straße", "STRASSE", True),
        ("a \n\t b", "a b", True),
        ("かき", "がぎ", False),
        ("ハハ", "パパ", False),
        ("ก้า", "กา", False),
        ("कि", "क", False),
        ("བོད", "བད", False),
    ],
)
def test_folding_joins_forms_but_keeps_marks_that_carry_meaning(
    left: str, right: str, same: bool
) -> None:
    assert (fold(left) == fold(right)) is same


def test_words_are_those_of_python_for_english() -> None:
    text = "It's 3.14 o'clock -- foo_bar, naïve!"
    table = word_table()
    words = "".join(c if table[ord(c)] else " " for c in text).split()
    assert words == re.findall(r"[^\W_]+", text)


def test_two_rounds_find_the_clusters_of_all_pairs() -> None:
    generator = np.random.default_rng(1)
    bands = generator.integers(0, 30, size=(60, 4)).astype(np.uint64)
    similar = generator.random((60, 60)) < 0.3
    stars = star_pairs(bands)
    near = stars[similar[stars[:, 0], stars[:, 1]]]
    clusters = clusters_of(np.arange(60), near)
    rest = remaining_pairs(bands, clusters)
    near = np.concatenate([near, rest[similar[rest[:, 0], rest[:, 1]]]])
    every = [
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if similar[i, j] and (bands[i] == bands[j]).any()
    ]
    truth = clusters_of(np.arange(60), np.array(every))
    assert clusters_of(np.arange(60), near).tolist() == truth.tolist()
    assert len(set(truth.tolist())) < 40


def test_no_documents_have_no_bands() -> None:
    bands, shingled = kernel.band_hashes(
        pa.array([], pa.large_string()), by_words=False, length=5, bands=3, rows=2, seed=1
    )
    assert bands.shape == (0, 3)
    assert shingled.shape == (0,)


def test_the_s_curve_has_its_known_values() -> None:
    assert detection_probability(0.8, 20, 5) == pytest.approx(0.99964, abs=1e-5)
    assert detection_probability(0.0, 20, 5) == 0.0
    assert detection_probability(1.0, 20, 5) == 1.0
