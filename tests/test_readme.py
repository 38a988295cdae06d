"""The README's figures are those that were recorded, and its links lead somewhere."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmarks import corpus, dedup, record, training_tables, vocabulary_tables
from nativize.recipe import Clean, Crawl, Dedup, Quality, Recipe, Trainer, TrainStage

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize(
    ("name", "benchmark"),
    [
        ("corpus", corpus),
        ("dedup", dedup),
        ("vocabulary", vocabulary_tables),
    ],
)
def test_a_benchmarks_table_is_the_recorded_one(name: str, benchmark: Any) -> None:
    recorded = ROOT / "benchmarks" / "results" / f"{name}-linux-x86_64.json"
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.split(benchmark.README_BEGIN)[1].split(benchmark.README_END)[0]
    assert table.strip() == benchmark.readme_table(json.loads(recorded.read_text("utf-8")))


def test_the_table_of_training_is_the_recorded_one_of_both_machines() -> None:
    names = {"cpu": "training", "cuda": "training-gpu"}
    recorded = {device: record.read_results(name) for device, name in names.items()}
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.split(training_tables.README_BEGIN)[1].split(training_tables.README_END)[0]
    assert table.strip() == training_tables.readme_table(recorded)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8"))
    local = [link for link in links if not link.startswith(("http:", "https:"))]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_the_recipes_shown_are_recipes() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    crawl, rest, dedup_section, training = map(tomllib.loads, blocks)
    assert [TrainStage.model_validate(stage).schedule for stage in training["stage"]] == ["wsd"]
    assert Trainer.model_validate(training["trainer"]).zero_stage == 3
    assert Dedup.model_validate(dedup_section["dedup"]).lines is not None
    assert len(Crawl.model_validate(crawl["crawl"]).source) == 3
    assert Clean.model_validate(rest["clean"]).hojichar is False
    assert Quality.model_validate(rest["quality"]).bucket_shares.tail == 0.0
    assert set(rest) - {"clean", "quality"} <= set(Recipe.model_fields)
