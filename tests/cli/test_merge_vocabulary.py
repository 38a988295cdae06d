"""`nativize merge-vocabulary`: files or directories in, a tokenizer and what became of it out."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nativize.cli import main
from nativize.vocabulary import load_encoder, read_sizes
from tests.vocabulary.byte_level_base import write_byte_level_base
from tests.vocabulary.composed import ENGLISH, sentences, write_workshop

CHINESE_LLAMA = "e2676d4ca29ca1750f6ff203328d73b189321dc5776ceede037cbd36541d70c0"
CHINESE_ALPACA = "2d967e855b1213a439df6c8ce2791f869c84b4f3b6cfacf22b86440b8192a2f8"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("workshop")
    write_workshop(root)
    return root


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["merge-vocabulary", *map(str, arguments)])


def merged(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    metrics: dict[str, Any] = json.loads(result.stdout)["metrics"]
    return metrics


def files(workshop: Path) -> list[object]:
    names = (("--base", "base"), ("--pieces", "tokenizer"))
    return [part for option, name in names for part in (option, workshop / name)]


def test_directories_and_files_make_the_same_tokenizer(workshop: Path, tmp_path: Path) -> None:
    base, pieces = (workshop / name / "tokenizer.model" for name in ("base", "tokenizer"))
    shutil.copyfile(pieces, tmp_path / "any_name.model")
    of_directories = merged(*files(workshop), "-o", tmp_path / "a")
    of_files = merged("--base", base, "--pieces", tmp_path / "any_name.model", "-o", tmp_path / "b")
    assert of_directories == of_files
    written = {path.name for path in (tmp_path / "b").iterdir() if path.is_file()}
    assert {"tokenizer.model", "tokenizer.json", "tokenizer_config.json"} <= written


def test_without_corpora_the_gates_run_on_probe_text_and_the_command_says_so(
    workshop: Path, tmp_path: Path
) -> None:
    result = run(*files(workshop), "-o", tmp_path / "out")
    assert "probe text only for want of --corpus and --replay" in result.stdout
    assert "tokens per character" not in result.stdout


def test_with_corpora_the_gates_run_on_them(workshop: Path, tmp_path: Path) -> None:
    corpora = ["--corpus", workshop / "new", "--replay", workshop / "old"]
    result = run(*files(workshop), *corpora, "-o", tmp_path / "out")
    assert "lines of both corpora" in result.stdout
    assert "new: tokens per character" in result.stdout
    sized = ["-o", tmp_path / "again", "--pad-to-multiple", 64]
    merged(*files(workshop), *corpora, *sized)
    digests = [
        hashlib.sha256((path / "tokenizer.model").read_bytes()).hexdigest()
        for path in (tmp_path / "again", workshop / "merged")
    ]
    assert digests[0] == digests[1]


def test_without_corpora_old_text_keeps_its_ids_too(workshop: Path, tmp_path: Path) -> None:
    metrics = merged(*files(workshop), "-o", tmp_path / "out")
    assert metrics["old_lines"] > 1_000
    assert metrics["old_lines_changed"] == metrics["own_disagreements"] == 0
    before, after = load_encoder(workshop / "base"), load_encoder(tmp_path / "out")
    assert before.encode(sentences(ENGLISH)) == after.encode(sentences(ENGLISH))


def test_it_ends_with_sizes_pieces_reasons_and_digests(workshop: Path, tmp_path: Path) -> None:
    result = run(*files(workshop), "-o", tmp_path / "out")
    sizes = read_sizes(tmp_path / "out")
    digest = hashlib.sha256((tmp_path / "out" / "tokenizer.model").read_bytes()).hexdigest()
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "base 400 ids" in lines
    assert f"pieces added {sizes.new_pieces}" in lines
    assert f"size {sizes.size} ids, padded to {sizes.padded_size}" in lines
    assert any(line.startswith("dropped: in the base already") for line in lines)
    assert f"tokenizer.model SHA-256 {digest}" in lines


def test_pieces_offered_are_added_or_dropped(workshop: Path, tmp_path: Path) -> None:
    for mode in ("rank", "classic"):
        result = run(*files(workshop), "--mode", mode, "-o", tmp_path / mode)
        counts = {
            name.strip(): int(number.replace(",", ""))
            for name, number in (line.rsplit(maxsplit=1) for line in result.stdout.splitlines())
            if name.strip().startswith(("pieces", "dropped"))
        }
        dropped = sum(count for name, count in counts.items() if name.startswith("dropped"))
        assert counts["pieces offered"] == counts["pieces added"] + dropped > 100


def test_the_merge_that_chinese_llama_published(shared_data: Path, tmp_path: Path) -> None:
    tokenizers = shared_data / "tokenizers"
    given = [
        *("--base", tokenizers / "llama2/tokenizer.model"),
        *("--pieces", tokenizers / "chinese_llama/chinese_sp.model"),
        *("--mode", "classic"),
    ]
    metrics = merged(*given, "-o", tmp_path / "llama")
    assert metrics["size"] == metrics["padded_size"] == 49_953
    assert metrics["sha256"]["tokenizer.model"] == CHINESE_LLAMA
    metrics = merged(*given, "--pad-token", "[PAD]", "-o", tmp_path / "alpaca")
    assert metrics["padded_size"] == 49_954
    assert metrics["sha256"]["tokenizer.model"] == CHINESE_ALPACA


def test_a_pad_token_is_the_one_that_transformers_pads_with(workshop: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    merged(*files(workshop), "--mode", "classic", "--pad-token", "[PAD]", "-o", tmp_path / "out")
    (tmp_path / "out" / "config.json").write_text('{"model_type": "llama"}')
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    last = read_sizes(tmp_path / "out").size - 1
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("[PAD]", last)
    assert len(tokenizer) == last + 1


def test_tokens_beside_the_bases_model_are_kept_and_named(workshop: Path, tmp_path: Path) -> None:
    shutil.copytree(workshop / "base", tmp_path / "base")
    added = [{"id": 400, "content": "<|end|>", "special": True}]
    (tmp_path / "base" / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    result = run(*files(workshop), "--base", tmp_path / "base", "-o", tmp_path / "out")
    assert "401 ids, 1 of them in tokenizer.json alone" in result.stdout


def test_a_byte_level_base_may_be_its_tokenizer_json_alone(workshop: Path, tmp_path: Path) -> None:
    base = write_byte_level_base(tmp_path / "base", "gpt2") / "tokenizer.json"
    given = ["--base", base, "--pieces", workshop / "tokenizer"]
    result = run(*given, "--corpus", workshop / "new", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "pieces wanted" in result.stdout
    assert "probe text only for want of --replay" in result.stdout
    assert 0 < read_sizes(tmp_path / "out").new_pieces <= 157
    assert load_encoder(tmp_path / "out").size == read_sizes(tmp_path / "out").padded_size


def test_mode_none_needs_no_pieces(workshop: Path, shared_data: Path, tmp_path: Path) -> None:
    base = shared_data / "tokenizers/gpt2/gpt-neo-tokenizer.json"
    metrics = merged("--base", base, "--mode", "none", "-o", tmp_path / "out")
    assert (metrics["size"], metrics["new_pieces"]) == (50_280, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "--mode rank needs --pieces"),
        (("--mode", "none", "--pad-token", "[PAD]"), 2, "--pad-token is for --mode classic"),
        (("--pieces", "."), 1, "tokenizer.model: no sentencepiece model"),
    ],
)
def test_what_is_missing_is_named(
    workshop: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run("--base", workshop / "base", *arguments, "-o", tmp_path / "out")
    assert result.exit_code == code
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_an_error_names_the_file_that_was_given(workshop: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.model"
    shutil.copyfile(workshop / "base" / "tokenizer.model", base)
    pieces = workshop / "tokenizer" / "tokenizer.model"
    twice = run("--base", pieces, "--pieces", pieces, "-o", tmp_path / "out")
    assert twice.exit_code == 1
    assert str(pieces) in twice.output
    assert "scratch" not in twice.output


def test_a_pad_token_that_is_a_piece_already_is_refused(workshop: Path, tmp_path: Path) -> None:
    given = [*files(workshop), "--mode", "classic", "--pad-token", "東"]
    result = run(*given, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "'東' is a piece of it" in result.output


def test_a_byte_level_base_learns_from_the_corpus_and_asks_for_it(
    workshop: Path, tmp_path: Path
) -> None:
    base = write_byte_level_base(tmp_path / "base", "qwen2")
    given = ("--base", base, "--pieces", workshop / "tokenizer")
    refused = run(*given, "-o", tmp_path / "refused")
    assert refused.exit_code == 2
    assert "name its --corpus" in refused.output
    assert not (tmp_path / "refused").exists()
    result = run(*given, "--corpus", workshop / "new", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert read_sizes(tmp_path / "out").new_pieces > 100
    assert not (tmp_path / "out" / "tokenizer.model").exists()
