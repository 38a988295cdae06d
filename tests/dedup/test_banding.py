"""Bands and rows: the recipe's, or the best for what is asked."""

import numpy as np
import pytest
from datasketch import MinHashLSH

from nativize.dedup.banding import Banding
from nativize.recipe import Dedup


@pytest.mark.parametrize("permutations", [64, 128, 200])
@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.75, 0.25), (0.1, 0.9), (1 / 501, 500 / 501)])
def test_the_optimum_is_that_of_datasketch(permutations: int, weights: tuple[float, float]) -> None:
    for threshold in (0.3, 0.5, 0.8, 0.9):
        index = MinHashLSH(threshold, permutations, weights)
        assert Banding.optimum(threshold, permutations, *weights) == Banding(index.b, index.r)


def test_the_default_recipe_has_20_bands_of_6_rows() -> None:
    assert Banding.of(Dedup()) == Banding(20, 6)


def test_a_recipe_can_say_bands_and_rows() -> None:
    assert Banding.of(Dedup(bands=14, rows=8)) == Banding(14, 8)


@pytest.mark.parametrize("permutations", range(64, 257, 16))
def test_a_pair_at_the_threshold_is_hardly_ever_missed(permutations: int) -> None:
    for threshold in np.arange(50, 96, 5) / 100:
        banding = Banding.optimum(float(threshold), permutations)
        assert banding.values <= permutations
        assert banding.detection(float(threshold)) >= 0.99


@pytest.mark.parametrize("permutations", [64, 120, 256])
def test_a_higher_threshold_lets_fewer_unlike_pairs_through(permutations: int) -> None:
    in_vain = [Banding.optimum(t / 10, permutations).detection(0.3) for t in range(5, 10)]
    assert in_vain == sorted(in_vain, reverse=True)


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, (120, 1)), (1.0, (1, 120))])
def test_the_ends_of_the_scale_are_bandings_too(
    threshold: float, expected: tuple[int, int]
) -> None:
    assert Banding.optimum(threshold, 120) == Banding(*expected)


def test_the_s_curve_has_its_known_values() -> None:
    assert Banding(20, 5).detection(0.8) == pytest.approx(0.99964, abs=1e-5)
    assert Banding(20, 5).detection(0.0) == 0.0
    assert Banding(20, 5).detection(1.0) == 1.0


def test_detection_is_the_share_of_random_pairs_that_have_a_band_in_common() -> None:
    banding = Banding(5, 3)
    equal = np.random.default_rng(1).random((20_000, 5, 3)) < 0.6
    share = equal.all(axis=2).any(axis=1).mean()
    assert share == pytest.approx(banding.detection(0.6), abs=0.015)
