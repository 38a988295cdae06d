"""Every stage is also a command: on files and directories, without the graph."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from nativize.cli import main
from tests.traveller import Traveller
from tests.vocabulary.composed import JAPANESE, documents, write_corpus

COMMANDS = (
    *("plan", "clean", "score", "dedup", "write-corpus", "train-tokenizer", "merge-vocabulary"),
    *("tokenize", "train", "merge-adapter", "export-gguf", "evaluate", "why", "gc"),
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def made(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    report: dict[str, object] = json.loads(result.stdout)
    return report


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_overview_lists_every_command() -> None:
    assert all(command in run("--help").output for command in COMMANDS)


def test_text_goes_from_crawl_files_to_a_deduplicated_corpus(
    traveller: Traveller, tmp_path: Path
) -> None:
    files = sorted((traveller.sample / "crawl" / "jsonl").iterdir())
    japanese = ["--language", "ja", "--json"]
    clean = made(run("clean", *files, *japanese, "-o", tmp_path / "clean"))
    options = [*japanese, "--model", tmp_path / "model"]
    made(run("score", tmp_path / "clean", *options, "-o", tmp_path / "scored"))
    held = traveller.sample / "instruction" / "heldout.jsonl"
    steps = [*japanese, "--url", "--lines", 10, "--evaluation", held]
    dedup = made(run("dedup", tmp_path / "scored", *steps, "-o", tmp_path / "corpus"))
    assert clean["accounts"]["kept"]["documents"] == dedup["accounts"]["entered"]["documents"]
    dropped = dedup["accounts"]["dropped"]
    assert all(dropped[reason]["documents"] for reason in ("exact_duplicate", "contaminated"))
    plain = made(run("write-corpus", tmp_path / "corpus", "--json", "-o", tmp_path / "plain"))
    for split in ("train", "heldout"):
        files = sorted((tmp_path / "plain" / split).glob("*.parquet"))
        rows = sum(pq.read_metadata(path).num_rows for path in files)
        assert rows == plain["metrics"][f"{split}_documents"]
    kept = plain["metrics"]["train_documents"] + plain["metrics"]["heldout_documents"]
    assert kept == dedup["accounts"]["kept"]["documents"]


def test_a_corpus_is_written_as_plain_files_for_other_tools(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", JAPANESE)
    report = made(run("write-corpus", corpus, "-o", tmp_path / "plain", "--json"))
    texts = documents(JAPANESE)
    assert report["metrics"]["train_documents"] == len(texts) - 2
    table = pq.read_table(tmp_path / "plain" / "heldout" / "part-0.parquet")
    assert table["text"].to_pylist() == texts[-2:]
    train = sorted((tmp_path / "plain" / "train").iterdir())
    assert [path.name for path in train] == [f"part-{shard}.parquet" for shard in range(3)]
    assert pq.read_table(train[1])["text"].to_pylist() == texts[1:-2:3]


def test_vocabulary_tokens_and_models_are_made_from_directories(
    traveller: Traveller, tmp_path: Path
) -> None:
    value = {name: traveller.store.current(name).path for name in traveller.first}
    corpora = [
        *("--corpus", value["deduplicated_corpus"]),
        *("--replay", value["replay_corpus"]),
        "--json",
    ]
    pieces, vocabulary, tokens = (tmp_path / name for name in ("pieces", "vocabulary", "tokens"))
    made(
        run("train-tokenizer", value["deduplicated_corpus"], "--size", 1100, "-o", pieces, "--json")
    )
    base = ["--base", value["base_model"], "--pieces", pieces]
    merged = made(run("merge-vocabulary", *base, *corpora, "-o", vocabulary))
    assert merged["metrics"]["old_lines_changed"] == 0
    made(run("tokenize", vocabulary, "--sequence-length", 64, *corpora, "-o", tokens))
    model = ["--model", value["extended_model"]]
    recipe = ["--recipe", traveller.recipe_path]
    trained = tmp_path / "trained"
    made(run("train", "lora", *model, *recipe, "--tokens", tokens, "-o", trained, "--json"))
    made(run("merge-adapter", trained, *model, "-o", tmp_path / "merged", "--json"))
    gguf = made(run("export-gguf", tmp_path / "merged", *corpora, "-o", tmp_path / "gguf"))
    assert Path(str(gguf["output"]), "model-f16.gguf").stat().st_size > 0
    limit = ["--maximum-tokens", 1_000]
    scores = made(run("evaluate", value["base_model"], *corpora, *limit, "-o", tmp_path / "scores"))
    assert scores["metrics"]["bits_per_byte_new_" + value["base_model"].name] > 0


def test_plan_and_why_say_what_a_change_costs(traveller: Traveller) -> None:
    home = ["--home", traveller.home / "nativize", "--json"]
    rows = json.loads(run("plan", traveller.recipe_path, *home).stdout)["stages"]
    assert {row["state"] for row in rows} == {"current"}
    traveller.edit("learning_rate = 2e-3", "learning_rate = 7e-3")
    states = {
        row["stage"]: row["state"]
        for row in json.loads(run("plan", traveller.recipe_path, *home).stdout)["stages"]
    }
    assert states["embedding_checkpoints"] == "current"
    assert (states["lora_checkpoints"], states["gguf_export"]) == ("build", "follows")
    recipe = ["--recipe", traveller.recipe_path]
    reason = json.loads(run("why", "lora_checkpoints", *recipe, *home).stdout)
    assert reason["because"] == ["recipe.stage.lora.learning_rate: 0.002 → 0.007"]


def test_gc_only_says_what_it_would_remove_until_told(traveller: Traveller) -> None:
    home = ["--home", traveller.home / "nativize", "--json"]
    before = sorted((traveller.store.root / "values").rglob("record.json"))
    assert json.loads(run("gc", "--keep", 1, *home).stdout)["removed"] is False
    assert sorted((traveller.store.root / "values").rglob("record.json")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "nowhere.toml"), "nowhere.toml: no such recipe"),
        (("why", "no_such_asset"), "no such asset"),
        (("clean", "missing.warc.gz", "--language", "ja", "-o", "out"), "missing.warc.gz"),
        (("write-corpus", ".", "-o", "out"), "no shards/*.parquet"),
    ],
)
def test_what_can_be_mended_ends_with_one_message_and_code_1(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    runner = CliRunner(
        env={"NATIVIZE_RECIPE": str(Path(__file__).parents[2] / "recipes/demo.toml")}
    )
    with runner.isolated_filesystem(tmp_path):
        result = runner.invoke(main, list(arguments))
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
