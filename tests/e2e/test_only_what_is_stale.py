"""Promise 3: never a stale result, never needless work. A real instance, a real road, tiny."""

import dataclasses
import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import assets.corpus
from assets.from_stage import books
from nativize.sample import add_crawl_file
from tests.traveller import Traveller, built

CORPUS = {"raw_crawl", "filtered_shards", "scored_shards", "deduplicated_corpus"}
FROM_LORA = {
    "lora_checkpoints",
    "pretrained_model",
    "sft_checkpoints",
    "sft_model",
    "gguf_export",
    "evaluation_report",
}
FITTED = {"quality_model", "vocabulary_curve", "tokenizer", "base_model", "merged_vocabulary"}
EVERYTHING = (
    CORPUS
    | FITTED
    | FROM_LORA
    | {"replay_corpus", "vocabulary_report", "token_shards", "extended_model"}
    | {"embedding_checkpoints", "instruction_data"}
)


def test_the_first_walk_builds_everything(traveller: Traveller) -> None:
    assert built(traveller.first) == set(traveller.first) == EVERYTHING


def test_the_second_walk_reuses_everything_and_says_why(traveller: Traveller) -> None:
    result = traveller.run()
    metadata = [e.materialization.metadata for e in result.get_asset_materialization_events()]
    assert len(metadata) == len(EVERYTHING)
    assert all(entry["reused"].value for entry in metadata)
    assert {entry["why"].value for entry in metadata} == {
        "- same fingerprint: nothing it reads changed"
    }
    assert traveller.stale() == set()


def test_a_new_crawl_file_costs_its_shard_and_what_its_text_touches(traveller: Traveller) -> None:
    add_crawl_file(traveller.sample, number=900, documents=30)
    untouched = FITTED | {"replay_corpus", "instruction_data", "extended_model"}
    assert built(traveller.walk()) == EVERYTHING - untouched
    for stage in ("raw_crawl", "filtered_shards", "scored_shards"):
        assert traveller.store.current(stage).metrics["shards_built"] == 1
    kept = traveller.store.current("tokenizer")
    corpus = traveller.store.current("deduplicated_corpus")
    assert kept.record.payload["inputs"]["deduplicated_corpus"] != corpus.content


def test_a_document_that_the_filter_drops_stops_the_wave(traveller: Traveller) -> None:
    path = traveller.sample / "crawl" / "jsonl" / "spam.jsonl"
    path.write_text('{"text": "buy", "url": "https://shop.example/"}\n', encoding="utf-8")
    assert built(traveller.walk()) == {"raw_crawl", "filtered_shards"}
    why = traveller.store.current("raw_crawl").record.why
    assert any("spam.jsonl: nothing →" in line for line in why)


def test_a_touched_file_with_the_same_content_costs_nothing(traveller: Traveller) -> None:
    for path in traveller.sample.glob("crawl/*/*"):
        os.utime(path)
    assert built(traveller.walk()) == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[quality]", "# a comment\n[quality]"),
        ("[quality]", "[engine]\nworkers = 1\n[quality]"),
        ("log_every_steps = 2", "log_every_steps = 1"),
        ('path = "sample/crawl/*/*"', 'path = "./sample/crawl/*/*"'),
    ],
    ids=["comment", "workers", "logging", "path"],
)
def test_what_is_execution_costs_nothing(traveller: Traveller, old: str, new: str) -> None:
    traveller.edit(old, new)
    assert traveller.stale() == set()
    assert built(traveller.walk()) == set()


def test_a_learning_rate_costs_its_training_and_what_follows(traveller: Traveller) -> None:
    traveller.edit("learning_rate = 2e-3", "learning_rate = 1e-3")
    assert "lora_checkpoints" in traveller.stale()
    assert built(traveller.walk()) == FROM_LORA
    why = traveller.store.current("lora_checkpoints").record.why
    assert why == ["recipe.stage.lora.learning_rate: 0.002 → 0.001"]
    traveller.edit("learning_rate = 1e-3", "learning_rate = 2e-3")
    assert built(traveller.walk()) == set()
    assert traveller.stale() == set()


@pytest.mark.parametrize(
    ("trainable", "trainer"), [("freeze", ""), ("full", "processes = 2\nzero_stage = 2\n")]
)
def test_another_trainable_set_is_one_word_and_other_processes_make_nothing_stale(
    traveller: Traveller, trainable: str, trainer: str
) -> None:
    traveller.edit("[trainer]\n", f"[trainer]\n{trainer}")
    assert built(traveller.walk()) == set()
    traveller.edit('trainable = "lora"', f'trainable = "{trainable}"')
    assert built(traveller.walk()) == FROM_LORA
    metrics = traveller.store.current("lora_checkpoints").metrics
    assert (metrics["trainable_share"] == 1.0) == (trainable == "full")
    assert metrics["bits_per_byte_new"] > 0 and metrics["tokens_per_second"] > 0


def test_a_new_version_with_equal_output_costs_that_stage_alone(
    traveller: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    bumped = dataclasses.replace(assets.corpus.FILTER, version=999)
    monkeypatch.setattr(assets.corpus, "FILTER", bumped)
    assert built(traveller.walk()) == {"filtered_shards"}


def test_a_changed_filter_reaches_what_its_output_touches(traveller: Traveller) -> None:
    traveller.edit("[quality]", "[clean.length]\nminimum_characters = 500\n[quality]")
    outcome = built(traveller.walk())
    assert {"filtered_shards", "scored_shards", "deduplicated_corpus"} <= outcome
    assert not {"raw_crawl", "replay_corpus", "base_model", "instruction_data"} & outcome


def test_force_builds_again_and_equal_content_stops_there(traveller: Traveller) -> None:
    assert built(traveller.walk(force=("filtered_shards", "tokenizer"))) == {
        "filtered_shards",
        "tokenizer",
    }


def test_the_nightly_job_walks_the_corpus_alone(traveller: Traveller) -> None:
    add_crawl_file(traveller.sample, number=901, documents=20)
    outcome = traveller.walk("corpus_refresh")
    assert set(outcome) == CORPUS | {"quality_model", "replay_corpus"}
    assert built(outcome) == CORPUS


def test_the_books_of_every_stage_that_documents_pass_are_checked(traveller: Traveller) -> None:
    evaluations = traveller.run().get_asset_check_evaluations()
    assert {e.asset_key.to_user_string() for e in evaluations} == CORPUS | {"replay_corpus"}
    assert all(evaluation.passed for evaluation in evaluations)


def test_a_document_lost_on_disk_fails_the_check(traveller: Traveller, tmp_path: Path) -> None:
    value = traveller.store.current("filtered_shards")
    copy = dataclasses.replace(value, path=tmp_path / "copy")
    shutil.copytree(value.path, copy.path)
    assert books(copy, [traveller.store.current("raw_crawl")]).passed
    shard = next(path for path in copy.path.glob("*.parquet"))
    pq.write_table(pq.read_table(shard).slice(1), shard)
    assert not books(copy, [traveller.store.current("raw_crawl")]).passed
