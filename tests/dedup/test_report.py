"""What a person sees of deduplication: measured recall, groups, examples, evaluation sets."""

import logging
import random
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from assets.display import MOST_CELL_TEXT
from nativize.dedup.banding import (
    Banding,
    RecallBin,
    measure_detection,
    measurement_identity,
    sample_of,
)
from nativize.dedup.picture import draw_cluster_sizes, draw_detection
from nativize.dedup.report import (
    MOST_EXAMPLES,
    ExamplePair,
    align,
    choose_examples,
    evaluation_table,
    examples,
    largest_clusters,
    side_by_side,
)

BANDING = Banding(20, 6)
LETTERS = "あいうえおかきくけこさしすせそたちつてとなにぬねの"


def composed(count: int, characters: int = 300) -> list[str]:
    return ["".join(random.Random(n).choices(LETTERS, k=characters)) for n in range(count)]


def shingles(text: str) -> set[str]:
    return {text[at : at + 5] for at in range(len(text) - 4)}


def band_hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    """MinHash in plain NumPy; a band is known by the sum of its mixed values."""
    drawn = np.random.default_rng(3).integers(0, 2**64, (3, BANDING.values), dtype=np.uint64)
    rows = []
    for text in texts:
        found = [zlib.crc32(shingle.encode()) for shingle in shingles(text)]
        hashes = np.array(found, np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
        minima = ((hashes ^ (hashes >> np.uint64(32))) * (drawn[0] | np.uint64(1)) + drawn[1]).min(
            axis=0
        )
        rows.append((minima * drawn[2]).reshape(BANDING.bands, BANDING.rows).sum(axis=1))
    return np.array(rows)


def similarity(texts: Sequence[str], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    sets = [shingles(text) for text in texts]
    return np.array([len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in pairs])


@pytest.fixture(scope="module")
def measured() -> list[RecallBin]:
    return measure_detection(composed(60), band_hashes, similarity, seed=1)


def test_planted_similarities_spread_over_the_whole_range(measured: list[RecallBin]) -> None:
    assert [one.low for one in measured] == pytest.approx(np.arange(8, 20) / 20)
    assert all(one.pairs >= 20 for one in measured)
    assert all(one.low <= one.similarity < one.high for one in measured)


def test_what_is_measured_is_what_the_curve_promises(measured: list[RecallBin]) -> None:
    expected = sum(one.pairs * BANDING.detection(one.similarity) for one in measured)
    assert sum(one.found for one in measured) == pytest.approx(expected, rel=0.05)
    assert all(one.found == one.pairs for one in measured if one.low >= 0.85)


def test_a_kernel_that_loses_pairs_is_seen_to_lose_them() -> None:
    def broken(texts: Sequence[str]) -> NDArray[np.uint64]:
        bands = band_hashes(texts)
        # every other text shares no band with any
        bands[::2] = np.arange(bands[::2].size, dtype=np.uint64).reshape(bands[::2].shape)
        return bands

    lossy = measure_detection(composed(30), broken, similarity, seed=1)
    above = [one for one in lossy if one.low >= 0.8]
    assert sum(one.found for one in above) < 0.6 * sum(one.pairs for one in above)


def test_edits_are_as_many_as_the_shingles_need() -> None:
    """A letter spoils its whole word, so fewer of them reach the same similarity."""

    def of_words(texts: Sequence[str], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        sets = [{tuple(text.split()[at : at + 5]) for at in range(96)} for text in texts]
        return np.array([len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in pairs])

    texts = [" ".join(composed(100 + n, 6)[n:]) for n in range(20)]
    bins = measure_detection(texts, band_hashes, of_words, seed=1)
    assert [one.low for one in bins] == pytest.approx(np.arange(8, 20) / 20)


def test_measuring_twice_gives_the_same(measured: list[RecallBin]) -> None:
    assert measure_detection(composed(60), band_hashes, similarity, seed=1) == measured


def test_a_corpus_of_short_texts_is_not_measured() -> None:
    assert measure_detection(["短い。"], band_hashes, similarity, seed=1) == []
    assert measure_detection([], band_hashes, similarity, seed=1) == []


def test_the_interval_is_that_of_wilson() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I
    interval = RecallBin(0.5, 0.55, 0.52, pairs=263, found=81).interval()
    assert interval == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert RecallBin(0.5, 0.55, 0.52, pairs=20, found=0).interval() == pytest.approx(
        (0, 0.1611), abs=1e-4
    )


def test_the_sample_depends_on_the_texts_and_not_on_their_order() -> None:
    digests = np.random.default_rng(1).permutation(np.arange(10_000, dtype=np.uint64))
    chosen = sample_of(digests, 50)
    assert set(digests[chosen].tolist()) == set(range(50))
    assert np.array_equal(sample_of(digests[:20], 50), np.arange(20))


def test_a_text_with_many_copies_is_in_the_sample_once() -> None:
    digests = np.array([5] * 1000 + list(range(100, 200)) + [3] * 5000, np.uint64)
    assert digests[sample_of(digests, 10)].tolist() == [5, *range(100, 108), 3]
    assert digests[sample_of(digests, 500)].tolist() == [5, *range(100, 200), 3]


def test_the_measurement_is_known_by_what_it_depends_on() -> None:
    identity = measurement_identity(composed(3), BANDING, 1)
    assert measurement_identity(composed(3), BANDING, 1) == identity
    others = [
        measurement_identity(composed(4), BANDING, 1),
        measurement_identity(["ab", "c"], BANDING, 1),
        measurement_identity(["a", "bc"], BANDING, 1),
        measurement_identity(composed(3), Banding(6, 20), 1),
        measurement_identity(composed(3), BANDING, 2),
    ]
    assert len({str(other) for other in (identity, *others)}) == 6


SIZES = np.array([1, 2, 2, 3, 4, 5, 900])
DRAWINGS: dict[str, Callable[[list[RecallBin], Path], None]] = {
    "scurve": lambda measured, path: draw_detection(BANDING, 0.8, measured, path),
    "bare": lambda measured, path: draw_detection(BANDING, 0.8, [], path),
    "sizes": lambda measured, path: draw_cluster_sizes(SIZES, path),
}


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_picture_is_the_same_bytes_each_time(
    drawing: str, measured: list[RecallBin], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        DRAWINGS[drawing](measured, tmp_path / name / "a.png")
    first = (tmp_path / "one" / "a.png").read_bytes()
    assert first[1:4] == b"PNG"
    assert first == (tmp_path / "two" / "a.png").read_bytes()


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_without_matplotlib_a_line_is_logged_instead(
    drawing: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with caplog.at_level(logging.INFO):
        DRAWINGS[drawing]([], tmp_path / "a.png")
    assert "matplotlib is missing" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_without_groups_has_no_picture_of_their_sizes(tmp_path: Path) -> None:
    draw_cluster_sizes(np.ones(5, np.int64), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kept", "removed", "expected"),
    [
        ("同じ文です。", "同じ文です。", ("同じ文です。", "同じ文です。")),
        ("雨が降った。", "雪が降った。", ("⟦雨⟧が降った。", "⟦雪⟧が降った。")),
        ("終わり", "終わり。", ("終わり⟦⟧", "終わり⟦。⟧")),
        ("", "何か", ("⟦⟧", "⟦何か⟧")),
        ("abcd1efgh2ijkl", "abcdefghijkl", ("abcd⟦1⟧efgh⟦2⟧ijkl", "abcd⟦⟧efgh⟦⟧ijkl")),
        # two equal letters between differences are no reason to stop marking
        ("xx1ab2yyy", "xx3ab4yyy", ("xx⟦1ab2⟧yyy", "xx⟦3ab4⟧yyy")),
        ("右\u202eから", "右から", ("右⟦\ufffd⟧から", "右⟦⟧から")),
    ],
)
def test_differences_are_marked(kept: str, removed: str, expected: tuple[str, str]) -> None:
    assert side_by_side(kept, removed) == expected


def test_long_equal_parts_are_left_out() -> None:
    left, right = side_by_side("あ" * 5000 + "雨" + "い" * 5000, "あ" * 5000 + "雪" + "い" * 5000)
    assert left.startswith("…あああ") and left.endswith("いいい…")
    assert "あ⟦雨⟧い" in left and "あ⟦雪⟧い" in right


def test_an_inserted_paragraph_is_one_difference_and_what_follows_is_equal() -> None:
    text = "。".join(composed(40, 20))
    longer = text[:105] + "。" + "。".join(composed(5, 90)) + text[105:]
    parts = align(text, longer)
    assert ["".join(side) for side in zip(*parts, strict=True)] == [text, longer]
    assert [left == right for left, right in parts] == [True, False, True]


@pytest.mark.parametrize("seed", range(20))
def test_parts_are_the_whole_texts_and_marks_fit_their_cells(seed: int) -> None:
    dice = random.Random(seed)
    text = "".join(dice.choices(LETTERS + "。\n", k=dice.randrange(2000)))
    other = list(text)
    for _ in range(dice.randrange(60)):
        at = dice.randrange(len(other) + 1)
        other[at : at + dice.randrange(3)] = dice.choices(LETTERS, k=dice.randrange(40))
    edited = "".join(other)
    parts = align(text, edited)
    assert ["".join(side) for side in zip(*parts, strict=True)] == [text, edited]
    left, right = side_by_side(text, edited)
    assert max(len(left), len(right)) <= MOST_CELL_TEXT
    assert left.count("⟦") == left.count("⟧") == right.count("⟦") == right.count("⟧") <= 3


def test_texts_without_anything_in_common_are_one_difference() -> None:
    left, right = side_by_side("a" * 5000, "b" * 3000)
    assert left == "⟦" + "a" * 79 + "…⟧"
    assert right == "⟦" + "b" * 79 + "…⟧"


def pair(number: int, similarity: float, kind: str = "near") -> ExamplePair:
    return ExamplePair(
        f"k{number}", f"r{number}", f"文 {number}", f"文、{number}", similarity, kind
    )


def test_examples_are_rows_of_a_table() -> None:
    assert examples([pair(1, 0.98765)]) == {
        "columns": ["similarity", "kind", "kept text", "removed text", "kept", "removed"],
        "rows": [[0.988, "near", "文⟦ ⟧1", "文⟦、⟧1", "k1", "r1"]],
    }


def test_examples_go_from_the_threshold_to_nearly_equal() -> None:
    pairs = [pair(number, 0.8 + number / 5000) for number in range(1000)]
    pairs += [pair(number, 1.0, "exact") for number in range(1000, 1050)]
    rows = examples(pairs)["rows"]
    assert len(rows) == MOST_EXAMPLES
    assert [row[1] for row in rows] == ["near"] * 9 + ["exact"] * 3
    assert [row[0] for row in rows[:9]] == pytest.approx(np.linspace(0.8, 1, 9), abs=0.001)


def test_one_large_group_does_not_fill_the_examples() -> None:
    kept = np.array([7] * 1000 + list(range(100, 112)))
    similarities = np.linspace(0.8, 0.99, len(kept))
    chosen = choose_examples(similarities, np.ones(len(kept), bool), kept)
    assert len(set(kept[chosen].tolist())) == MOST_EXAMPLES


@pytest.mark.parametrize("near", [0, 1, 5, 12, 40])
@pytest.mark.parametrize("others", [0, 1, 5, 40])
def test_as_many_examples_are_chosen_as_there_are(near: int, others: int) -> None:
    similarities = np.array([0.8] * near + [1.0] * others)
    is_near = np.arange(near + others) < near
    chosen = choose_examples(similarities, is_near, np.arange(near + others))
    assert len(set(chosen.tolist())) == len(chosen)
    assert len(chosen) == min(MOST_EXAMPLES, near + others)


def clusters(rows: Sequence[tuple[str, str, float]]) -> pa.Table:
    columns: dict[str, Any] = dict(
        zip(("kept", "id", "similarity"), zip(*rows, strict=True), strict=True)
    )
    return pa.table({**columns, "similarity": pa.array(columns["similarity"], pa.float32())})


@pytest.mark.parametrize("survivors", [True, False])
def test_the_largest_groups_are_named_by_their_survivor(survivors: bool) -> None:
    rows = [("b", "x", 0.9), ("a", "y", 0.85), ("b", "z", 0.8), ("c", "w", 1.0)]
    rows += [(kept, kept, 1.0) for kept in "abc"] if survivors else []
    assert largest_clusters(clusters(rows)) == {
        "columns": ["kept", "documents", "smallest similarity"],
        "rows": [["b", 3, 0.8], ["a", 2, 0.85], ["c", 2, 1.0]],
    }


def test_contamination_is_told_by_evaluation_file() -> None:
    table = evaluation_table(
        [
            {"file": "b.jsonl", "items": 10, "too_short": 10, "found": 0, "documents": 0},
            {"file": "a.jsonl", "items": 50, "too_short": 10, "found": 4, "documents": 7},
        ]
    )
    assert [len(row) for row in table["rows"]] == [len(table["columns"])] * 2
    assert table["rows"][0] == ["a.jsonl", 50, 10, 4, "10.0 %", 7]
    assert table["rows"][1] == ["b.jsonl", 10, 10, 0, "–", 0]
