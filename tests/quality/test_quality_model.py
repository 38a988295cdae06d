"""The quality model is really fitted by lmplz and tells language from noise."""

import shutil
from pathlib import Path

import kenlm
import numpy as np
import pytest

from nativize.artifact import file_digests, standalone
from nativize.errors import ArtifactError, CorpusError, ToolMissingError
from nativize.quality import train_quality_model
from nativize.quality.lmplz import build_programs, require_programs
from nativize.quality.model import BUCKETS, MODEL, Buckets, Scorer
from nativize.quality.pieces import PIECES
from nativize.quality.programs import BUILD_COMMAND, find_program
from nativize.quality.text import Unit, units_in
from nativize.recipe import Quality
from tests.quality.composed import JAPANESE, article, fit, shuffled, write_shard


@pytest.mark.parametrize("seed", range(5))
def test_natural_text_is_less_perplexing_than_the_same_characters_shuffled(
    model: Path, seed: int
) -> None:
    scorer = Scorer.open(model, "characters")
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
    scorer = Scorer.open(model, "characters")
    lines = ["雨 の 日 に は", "先 生 は"]
    logarithm = sum(scorer.model.score(line) for line in lines)
    assert scorer.perplexity("雨の日には\n先生は") == round(10 ** (-logarithm / (5 + 3 + 2)), 4)


def test_a_text_without_a_single_unit_is_infinitely_perplexing(model: Path) -> None:
    assert Scorer.open(model, "characters").perplexity(" \n\t ") == float("inf")


def test_a_reference_of_words_may_hold_the_models_own_symbols(tmp_path: Path) -> None:
    sentence = "the small cat <s> sat </s> on <unk> the old mat near a warm stove"
    words = sentence.split()
    text = "\n".join(" ".join(words[i % 7 :] + words[: i % 5]) for i in range(200))
    write_shard(tmp_path / "in" / "a.parquet", [("a", "web", text)])
    fit(tmp_path / "in", tmp_path / "model", unit="words", reference_sources=())
    assert Scorer.open(tmp_path / "model", "words").perplexity("the old mat") < 50


def test_thresholds_part_the_sample_at_the_percentiles() -> None:
    buckets = Buckets.fit("characters", np.arange(1.0, 101.0), 0.3, 0.6)
    assert np.bincount(buckets.of(np.arange(1.0, 101.0))).tolist() == [30, 30, 40]


def test_a_threshold_belongs_to_the_better_side_and_what_is_boundless_to_the_tail() -> None:
    numbers = Buckets("characters", 2.0, 3.0).of(np.array([1.0, 2.0, 2.5, 3.0, 3.1, np.inf]))
    assert numbers.tolist() == [0, 0, 1, 1, 2, 2]


def test_given_perplexities_are_the_thresholds_and_nothing_is_sampled(
    filtered: Path, tmp_path: Path
) -> None:
    fit(filtered, tmp_path / "model", head_perplexity=2.5, middle_perplexity=4.0)
    assert Buckets.read(tmp_path / "model") == Buckets("characters", 2.5, 4.0)
    assert "bucket_documents" not in (tmp_path / "model" / BUCKETS).read_text()


DIRTY = "ＡＢＣ　１２３\t\x00Tel．０３\r\nＳＴＲＡＳＳＥ ẞ ｶﾞｷﾞｸﾞ\u2028か\u3099 ﬁn\n \n"
"""What a normalisation changes: width, case, digits, control characters, marks, ligatures."""


@pytest.mark.parametrize("unit", ["characters", "words", "sentencepiece"])
def test_what_is_scored_is_what_was_trained_on(tmp_path: Path, unit: Unit) -> None:
    texts = [f"{DIRTY}{article(seed)}\n{DIRTY.swapcase()}" for seed in range(60)]
    if unit == "words":
        texts = [" ".join(text) for text in texts]
    write_shard(tmp_path / "in" / "a.parquet", [(str(n), "web", t) for n, t in enumerate(texts)])
    quality = Quality(order=3, unit=unit, pieces=300)
    with standalone(tmp_path / "model") as place:
        train_quality_model(tmp_path / "in", place, language=JAPANESE, quality=quality)
        trained_on = (place.scratch / "reference.txt").read_text("utf-8").splitlines()
    scorer = Scorer.open(tmp_path / "model", unit)
    assert sorted(trained_on) == sorted(line for text in texts for line in scorer.text.lines(text))
    model = kenlm.Model(str(tmp_path / "model" / MODEL))
    logarithm = sum(model.score(line) for line in trained_on)
    units = sum(units_in(line) + 1 for line in trained_on)
    assert scorer.perplexity("\n".join(texts)) == pytest.approx(10 ** (-logarithm / units), 1e-4)


@pytest.fixture(scope="module")
def in_pieces(filtered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pieces") / "model"
    fit(filtered, out, unit="sentencepiece", pieces=200)
    return out


def test_pieces_are_learned_from_the_reference_and_tell_language_from_noise(
    in_pieces: Path,
) -> None:
    scorer = Scorer.open(in_pieces, "sentencepiece")
    text = article(77_000)
    natural, noise = scorer.perplexity(text), scorer.perplexity(shuffled(text, 1))
    print(f"perplexity: natural {natural}, shuffled {noise}")
    assert natural * 3 < noise
    assert len(scorer.text.lines(text)[0].split(" ")) < len(text.splitlines()[0]) / 2


def test_the_same_text_makes_the_same_pieces(
    filtered: Path, in_pieces: Path, tmp_path: Path
) -> None:
    fit(filtered, tmp_path / "again", unit="sentencepiece", pieces=200)
    assert file_digests(tmp_path / "again") == file_digests(in_pieces)


def test_missing_pieces_say_what_to_materialise(in_pieces: Path, tmp_path: Path) -> None:
    shutil.copy(in_pieces / MODEL, tmp_path / MODEL)
    with pytest.raises(ArtifactError, match=rf"{PIECES}.*materialise quality_model"):
        Scorer.open(tmp_path, "sentencepiece")


def test_a_reference_too_small_for_pieces_is_an_error(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.parquet", [("a", "encyclopedia", "短い文です。")])
    with pytest.raises(CorpusError, match="reference text"):
        fit(tmp_path / "in", tmp_path / "model", unit="sentencepiece")


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


def test_a_missing_lmplz_that_cannot_be_built_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("NATIVIZE_CACHE", str(tmp_path))
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    with pytest.raises(ToolMissingError, match=rf"(?s){BUILD_COMMAND}.*apt-get install cmake"):
        require_programs()


def test_a_foreign_source_archive_is_never_compiled(tmp_path: Path) -> None:
    archive = tmp_path / "kenlm.tar.gz"
    archive.write_bytes(b"something else")
    with pytest.raises(Exception, match="SHA-256"):
        build_programs(tmp_path / "bin", source=archive)
    assert not (tmp_path / "bin").exists()


def test_a_damaged_model_says_what_to_materialise(tmp_path: Path) -> None:
    (tmp_path / MODEL).write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0")
    with pytest.raises(ArtifactError, match="materialise quality_model"):
        Scorer.open(tmp_path, "characters")
