"""Real corpora through the graph, from recipes of their own; their books balance.

The crawl fixtures, damaged ones among them, always; all Japanese, Chinese and English text
(250 MB) with NATIVIZE_SLOW=1, which takes some minutes.
"""

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from dagster import DagsterInstance

from dagster_project.definitions import build_definitions, walk_of
from dagster_project.instance import ensure_instance
from nativize.artifact import Accounts, Artifact
from nativize.crawl import count_documents
from nativize.dedup.corpus import count_kept
from nativize.recipe import Recipe, load_recipe

RECIPES = Path(__file__).with_name("shared")
STAGES = ("raw_crawl", "filtered_shards", "scored_shards", "deduplicated_corpus")
TEXTS = ("shared-ja", "shared-zh", "shared-en")


@pytest.fixture(scope="session")
def place(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with data/ (what lies beside the project) and a home of its own."""
    directory = tmp_path_factory.mktemp("shared")
    (directory / "data").symlink_to(shared_data.resolve())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATIVIZE_HOME", str(directory / "home"))
        patch.delenv("DAGSTER_HOME", raising=False)
        ensure_instance()
        yield directory


@pytest.fixture(scope="session")
def unpacked(place: Path) -> Path:
    """The same with text/, where the packs of original files are unpacked."""
    if not os.environ.get("NATIVIZE_SLOW"):
        pytest.skip("250 MB of text take minutes; set NATIVIZE_SLOW=1")
    for pack in sorted((place / "data" / "text").glob("*.tar.zst")):
        with (
            pack.open("rb") as stream,
            zstandard.ZstdDecompressor().stream_reader(stream) as plain,
            tarfile.open(fileobj=plain, mode="r|") as archive,
        ):
            archive.extractall(place / "text" / pack.name.removesuffix(".tar.zst"), filter="data")
    return place


def walked(directory: Path, name: str) -> dict[str, Artifact]:
    """The corpus of a recipe, made by Dagster, its checks passed."""
    shutil.copyfile(RECIPES / f"{name}.toml", directory / f"{name}.toml")
    recipe: Recipe = load_recipe(directory / f"{name}.toml")
    with DagsterInstance.get() as instance:
        job = build_definitions(recipe).resolve_job_def("corpus_refresh")
        result = job.execute_in_process(instance=instance, raise_on_error=True)
    checks = result.get_asset_check_evaluations()
    assert {check.asset_key.to_user_string() for check in checks} >= set(STAGES)
    assert all(check.passed for check in checks)
    store = walk_of(recipe).store
    return {stage: store.current(stage) for stage in (*STAGES, "replay_corpus")}


def books(artifact: Artifact) -> Accounts:
    accounts = artifact.report.accounts
    assert accounts is not None
    accounts.verify(artifact.record.stage)
    return accounts


def balanced(made: dict[str, Artifact]) -> None:
    """What one stage kept is what the next was given, and lies on disk."""
    for before, after in pairwise(STAGES):
        assert books(made[before]).kept.documents == books(made[after]).entered.documents
    for stage in STAGES:
        kept = books(made[stage]).kept.documents
        counted = count_kept if stage == "deduplicated_corpus" else count_documents
        assert counted(made[stage].path) == kept
        print(stage, made[stage].report.accounts)


def quarantined(artifact: Artifact) -> list[dict[str, object]]:
    lists = sorted(artifact.path.glob("*.quarantine.jsonl"))
    return [json.loads(line) for path in lists for line in path.read_text("utf-8").splitlines()]


def test_every_crawl_fixture_goes_through_the_graph(place: Path) -> None:
    made = walked(place, "shared-crawl")
    balanced(made)
    damage = quarantined(made["raw_crawl"])
    assert len(damage) == books(made["raw_crawl"]).quarantined.documents
    assert all(row["file"] and row["reason"] and row["offset"] is not None for row in damage)
    broken = {str(row["file"]).rsplit("/", 1)[-1] for row in damage}
    assert {"bad.arc", "example-trunc.warc"} <= broken
    assert books(made["deduplicated_corpus"]).kept.documents >= 20


@pytest.mark.parametrize(
    ("name", "least_characters"),
    [("shared-ja", 15_000_000), ("shared-zh", 8_000_000), ("shared-en", 8_000_000)],
)
def test_all_text_of_a_language_goes_through_the_graph(
    unpacked: Path, name: str, least_characters: int
) -> None:
    made = walked(unpacked, name)
    balanced(made)
    assert books(made["filtered_shards"]).kept.characters > least_characters
    assert books(made["deduplicated_corpus"]).kept.documents > 100
