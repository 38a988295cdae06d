"""Groups of a band that are too large for all their pairs end as if all had been compared."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nativize.dedup import bands, candidates, pairs, stored
from nativize.dedup.candidates import crowds_together
from nativize.dedup.crowds import Crowds
from tests.dedup.composed import document, text_of
from tests.dedup.test_refresh import materialise

TEMPLATE = text_of(1, 300)


def pages(generator: random.Random, count: int) -> list[dict[str, Any]]:
    """Pages of one template, of which some resemble each other more, of all sizes."""
    blocks = [text_of(100 + number, 12) for number in range(12)]
    documents = []
    for number in range(count):
        own = "".join(generator.sample(blocks, generator.randrange(4)))
        own += text_of(1_000 + number, generator.randrange(10, 120))
        begin = generator.choice([0, 0, 40])
        perplexity = generator.choice([2.0, 3.0])
        documents.append(document(f"{number:03d}", TEMPLATE[begin:] + own, perplexity=perplexity))
    return documents


def crowded(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Groups with more than so many likely pairs for each member are crowds."""
    monkeypatch.setattr(candidates, "MOST_HOPEFUL", most)


@pytest.mark.parametrize(
    "settings",
    [{}, {"threshold": 0.7}, {"threshold": 0.9, "bands": 20, "rows": 6}, {"bands": 40, "rows": 3}],
    ids=["default", "lower", "higher", "many bands"],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_ends_as_if_all_its_pairs_were_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], seed: int
) -> None:
    documents = pages(random.Random(seed), 90)
    shards = {"a": documents[::2], "b": documents[1::2]}
    crowded(monkeypatch, 1_000)
    whole = materialise(tmp_path / "whole", shards, "new", **settings)
    crowded(monkeypatch, 0)
    monkeypatch.setattr(pairs, "MOST_PAIRS", 64)
    monkeypatch.setattr(stored, "BYTES_IN_ONE_CALL", 20_000)
    few = materialise(tmp_path / "few", shards, "new", **settings)
    assert few.content == whole.content
    assert 0 < whole.metrics["near_duplicates"] < 80
    assert few.metrics["compared_pairs"] < whole.metrics["compared_pairs"]


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_that_grows_and_shrinks_is_what_it_would_be_from_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    crowded(monkeypatch, 0)
    monkeypatch.setattr(bands, "WORTH_A_CALL", 500)
    generator = random.Random(seed)
    documents = pages(generator, 120)
    shards = {f"web-{n}": documents[n:100:10] for n in range(10)}
    for step, rows in enumerate(([], documents[100:110], documents[110:])):
        shards = {**shards, f"new-{step}": rows}
        shards["web-3"] = generator.sample(shards["web-3"], len(shards["web-3"]) - 1)
        refreshed = materialise(tmp_path / "store", shards, str(step))
        alone = materialise(tmp_path / f"alone-{step}", shards, str(step))
        assert refreshed.content == alone.content


def test_crowds_of_several_calls_keep_apart_and_of_each_member_are_known() -> None:
    entries = [[0 << 32 | 7, 0 << 32 | 9, 1 << 32 | 7], [], [0 << 32 | 9]]
    together = crowds_together([np.array(part, np.uint64) for part in entries])
    assert together.tolist() == [7, 9, 1 << 32 | 7, 2 << 32 | 9]
    found = Crowds.of(together)
    assert found.members.tolist() == [7, 9]
    assert np.split(found.crowds, found.begins[1:-1])[0].tolist() == [0, 1]
    assert np.split(found.crowds, found.begins[1:-1])[1].tolist() == [0, 2]
