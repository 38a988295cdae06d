"""A refresh looks only at what came, went or was touched by it, and ends where a first run does."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nativize.artifact import Artifact, Stage
from nativize.dedup import DEDUPLICATE, bands, near, pairs
from nativize.dedup.known import KnownPairs
from nativize.recipe import Dedup
from nativize.replay import REPLAY
from tests.dedup import composed
from tests.dedup.composed import SCORED, document, edited, survivors, text_of

Shards = Mapping[str, Sequence[dict[str, Any]]]


def materialise(
    root: Path, shards: Shards, state: str, stage: Stage = DEDUPLICATE, **dedup: Any
) -> Artifact:
    """The corpus of these shards in a store, after whatever the store has already."""
    scored = root / "scored" / state
    scored.mkdir(parents=True)
    for name, documents in shards.items():
        table = pa.Table.from_pylist(list(documents), schema=SCORED)
        pq.write_table(table, scored / f"{name}.parquet")
    return composed.materialise(
        root / "store", scored, state, dedup=Dedup(**dedup), stage=stage, pictures=False
    )


def family(number: int, members: int, generator: random.Random) -> list[dict[str, Any]]:
    """Copies of copies, so that first and last are joined by those between them alone."""
    text, documents = text_of(number, 200), []
    for member in range(members):
        identifier = f"{number:03d}-{member}"
        url = f"https://example.org/{generator.randrange(40)}"
        perplexity = generator.choice([2.0, 3.0])
        documents.append(document(identifier, text, url=url, perplexity=perplexity))
        text = edited(text[1:], generator.randrange(3))
    return documents


@pytest.mark.parametrize(
    "settings",
    [{}, {"exact": False, "bands": 40, "rows": 3}, {"url": True}, {"verify": False}],
    ids=["default", "near alone", "by url", "unverified"],
)
@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_and_goes_a_refresh_equals_a_run_from_scratch(
    tmp_path: Path, settings: dict[str, Any], seed: int
) -> None:
    generator = random.Random(seed)
    documents = [one for n in range(60) for one in family(n, 1 + n % 5, generator)]
    generator.shuffle(documents)
    shards = {f"web-{n:02d}": documents[n:140:14] for n in range(14)}
    waiting = documents[140:]
    for step in range(6):
        changed = {name: list(rows) for name, rows in shards.items()}
        if step % 3 == 1:  # new documents, before and between those of old shards
            changed[generator.choice(["a", "web-00-x", "z"]) + str(step)] = waiting[:12]
            waiting = waiting[12:]
        if step % 3 == 2:  # documents of one shard are taken down
            rows = changed[generator.choice(sorted(changed))]
            rows[:] = generator.sample(rows, len(rows) - 2)
        if step == 3:  # and a whole shard
            del changed[generator.choice(sorted(changed))]
        refreshed = materialise(tmp_path / "store", changed, str(step), **settings)
        alone = materialise(tmp_path / f"alone-{step}", changed, str(step), **settings)
        assert refreshed.content == alone.content
        shards = changed


@pytest.mark.parametrize("seed", range(2))
def test_however_little_is_in_memory_at_once_the_corpus_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    generator = random.Random(seed)
    documents = [one for n in range(60) for one in family(n, 1 + n % 5, generator)]
    shards = {f"web-{n:02d}": documents[n:150:7] for n in range(7)}
    more = {**shards, "web-new": documents[150:]}
    together = [materialise(tmp_path / "one", some, str(len(some))) for some in (shards, more)]
    monkeypatch.setattr(bands, "MOST_ENTRIES", 40)
    monkeypatch.setattr(bands, "WORTH_A_CALL", 500)
    for module in (pairs, near):
        monkeypatch.setattr(module, "MOST_PAIRS", 16)
    apart = [materialise(tmp_path / "two", some, str(len(some))) for some in (shards, more)]
    assert [one.content for one in apart] == [one.content for one in together]
    assert [one.metrics for one in apart] == [one.metrics for one in together]


def test_pairs_of_texts_that_are_gone_are_forgotten_when_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remembered(corpus: Artifact) -> int:
        return len(KnownPairs.read(corpus.path / "memory" / "pairs"))

    generator = random.Random(8)
    documents = [one for n in range(60) for one in family(n, 1 + n % 5, generator)]
    shards = {f"web-{n:02d}": documents[n::7] for n in range(7)}
    less = {name: rows for name, rows in shards.items() if name != "web-03"}
    for state in (shards, less):
        kept = materialise(tmp_path / "kept", state, str(len(state)))
    monkeypatch.setattr(near, "MOST_REMEMBERED", 0)
    for state in (shards, less):
        left_out = materialise(tmp_path / "left out", state, str(len(state)))
    assert left_out.content == kept.content
    assert left_out.metrics["near_duplicates"] <= remembered(left_out) < remembered(kept)
    again = materialise(tmp_path / "left out", shards, "again")
    assert again.content == materialise(tmp_path / "alone", shards, "again").content


def test_only_pairs_with_a_new_document_are_candidates(tmp_path: Path) -> None:
    rows = [document(f"own-{n:03d}", text_of(n)) for n in range(40)]
    copies = [document(f"copy-{n:03d}", edited(text_of(n), 2)) for n in range(5)]
    shards = {"a": rows, "b": copies}
    first = materialise(tmp_path, shards, "old")
    assert first.metrics["candidate_pairs"] == 5
    shards["f"] = [document("new", edited(text_of(7), 1))]
    second = materialise(tmp_path, shards, "new")
    assert (second.metrics["candidate_pairs"], second.metrics["compared_pairs"]) == (1, 1)
    assert second.metrics["near_duplicates"] == first.metrics["near_duplicates"] + 1


def test_a_cluster_that_lost_its_middle_is_looked_at_again(tmp_path: Path) -> None:
    first_text = text_of(1)
    middle = edited(first_text, 5)
    last = edited(middle, 4)
    rows = [document(f"own-{n:03d}", text_of(100 + n)) for n in range(40)]
    shards = {
        "a": rows,
        "b": [document("0", first_text)],
        "c": [document("1", middle)],
        "d": [document("2", last)],
    }
    settings: dict[str, Any] = {"bands": 40, "rows": 3}
    before = materialise(tmp_path, shards, "old", **settings)
    assert survivors(before.path) & set("012") == {"0"}
    del shards["c"]
    after = materialise(tmp_path, shards, "new", **settings)
    assert survivors(after.path) & set("012") == {"0", "2"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"threshold": 0.5}, {"threshold": 0.9}),
        ({"threshold": 0.9}, {"threshold": 0.5}),
        ({"verify": False}, {}),
        ({"seed": 2}, {}),
    ],
    ids=["higher", "lower", "verify", "seed"],
)
def test_clusters_of_another_recipe_are_not_taken_up(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    generator = random.Random(5)
    documents = [one for n in range(30) for one in family(n, 1 + n % 4, generator)]
    shards = {"a": documents[::2], "b": documents[1::2]}
    materialise(tmp_path / "store", shards, "old", **before)
    changed = materialise(tmp_path / "store", shards, "new", **after)
    assert changed.content == materialise(tmp_path / "alone", shards, "new", **after).content


@pytest.mark.parametrize("stage", [DEDUPLICATE, REPLAY], ids=lambda stage: stage.name)
def test_what_is_remembered_is_content_of_no_corpus(tmp_path: Path, stage: Stage) -> None:
    shards = {"a": [document(f"own-{n:03d}", text_of(n)) for n in range(40)]}
    rows = [document(f"copy-{n:03d}", edited(text_of(n), 2)) for n in range(5)]
    materialise(tmp_path / "store", shards, "old", stage)
    shards["b"] = rows
    refreshed = materialise(tmp_path / "store", shards, "new", stage)
    alone = materialise(tmp_path / "alone", shards, "new", stage)
    assert refreshed.content == alone.content
    assert (refreshed.path / "memory" / "clusters.npz").exists()
