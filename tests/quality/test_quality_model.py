"""The quality model is really fitted by lmplz and tells language from noise."""

from pathlib import Path

import numpy as np
import pytest

from nativize.artifact import standalone
from nativize.errors import ArtifactError, CorpusError, ToolMissingError
from nativize.quality import train_quality_model
from nativize.quality.lmplz import build_programs
from nativize.quality.model import BUCKET_NAMES, MODEL, Buckets, Scorer
from nativize.quality.programs import BUILD_COMMAND, find_program
from nativize.quality.text import model_lines
from nativize.recipe import Quality
from tests.quality.composed import JAPANESE, article, fit, shuffled, write_shard


@pytest.mark.parametrize("seed", range(5))
def test_natural_text_is_less_perplexing_than_the_same_characters_shuffled(
    model: Path, seed: int
) -> None:
    scorer = Scorer.open(model / MODEL, "characters")
    text = article(77_000 + seed)
    natural, noise = scorer.perplexity(text), scorer.perplexity(shuffled(text, seed))
    print(f"perplexity: natural {natural}, shuffled {noise}")
    assert natural * 3 < noise


def test_the_same_text_makes_the_same_model_bytes(
    filtered: Path, model: Path, tmp_path: Path
) -> None:
    fit(filtered, tmp_path / "again")
    assert (tmp_path / "again" / MODEL).read_bytes() == (model / MODEL).read_bytes()
    assert Buckets.read(tmp_path / "again") == Buckets.read(model)


def test_perplexity_is_per_unit_and_counts_the_end_of_each_line(model: Path) -> None:
    scorer = Scorer.open(model / MODEL, "characters")
    lines = model_lines("雨の日には\n先生は", "characters")
    logarithm = sum(scorer.model.score(line) for line in lines)
    assert scorer.perplexity("雨の日には\n先生は") == round(10 ** (-logarithm / (5 + 3 + 2)), 4)


def test_a_text_without_a_single_unit_is_infinitely_perplexing(model: Path) -> None:
    assert Scorer.open(model / MODEL, "characters").perplexity(" \n\t ") == float("inf")


def test_a_reference_of_words_may_hold_the_models_own_symbols(tmp_path: Path) -> None:
    sentence = "the small cat <s> sat </s> on <unk> the old mat near a warm stove"
    words = sentence.split()
    text = "\n".join(" ".join(words[i % 7 :] + words[: i % 5]) for i in range(200))
    write_shard(tmp_path / "in" / "a.parquet", [("a", "web", text)])
    fit(tmp_path / "in", tmp_path / "model", unit="words", reference_sources=())
    assert Scorer.open(tmp_path / "model" / MODEL, "words").perplexity("the old mat") < 50


def test_thresholds_part_the_sample_at_the_percentiles() -> None:
    buckets = Buckets.fit("characters", np.arange(1.0, 101.0), 0.3, 0.6)
    counts = {name: [buckets.of(p) for p in range(1, 101)].count(name) for name in BUCKET_NAMES}
    assert counts == {"head": 30, "middle": 30, "tail": 40}


def test_an_unknown_reference_source_is_named_with_those_there_are(
    filtered: Path, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match=r"books.*'encyclopedia': 48"):
        fit(filtered, tmp_path / "model", reference_sources=("books",))


def test_a_reference_that_is_too_small_is_an_error(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.parquet", [("a", "encyclopedia", "短い文です。")])
    with pytest.raises(CorpusError, match="at least 1000"):
        fit(tmp_path / "in", tmp_path / "model")


def test_the_reference_is_bounded(filtered: Path, tmp_path: Path) -> None:
    with standalone(tmp_path / "model") as place:
        report = train_quality_model(
            filtered,
            place,
            language=JAPANESE,
            quality=Quality(order=3, maximum_reference_characters=3_000),
        )
    assert 2_000 < report.metrics["reference_units"] <= 3_000


def test_a_missing_lmplz_names_the_command_that_builds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError, match=BUILD_COMMAND):
        find_program("lmplz-of-another-world")


def test_a_foreign_source_archive_is_never_compiled(tmp_path: Path) -> None:
    archive = tmp_path / "kenlm.tar.gz"
    archive.write_bytes(b"something else")
    with pytest.raises(Exception, match="SHA-256"):
        build_programs(tmp_path / "bin", source=archive)
    assert not (tmp_path / "bin").exists()


def test_a_damaged_model_says_what_to_materialise(tmp_path: Path) -> None:
    (tmp_path / MODEL).write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0")
    with pytest.raises(ArtifactError, match="materialise quality_model"):
        Scorer.open(tmp_path / MODEL, "characters")
