"""Real corpora and real tokenizers through the graph, from recipes of their own.

From the crawl to the extended model: books balance, and a vocabulary grows on the tokenizers of
LLaMA and GPT-NeoX under models of random weights. The crawl fixtures, damaged ones among them,
and two manuals always; all Japanese, Chinese and English text (250 MB) with NATIVIZE_SLOW=1, which
takes some minutes.
"""

import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import zstandard
from dagster import AssetKey, AssetSelection, DagsterInstance
from transformers import LlamaConfig, LlamaForCausalLM

from dagster_project.definitions import build_definitions, walk_of
from dagster_project.instance import ensure_instance
from nativize.artifact import Accounts, Artifact
from nativize.crawl import count_documents
from nativize.dedup.corpus import count_kept
from nativize.model.directory import save_model
from nativize.recipe import Recipe, load_recipe
from nativize.vocabulary import load_encoder, read_sizes

RECIPES = Path(__file__).with_name("shared")
STAGES = ("raw_crawl", "filtered_shards", "scored_shards", "deduplicated_corpus")
VOCABULARY = ("merged_vocabulary", "vocabulary_report", "extended_model")
TOKENIZERS = {
    "llama2": "llama2/tokenizer.model",
    "gpt-neox": "gpt2/gpt-neo-tokenizer.json",
}
ROWS = {"llama2": 32_000, "gpt-neox": 50_432}
"""Of the embedding; GPT-NeoX pads 50,280 ids."""
MANUALS = ("ja_docs_rustbook", "ja_docs_vue")


@pytest.fixture(scope="module")
def place(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with data/ (what lies beside the project), bases/ and a home of its own."""
    directory = tmp_path_factory.mktemp("shared")
    (directory / "data").symlink_to(shared_data.resolve())
    for name, rows in ROWS.items():
        write_base(directory / "bases" / name, directory / "data" / "tokenizers", name, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATIVIZE_HOME", str(directory / "home"))
        patch.delenv("DAGSTER_HOME", raising=False)
        ensure_instance()
        yield directory


@pytest.fixture(scope="module")
def manuals(place: Path) -> Path:
    """The same with two small packs below text/."""
    return unpack(place, MANUALS)


@pytest.fixture(scope="module")
def unpacked(place: Path) -> Path:
    """The same with text/, where all packs of original files are unpacked."""
    if not os.environ.get("NATIVIZE_SLOW"):
        pytest.skip("250 MB of text take minutes; set NATIVIZE_SLOW=1")
    packs = sorted((place / "data" / "text").glob("*.tar.zst"))
    return unpack(place, [pack.name.removesuffix(".tar.zst") for pack in packs])


def unpack(place: Path, names: Sequence[str]) -> Path:
    for name in names:
        with (
            (place / "data" / "text" / f"{name}.tar.zst").open("rb") as stream,
            zstandard.ZstdDecompressor().stream_reader(stream) as plain,
            tarfile.open(fileobj=plain, mode="r|") as archive,
        ):
            archive.extractall(place / "text" / name, filter="data")
    return place


def write_base(directory: Path, tokenizers: Path, name: str, rows: int) -> None:
    """A tiny random LLaMA with a real tokenizer."""
    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=name == "gpt-neox",
    )
    torch.manual_seed(1)
    save_model(LlamaForCausalLM(config), directory)
    source = tokenizers / TOKENIZERS[name]
    shutil.copyfile(source, directory / f"tokenizer{source.suffix}")


def walked(directory: Path, name: str, base: str = "") -> dict[str, Artifact]:
    """A recipe's values up to the extended model, made by Dagster, its checks passed."""
    text = (RECIPES / f"{name}.toml").read_text("utf-8")
    if base:
        text = text.replace("bases/llama2", f"bases/{base}")
    (directory / f"{name}.toml").write_text(text, "utf-8")
    recipe: Recipe = load_recipe(directory / f"{name}.toml")
    definitions = build_definitions(recipe)
    wanted = AssetSelection.assets(*VOCABULARY).upstream()
    keys: set[AssetKey] = wanted.resolve(definitions.resolve_asset_graph())
    with DagsterInstance.get() as instance:
        job = definitions.resolve_job_def("whole_road")
        result = job.execute_in_process(
            instance=instance, raise_on_error=True, asset_selection=sorted(keys)
        )
    checks = result.get_asset_check_evaluations()
    assert {check.asset_key.to_user_string() for check in checks} >= set(STAGES)
    assert all(check.passed for check in checks)
    store = walk_of(recipe).store
    names = (*STAGES, "replay_corpus", "base_model", *VOCABULARY)
    return {stage: store.current(stage) for stage in names}


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


def grown(made: dict[str, Artifact], *, least_pieces: int) -> None:
    """The vocabulary grew, hurt nothing, and every size is the same; a kept one is the base's."""
    figures = made["merged_vocabulary"].metrics
    sizes = read_sizes(made["merged_vocabulary"].path)
    assert sizes.new_pieces >= least_pieces
    assert figures["old_lines"] > 500
    for broken in ("old_lines_changed", "round_trip_failures", "own_disagreements", "unreachable"):
        assert figures[broken] == 0
    fell = figures["new_tokens_per_character_after"] / figures["new_tokens_per_character_before"]
    assert fell < 0.8
    equal(made)
    print({name: value for name, value in made["vocabulary_report"].metrics.items()})


def equal(made: dict[str, Artifact]) -> None:
    """Vocabulary, report and model tell of the same ids."""
    sizes = read_sizes(made["merged_vocabulary"].path)
    assert made["vocabulary_report"].metrics["new_pieces"] == sizes.new_pieces
    assert made["vocabulary_report"].metrics["unreachable"] == 0
    assert made["extended_model"].metrics["vocabulary_size"] == sizes.padded_size
    assert load_encoder(made["base_model"].path).size == sizes.base_size
    for name in ("tokens.png", "lines.json", "pieces.json"):
        assert (made["vocabulary_report"].path / "report" / name).exists()


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
    equal(made)


@pytest.mark.parametrize("base", ROWS)
def test_manuals_add_pieces_to_a_real_tokenizer_in_the_graph(manuals: Path, base: str) -> None:
    made = walked(manuals, "shared-vocabulary", base)
    balanced(made)
    grown(made, least_pieces=1_500)


@pytest.mark.parametrize(
    ("name", "least_characters", "least_pieces"),
    [
        ("shared-ja", 15_000_000, 12_000),
        ("shared-zh", 8_000_000, 4_000),
        ("shared-en", 8_000_000, 0),
    ],
)
def test_all_text_of_a_language_goes_through_the_graph(
    unpacked: Path, name: str, least_characters: int, least_pieces: int
) -> None:
    made = walked(unpacked, name)
    balanced(made)
    assert books(made["filtered_shards"]).kept.characters > least_characters
    assert books(made["deduplicated_corpus"]).kept.documents > 100
    if least_pieces:
        grown(made, least_pieces=least_pieces)
    else:
        equal(made)
